// The time counter, and the one-shot timer that each hart has: a comparator of its own (Sstc) or the
// firmware's.
#include <arch/time.h>

#include <cstdint>

#include <arch/board.h>
#include <arch/cpu.h>

#include "core/init/panic.h"
#include "core/log/log.h"
#include "interrupts.h"
#include "riscv64/features.h"
#include "riscv64/registers.h"
#include "riscv64/sbi.h"
#include "riscv64/time.h"

namespace arch {
namespace {

constexpr std::uint64_t ns_per_second = 1'000'000'000, never = ~std::uint64_t{0};

constinit CounterScale scale{};
constinit std::uint64_t frequency = 0;        // of the counter, per second
constinit std::uint64_t tick_multiplier = 0;  // counter ticks = ns * multiplier >> 30

void set_comparator(std::uint64_t value) {
  if (cpu_features().supervisor_timer)
    write_stimecmp(value);
  else
    set_firmware_timer(value);
}

}  // namespace

std::uint64_t counter_frequency() { return frequency; }
const CounterScale& counter_scale() { return scale; }
const char* clock_source_name() { return "riscv_clocksource"; }

std::uint64_t nanoseconds() {
  return static_cast<std::uint64_t>(
      static_cast<unsigned __int128>(counter() - scale.base) * scale.multiplier >> 32);
}

void delay_microseconds(unsigned microseconds) {
  std::uint64_t rate = frequency ? frequency : 10'000'000;  // before it is known: a usual one
  std::uint64_t end = counter() + rate * microseconds / 1'000'000 + 1;
  while (counter() < end) relax();
}

void initialize_board_time(const device_tree::Tree& tree) {
  auto cpus = tree.find("/cpus");
  std::uint64_t counter_rate = cpus ? cpus->cell("timebase-frequency").value_or(0) : 0;
  if (!counter_rate) core::panic("the device tree does not say how fast time runs");
  frequency = counter_rate;
  tick_multiplier = (counter_rate << 30) / ns_per_second;
  scale.shift = 32;
  scale.multiplier = (ns_per_second << 32) / counter_rate;
  scale.base = counter();
  scale.vdso_usable = true;
  enable_timer();
  core::log(core::LogLevel::info, "time: counter {} kHz, timer {}", frequency / 1000,
            cpu_features().supervisor_timer ? "of the hart" : "by the firmware");
}

void enable_timer() {
  set_timer_off();
  enable_interrupt_kinds();
}

void set_timer_off() { set_comparator(never); }

void set_timer(std::uint64_t deadline_ns) {
  if (deadline_ns == no_timer) return set_timer_off();
  auto ticks = static_cast<unsigned __int128>(deadline_ns) * tick_multiplier >> 30;
  auto value = static_cast<std::uint64_t>(ticks) + scale.base + 1;
  bool too_far = ticks >> 63 || value < scale.base;
  set_comparator(too_far ? never - 1 : value);
}

}  // namespace arch
