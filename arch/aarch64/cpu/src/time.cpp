// The generic timer: a counter that all CPUs share, and a comparator for each (ARM DDI 0487, chapter D11).
// The virtual ones, which a hypervisor leaves to its guest.
#include <arch/time.h>

#include <arch/board.h>
#include <arch/cpu.h>

#include <cstdint>

#include "aarch64/registers.h"
#include "core/init/panic.h"
#include "core/log/log.h"
#include "interrupts.h"
#include "timer.h"

namespace arch {
namespace {

constinit CounterScale scale{};
constinit std::uint64_t frequency = 0;
constinit std::uint64_t tick_multiplier = 0;  // counter ticks = ns * multiplier >> 30
constinit BoardClock board_clock{};

constexpr std::uint64_t ns_per_second = 1'000'000'000;
constexpr std::uint64_t control_enable = 1, control_masked = 2;

// "interrupts" of the timer's node lists secure, non-secure, virtual and hypervisor timer; 16 + n is the
// number of the n-th interrupt of a CPU's own.
constexpr std::size_t virtual_timer = 2;
constexpr unsigned first_local_interrupt = 16;

}  // namespace

void initialize_board_time(const device_tree::Tree& tree) {
  // SAFETY: the counter's rate, which firmware has set.
  frequency = NOS_READ_REGISTER("cntfrq_el0");
  auto node = tree.find_compatible("arm,armv8-timer");
  if (!node) node = tree.find_compatible("arm,armv7-timer");
  if (node && node->cell("clock-frequency")) frequency = *node->cell("clock-frequency");
  auto line = node ? node->interrupt(virtual_timer) : std::nullopt;
  if (!frequency || !line || line->cell_count < 2) core::panic("the device tree describes no timer");
  scale.shift = 32;
  scale.multiplier = (ns_per_second << 32) / frequency;
  // Time begins with the machine as far as this kernel can tell.
  scale.base = counter();
  scale.vdso_usable = true;
  tick_multiplier = (frequency << 30) / ns_per_second;
  set_timer_interrupt(first_local_interrupt + line->cells[1]);
  set_timer(no_timer);
  start_local_interrupts();
  core::log(core::LogLevel::info, "time: counter {} kHz, virtual timer", frequency / 1000);
}

std::uint64_t counter_frequency() { return frequency; }
const CounterScale& counter_scale() { return scale; }

std::uint64_t nanoseconds() {
  std::uint64_t now = counter();
  std::uint64_t passed = now > scale.base ? now - scale.base : 0;
  return static_cast<std::uint64_t>(static_cast<unsigned __int128>(passed) * scale.multiplier >> scale.shift);
}

void delay_microseconds(unsigned microseconds) {
  std::uint64_t end = counter() + frequency * microseconds / 1'000'000 + 1;
  while (counter() < end) relax();
}

// SAFETY: the registers of this CPU's own timer.
void set_timer(std::uint64_t deadline_ns) {
  if (deadline_ns == no_timer) return stop_timer();
  auto ticks =
      static_cast<std::uint64_t>(static_cast<unsigned __int128>(deadline_ns) * tick_multiplier >> 30);
  NOS_WRITE_REGISTER("cntv_cval_el0", scale.base + ticks + 1);
  NOS_WRITE_REGISTER("cntv_ctl_el0", control_enable);
  instruction_barrier();
}

void stop_timer() {
  NOS_WRITE_REGISTER("cntv_ctl_el0", control_masked);
  instruction_barrier();
}

void set_board_clock(const BoardClock& clock) { board_clock = clock; }

std::uint64_t wall_clock_at_boot_ns() {
  if (!board_clock.read_seconds) return 0;
  std::uint64_t wall = board_clock.read_seconds() * ns_per_second, since_boot = nanoseconds();
  return wall > since_boot ? wall - since_boot : 0;
}

void set_hardware_clock(std::uint64_t seconds) {
  if (board_clock.write_seconds) board_clock.write_seconds(seconds);
}

const char* clock_source_name() { return "arch_sys_counter"; }

}  // namespace arch
