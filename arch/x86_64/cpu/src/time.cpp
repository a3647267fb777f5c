// Time-stamp counter, its calibration, and the local APIC's timer.
#include <arch/time.h>

#include <cstdint>

#include <arch/cpu.h>

#include "core/init/command_line.h"
#include "core/log/log.h"
#include "interrupts.h"
#include "kvm_clock.h"
#include "local_apic.h"
#include "timer.h"
#include "x86_64/features.h"
#include "x86_64/registers.h"
#include "x86_64/time.h"

namespace arch {
namespace {

constinit CounterScale scale{};
constinit std::uint64_t frequency = 0;         // of the counter, per second
constinit std::uint64_t timer_multiplier = 0;  // APIC timer ticks = ns * multiplier >> 32
constinit std::uint64_t tick_multiplier = 0;   // counter ticks = ns * multiplier >> 30
constinit bool deadline_mode = false;
constinit KvmClock host_clock{};

constexpr std::uint64_t ns_per_second = 1'000'000'000;

// A clock of known rate to measure against.
struct Reference {
  const volatile std::uint64_t* hpet = nullptr;
  std::uint16_t pm_timer = 0;
  std::uint64_t frequency = 0;
  std::uint64_t mask = 0;
  std::uint64_t read() const {
    if (hpet) return hpet[0xf0 / 8];
    if (pm_timer) return in32(pm_timer) & 0xffffff;
    out8(0x43, 0x80);  // latch channel 2 of the PIT, which counts down
    std::uint8_t low = in8(0x42);
    return ~static_cast<std::uint64_t>(low | in8(0x42) << 8) & 0xffff;
  }
};

Reference choose_reference(const volatile void* hpet, std::uint16_t pm_timer_port) {
  if (hpet) {
    // SAFETY: the registers of the device, 64 bits each.
    auto* registers = static_cast<volatile std::uint64_t*>(const_cast<volatile void*>(hpet));
    std::uint64_t period_fs = registers[0] >> 32;
    if (period_fs >= 100'000 && period_fs <= 100'000'000) {
      registers[2] = registers[2] | 1;  // run
      bool wide = registers[0] >> 13 & 1;
      return {.hpet = registers,
              .frequency = ns_per_second * 1'000'000 / period_fs,
              .mask = wide ? ~std::uint64_t{0} : 0xffffffff};
    }
  }
  if (pm_timer_port) return {.pm_timer = pm_timer_port, .frequency = 3'579'545, .mask = 0xffffff};
  out8(0x61, (in8(0x61) & ~2u) | 1);  // gate of channel 2 on, speaker off
  out8(0x43, 0xb4);                   // rate generator, full count
  out8(0x42, 0xff);
  out8(0x42, 0xff);
  return {.frequency = 1'193'182, .mask = 0xffff};
}

struct Sample {
  std::uint64_t counter = 0, reference = 0;
  std::uint32_t timer = 0;
};

// The reading of the reference that took the shortest of a few, so that a moment in which the machine did
// something else does not count.
Sample take_sample(const Reference& reference) {
  Sample best;
  std::uint64_t best_width = ~std::uint64_t{0};
  for (unsigned i = 0; i < 4; ++i) {
    std::uint64_t before = counter();
    std::uint64_t value = reference.read();
    std::uint64_t after = counter();
    std::uint32_t timer = read_apic(ApicRegister::timer_current);
    if (after - before >= best_width) continue;
    best_width = after - before;
    best = {before + best_width / 2, value, timer};
  }
  return best;
}

struct Rates {
  std::uint64_t counter = 0, timer = 0;
};

Rates measure(const Reference& reference, std::uint64_t window_ns) {
  write_apic(ApicRegister::timer_divide, 0xb);  // by one
  write_apic(ApicRegister::timer_initial, 0xffffffff);
  Sample start = take_sample(reference);
  std::uint64_t ticks = reference.frequency * window_ns / ns_per_second;
  while (((reference.read() - start.reference) & reference.mask) < ticks) relax();
  Sample end = take_sample(reference);
  write_apic(ApicRegister::timer_initial, 0);
  std::uint64_t elapsed = (end.reference - start.reference) & reference.mask;
  auto per_second = [&](std::uint64_t amount) {
    return static_cast<std::uint64_t>(amount * reference.frequency / elapsed);
  };
  return {per_second(end.counter - start.counter), per_second(start.timer - end.timer)};
}

bool close(std::uint64_t a, std::uint64_t b, std::uint64_t parts) {
  std::uint64_t difference = a > b ? a - b : b - a;
  return difference <= a / parts;
}

// Short windows while two in a row agree, longer ones when the machine is unsteady.
Rates calibrate(const Reference& reference) {
  std::uint64_t window = reference.hpet ? 150'000 : reference.pm_timer ? 1'000'000 : 5'000'000;
  Rates last = measure(reference, window);
  for (unsigned attempt = 0; attempt < 8; ++attempt) {
    Rates now = measure(reference, window);
    bool steady = close(now.counter, last.counter, 4000) && close(now.timer, last.timer, 1000);
    Rates mean{(now.counter + last.counter) / 2, (now.timer + last.timer) / 2};
    if (steady) return mean;
    last = now;
    if (window < 20'000'000) window *= 2;
  }
  core::log(core::LogLevel::warning, "time: counter and reference do not run evenly");
  return last;
}

// What the processor or the hypervisor says about the counter's rate; 0 when they say nothing.
std::uint64_t announced_frequency() {
  if (cpu_features().max_leaf >= 0x15) {
    CpuId leaf = cpuid(0x15);
    if (leaf.eax && leaf.ebx && leaf.ecx) return std::uint64_t{leaf.ecx} * leaf.ebx / leaf.eax;
    if (leaf.eax && leaf.ebx && cpu_features().max_leaf >= 0x16) {
      CpuId base_leaf = cpuid(0x16);
      if (base_leaf.eax & 0xffff) return std::uint64_t{base_leaf.eax & 0xffff} * 1'000'000;
    }
  }
  if (host_clock.counter_frequency) return host_clock.counter_frequency;
  if (!cpu_features().hypervisor) return 0;
  CpuId top = cpuid(0x40000000);
  if (top.eax >= 0x40000010 && top.eax < 0x40010000) {
    CpuId leaf = cpuid(0x40000010);
    if (leaf.eax) return std::uint64_t{leaf.eax} * 1000;
  }
  return 0;
}

std::uint64_t ticks_to_ns(std::uint64_t ticks) {
  return static_cast<std::uint64_t>(static_cast<unsigned __int128>(ticks) * scale.multiplier >> 32);
}

void set_scale(std::uint64_t counter_rate) {
  frequency = counter_rate;
  scale.shift = 32;
  // 2^32 * 10^9 fits in 62 bits.
  tick_multiplier = (counter_rate << 30) / ns_per_second;
  scale.multiplier = (ns_per_second << 32) / counter_rate;
  scale.base = counter();
  scale.vdso_usable = true;
}

}  // namespace

std::uint64_t counter_frequency() { return frequency; }
const CounterScale& counter_scale() { return scale; }
const char* clock_source_name() { return "tsc"; }

std::uint64_t nanoseconds() { return ticks_to_ns(counter() - scale.base); }

std::uint64_t host_wall_clock_at_boot_ns() {
  if (!host_clock.wall_time_ns) return 0;
  return host_clock.wall_time_ns + ticks_to_ns(scale.base - host_clock.counter);
}

void delay_microseconds(unsigned microseconds) {
  if (!frequency) {
    // A write to the POST port takes about a microsecond.
    for (unsigned i = 0; i < microseconds; ++i) out8(0x80, 0);
    return;
  }
  std::uint64_t end = counter() + frequency / 1'000'000 * microseconds;
  while (counter() < end) relax();
}

void initialize_time(const volatile void* hpet, std::uint16_t pm_timer_port) {
  Reference reference = choose_reference(hpet, pm_timer_port);
  host_clock = read_kvm_clock();
  std::uint64_t announced = announced_frequency();
  Rates rates = calibrate(reference);
  bool agree = announced && close(announced, rates.counter, 100);
  if (announced && !agree)
    core::log(core::LogLevel::warning, "time: counter announced at {} kHz, measured at {} kHz",
              announced / 1000, rates.counter / 1000);
  set_scale(agree ? announced : rates.counter);
  timer_multiplier = (rates.timer << 32) / ns_per_second;
  deadline_mode = cpu_features().tsc_deadline;
  enable_timer();
  core::log(core::LogLevel::info, "time: counter {} kHz by {}, {} timer {} kHz", frequency / 1000,
            agree                ? (host_clock.counter_frequency ? "kvm-clock" : "announcement")
            : reference.hpet     ? "HPET"
            : reference.pm_timer ? "ACPI timer"
                                 : "PIT",
            deadline_mode ? "deadline" : "one-shot", rates.timer / 1000);
}

void enable_timer() {
  write_apic(ApicRegister::timer_divide, 0xb);
  std::uint32_t mode = deadline_mode ? 2u << 17 : 0;
  write_apic(ApicRegister::timer, mode | static_cast<std::uint32_t>(SystemVector::timer));
  full_memory_barrier();  // the mode must be set before the deadline register is written (SDM 3A 11.5.4.1)
}

void set_timer(std::uint64_t deadline_ns) {
  if (deadline_mode) {
    if (deadline_ns == no_timer) return write_msr(Msr::tsc_deadline, 0);
    auto ticks =
        static_cast<std::uint64_t>(static_cast<unsigned __int128>(deadline_ns) * tick_multiplier >> 30);
    return write_msr(Msr::tsc_deadline, scale.base + ticks + 1);
  }
  if (deadline_ns == no_timer) return write_apic(ApicRegister::timer_initial, 0);
  std::uint64_t now = nanoseconds();
  std::uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
  constexpr std::uint64_t longest =
      1'000'000'000;  // further away: the interrupt finds nothing to do and asks again
  if (left > longest) left = longest;
  std::uint64_t ticks = (left * timer_multiplier >> 32) + 1;
  write_apic(ApicRegister::timer_initial,
             ticks > 0xffffffff ? 0xffffffff : static_cast<std::uint32_t>(ticks));
}

}  // namespace arch
