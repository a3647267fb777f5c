#include <arch/checksum.h>
#include <arch/cpu.h>
#include <arch/time.h>
#include <arch_impl/cpu.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <random>

#include "base/check.h"
#include "base/crc32c.h"

namespace arch {

namespace {
constinit std::mutex numbers_mutex;
constinit bool numbers_taken[max_cpus] = {};
constinit std::atomic<unsigned> highest{1};
}  // namespace

HostCpu::HostCpu() {
  std::lock_guard guard(numbers_mutex);
  for (index = 0; index < max_cpus && numbers_taken[index]; ++index) {
  }
  base::verify(index < max_cpus, "more threads than host CPUs");
  numbers_taken[index] = true;
  if (index >= highest) highest = index + 1;
}
HostCpu::~HostCpu() {
  std::lock_guard guard(numbers_mutex);
  numbers_taken[index] = false;
}

HostCpu& host_cpu() {
  static thread_local HostCpu cpu;
  return cpu;
}
void host_yield() { sched_yield(); }
void halt_forever() { std::abort(); }
unsigned cpu_count() { return highest; }
std::uintptr_t cpu_offset(unsigned) { return 0; }

std::uint64_t host_monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}
std::uint64_t counter_frequency() { return 1'000'000'000; }
const CounterScale& counter_scale() {
  static constexpr CounterScale scale{.base = 0, .multiplier = 1, .shift = 0, .vdso_usable = true};
  return scale;
}
std::uint64_t nanoseconds() { return host_monotonic_ns(); }
std::uint64_t wall_clock_at_boot_ns() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec) -
         host_monotonic_ns();
}
std::uint32_t crc32c(std::uint32_t state, std::span<const std::byte> bytes) {
  return base::crc32c(state, bytes);
}
void delay_microseconds(unsigned microseconds) { usleep(microseconds); }
const char* clock_source_name() { return "host"; }
std::uint64_t random_seed() { return (std::uint64_t{std::random_device{}()} << 32) | std::random_device{}(); }
// What the machine would do by itself; the host's threads look after their own deadlines.
void set_timer(std::uint64_t) {}
void set_hardware_clock(std::uint64_t) {}

}  // namespace arch
