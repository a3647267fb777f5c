#include "kvm_clock.h"

#include <atomic>
#include <cstddef>

#include <arch/cpu.h>
#include <arch/time.h>

#include "core/memory/address.h"
#include "core/memory/page.h"
#include "core/memory/page_allocator.h"
#include "x86_64/features.h"
#include "x86_64/registers.h"

namespace arch {
namespace {

// Seconds and nanoseconds since 1970 at the moment when the host's clock was zero.
struct KvmWallRecord {
  std::uint32_t version;
  std::uint32_t seconds;
  std::uint32_t nanoseconds;
};

// On a page of their own while the host is asked; it wants each at a multiple of four.
struct Records {
  KvmTimeRecord time;
  KvmWallRecord wall;
};

constexpr std::uint32_t wall_clock_msr = 0x4b564d00, system_time_msr = 0x4b564d01;
constexpr std::uint32_t clock_feature = 1 << 3, steady_feature = 1 << 24;
constexpr std::uint8_t steady_flag = 1;

bool host_offers_clock() {
  if (!cpu_features().hypervisor) return false;
  CpuId signature = cpuid(0x40000000);
  // "KVMKVMKVM"; eax is 0 on old hosts, which means the next leaf is there.
  if (signature.ebx != 0x4b4d564b || signature.ecx != 0x564b4d56 || signature.edx != 0x4d) return false;
  if (signature.eax && signature.eax < 0x40000001) return false;
  std::uint32_t features = cpuid(0x40000001).eax;
  return features & clock_feature && features & steady_feature;
}

// A copy of a record between two of the host's updates, or one with version 1 if it never stands still.
template <class Record>
Record read_record(const Record& shared) {
  Record copy{};
  const volatile std::uint32_t& version = shared.version;
  for (unsigned attempt = 0; attempt < 1000; ++attempt) {
    std::uint32_t before = version;
    std::atomic_signal_fence(
        std::memory_order_acquire);  // the host writes on this CPU, while the guest is stopped
    copy = shared;
    std::atomic_signal_fence(std::memory_order_acq_rel);
    if (before && !(before & 1) && version == before) return copy;
    relax();
  }
  copy.version = 1;
  return copy;
}

}  // namespace

KvmClock read_kvm_clock() {
  if (!host_offers_clock()) return {};
  base::Result<core::PageRef> page = core::allocate_page(core::AllocationFlags::zero);
  if (!page) return {};
  auto* records = static_cast<Records*>(core::data_of(**page));
  std::uint64_t address = core::to_physical(records).value();
  write_msr(system_time_msr, (address + offsetof(Records, time)) | 1);
  KvmTimeRecord time = read_record(records->time);
  write_msr(wall_clock_msr, address + offsetof(Records, wall));
  KvmWallRecord wall = read_record(records->wall);
  write_msr(system_time_msr, 0);  // no more writes: the page may go
  KvmClock result;
  if (time.version & 1 || !(time.flags & steady_flag)) return result;
  result.counter_frequency = counter_frequency_of(time);
  result.counter = counter();
  if (!(wall.version & 1))
    result.wall_time_ns =
        wall.seconds * std::uint64_t{1'000'000'000} + wall.nanoseconds + host_time_at(time, result.counter);
  return result;
}

}  // namespace arch
