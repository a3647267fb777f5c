#include "board/clock.h"

#include <arch/board.h>

#include <cstdint>

#include "board/board.h"
#include "core/device/register_block.h"

namespace board {
namespace {

constinit core::RegisterBlock* registers = nullptr;

// ARM PrimeCell PL031 (DDI 0224): a counter of seconds, and the register that loads it.
constexpr unsigned pl031_data = 0x00, pl031_load = 0x08;
std::uint64_t read_pl031() { return registers->read32(pl031_data); }
void write_pl031(std::uint64_t seconds) {
  registers->write32(pl031_load, static_cast<std::uint32_t>(seconds));
}

// Goldfish (QEMU, docs/specs of the emulator): nanoseconds; reading the low half latches the high one.
constexpr unsigned goldfish_low = 0x00, goldfish_high = 0x04;
constexpr std::uint64_t ns_per_second = 1'000'000'000;
std::uint64_t read_goldfish() {
  std::uint64_t low = registers->read32(goldfish_low);
  return (std::uint64_t{registers->read32(goldfish_high)} << 32 | low) / ns_per_second;
}
void write_goldfish(std::uint64_t seconds) {
  registers->write32(goldfish_high, static_cast<std::uint32_t>(seconds * ns_per_second >> 32));
  registers->write32(goldfish_low, static_cast<std::uint32_t>(seconds * ns_per_second));
}

}  // namespace

void find_clock(const device_tree::Tree& tree) {
  for (bool goldfish : {false, true}) {
    auto node = tree.find_compatible(goldfish ? "google,goldfish-rtc" : "arm,pl031");
    auto mapped = node ? map_registers(*node) : base::error(base::Errno::enxio);
    if (!mapped) continue;
    registers = *mapped;
    if (goldfish)
      arch::set_board_clock({read_goldfish, write_goldfish});
    else
      arch::set_board_clock({read_pl031, write_pl031});
    return;
  }
}

}  // namespace board
