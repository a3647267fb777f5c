// The battery-backed clock, by way of the board's driver for it.
#include <arch/board.h>
#include <arch/time.h>

namespace arch {
namespace {

constinit BoardClock board_clock{};

}  // namespace

void set_board_clock(const BoardClock& clock) { board_clock = clock; }

std::uint64_t wall_clock_at_boot_ns() {
  if (!board_clock.read_seconds) return 0;
  std::uint64_t wall = board_clock.read_seconds() * 1'000'000'000, since_boot = nanoseconds();
  return wall > since_boot ? wall - since_boot : 0;
}

void set_hardware_clock(std::uint64_t seconds_since_1970) {
  if (board_clock.write_seconds) board_clock.write_seconds(seconds_since_1970);
}

}  // namespace arch
