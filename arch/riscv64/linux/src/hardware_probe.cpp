#include "hardware_probe.h"

#include <arch/cpu.h>
#include <arch/page_table.h>
#include <arch/time.h>

#include "core/memory/user_copy.h"
#include "riscv64/features.h"

namespace arch {
namespace {

struct Pair {
  std::int64_t key = 0;
  std::uint64_t value = 0;
};

// Keys and values of asm/hwprobe.h (Linux 6.12).
enum Key : std::int64_t {
  vendor = 0,
  architecture = 1,
  implementation = 2,
  base_behaviour = 3,
  extensions = 4,
  performance = 5,
  zero_block_size = 6,
  highest_address = 7,
  time_frequency = 8,
  misaligned_scalar = 9,
};
constexpr std::uint64_t behaviour_ima = 1;
constexpr std::uint64_t extension_fd = 1, extension_c = 2, extension_v = 4, extension_zba = 1 << 3,
                        extension_zbb = 1 << 4, extension_zbs = 1 << 5, extension_zbc = 1 << 7;
constexpr std::uint32_t which_cpus = 1;  // the flag that asks the other way round

Pair answer(Pair pair) {
  const CpuFeatures& f = cpu_features();
  switch (pair.key) {
    case vendor:
      pair.value = f.vendor;
      break;
    case architecture:
      pair.value = f.architecture;
      break;
    case implementation:
      pair.value = f.implementation;
      break;
    case base_behaviour:
      pair.value = behaviour_ima;
      break;
    case extensions:
      pair.value = extension_fd | extension_c | (f.vector_registers_size ? extension_v : 0) |
                   (f.zba ? extension_zba : 0) | (f.zbb ? extension_zbb : 0) | (f.zbs ? extension_zbs : 0) |
                   (f.zbc ? extension_zbc : 0);
      break;
    case performance:
    case misaligned_scalar:
    case zero_block_size:  // the instruction is not open to programs
      pair.value = 0;      // unknown
      break;
    case highest_address:
      pair.value = user_address_limit - 1;
      break;
    case time_frequency:
      pair.value = counter_frequency();
      break;
    default:
      pair.key = -1;
      pair.value = 0;
      break;
  }
  return pair;
}

// The set that a program gives must hold at least one CPU that runs; none given stands for all.
base::Result<void> check_cpus(std::uint64_t bytes, std::uintptr_t address) {
  if (!bytes && !address) return {};
  if (!bytes || !address) return base::error(base::Errno::einval);
  constexpr std::uint64_t most_bytes = max_cpus / 8;
  std::uint64_t words[max_cpus / 64] = {};
  std::uint64_t size = bytes < most_bytes ? bytes : most_bytes;
  TRY(core::copy_from_user(std::as_writable_bytes(std::span(words)).first(size), core::UserAddress(address)));
  for (unsigned cpu = 0; cpu < cpu_count(); ++cpu)
    if (words[cpu / 64] >> (cpu % 64) & 1) return {};
  return base::error(base::Errno::einval);
}

// Every CPU is the same, so the set stays as it is if all pairs hold and becomes empty otherwise.
base::Result<long> probe_cpus(std::uintptr_t pairs, std::uint64_t count, std::uint64_t cpu_bytes,
                              std::uintptr_t cpus) {
  if (!cpu_bytes || !cpus) return base::error(base::Errno::einval);
  bool all_hold = true;
  for (std::uint64_t i = 0; i < count; ++i) {
    Pair wanted;
    core::UserAddress at(pairs + i * sizeof(Pair));
    TRY(core::copy_from_user(std::as_writable_bytes(std::span(&wanted, 1)), at));
    Pair found = answer(wanted);
    bool is_set = wanted.key == base_behaviour || wanted.key == extensions;
    if (found.key == -1) {
      all_hold = false;
      TRY(core::copy_to_user(at, std::as_bytes(std::span(&found, 1))));
    } else if (is_set ? (found.value & wanted.value) != wanted.value : found.value != wanted.value) {
      all_hold = false;
    }
  }
  constexpr std::uint64_t most_bytes = max_cpus / 8;
  std::uint64_t words[max_cpus / 64] = {};
  std::uint64_t size = cpu_bytes < most_bytes ? cpu_bytes : most_bytes;
  TRY(core::copy_from_user(std::as_writable_bytes(std::span(words)).first(size), core::UserAddress(cpus)));
  bool any = false;
  for (unsigned cpu = 0; cpu < max_cpus; ++cpu) any |= words[cpu / 64] >> (cpu % 64) & 1;
  for (unsigned cpu = 0; cpu < max_cpus; ++cpu) {
    std::uint64_t bit = std::uint64_t{1} << (cpu % 64);
    bool on = all_hold && cpu < cpu_count() && (!any || (words[cpu / 64] & bit));
    words[cpu / 64] = on ? words[cpu / 64] | bit : words[cpu / 64] & ~bit;
  }
  TRY(core::copy_to_user(core::UserAddress(cpus), std::as_bytes(std::span(words)).first(size)));
  return 0;
}

}  // namespace

base::Result<long> probe_hardware(std::uintptr_t pairs, std::uint64_t count, std::uint64_t cpu_bytes,
                                  std::uintptr_t cpus, std::uint32_t flags) {
  if (flags == which_cpus) return probe_cpus(pairs, count, cpu_bytes, cpus);
  if (flags) return base::error(base::Errno::einval);
  TRY(check_cpus(cpu_bytes, cpus));
  for (std::uint64_t i = 0; i < count; ++i) {
    Pair pair;
    core::UserAddress at(pairs + i * sizeof(Pair));
    TRY(core::copy_from_user(std::as_writable_bytes(std::span(&pair.key, 1)), at));
    pair = answer(pair);
    TRY(core::copy_to_user(at, std::as_bytes(std::span(&pair, 1))));
  }
  return 0;
}

}  // namespace arch
