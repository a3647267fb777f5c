// What a KVM host says about the time: the counter's rate, and the wall clock ("kvm-clock").
//
// The host writes a record into guest memory that says how its own clock follows from the time-stamp counter.
// NOS keeps reading the counter itself; the record is asked for once, at boot, in place of a measurement
// (which a busy host disturbs) and of the battery-backed clock (which knows seconds only). A guest moved to a
// host whose counter runs at another rate is not followed. Source: Linux,
// Documentation/virt/kvm/x86/{msr,cpuid}.rst.
#pragma once

#include <cstdint>

namespace arch {

// As the host writes it. The counter's ticks since counter_at_update, shifted and multiplied, are
// nanoseconds.
struct KvmTimeRecord {
  std::uint32_t version;  // odd while the host writes
  std::uint32_t padding;
  std::uint64_t counter_at_update;
  std::uint64_t host_time_ns;
  std::uint32_t multiplier;  // a fraction of 2^32
  std::int8_t shift;         // to the left; negative: to the right
  std::uint8_t flags;
  std::uint8_t unused[2];
};
static_assert(sizeof(KvmTimeRecord) == 32);

// Ticks per second; 0 for a record that makes no sense.
constexpr std::uint64_t counter_frequency_of(const KvmTimeRecord& record) {
  if (!record.multiplier || record.shift < -31 || record.shift > 31) return 0;
  std::uint64_t frequency = (std::uint64_t{1'000'000'000} << 32) / record.multiplier;
  return record.shift < 0 ? frequency << -record.shift : frequency >> record.shift;
}

// The host's clock at a value of the counter.
constexpr std::uint64_t host_time_at(const KvmTimeRecord& record, std::uint64_t counter) {
  std::uint64_t ticks = counter - record.counter_at_update;
  ticks = record.shift < 0 ? ticks >> -record.shift : ticks << record.shift;
  return record.host_time_ns +
         static_cast<std::uint64_t>(static_cast<unsigned __int128>(ticks) * record.multiplier >> 32);
}

struct KvmClock {
  std::uint64_t counter_frequency = 0;  // per second; 0: no such host, or none to be relied on
  std::uint64_t wall_time_ns = 0;       // since 1970, at the counter's value below; 0: not known
  std::uint64_t counter = 0;
};

// Asks the host. Once, early, by the first CPU with preemption off: the record is that CPU's.
KvmClock read_kvm_clock();

// The wall clock when nanoseconds() was 0, as the host said it; 0: it did not. After initialize_time().
std::uint64_t host_wall_clock_at_boot_ns();

}  // namespace arch
