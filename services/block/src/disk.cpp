#include "block/disk.h"

#include <new>

#include "block/volume.h"
#include "core/log/log.h"
#include "core/sync/preempt.h"
#include "core/time/clock.h"
#include "hardware_queue.h"
#include "names.h"
#include "partitions.h"

namespace block {

namespace {
constinit core::Mutex registry_mutex{"volumes"};
[[clang::no_destroy]] constinit Disk::Registry registry;
}  // namespace

core::Mutex& volumes_mutex() { return registry_mutex; }

Disk::Disk(DiskDriver& driver, const DiskDescription& description)
    : driver_(driver),
      limits_(description.limits),
      major_(description.major),
      first_minor_(description.first_minor),
      minors_(description.minors),
      partition_major_(description.partition_major),
      first_partition_minor_(description.first_partition_minor),
      sectors_(description.sectors),
      read_only_(description.limits.read_only),
      watchdog_([](core::Work& work) {
        // SAFETY of the cast: the work is the first part of the DelayedWork inside a Disk.
        auto* delayed = base::container_of(&work, &core::DelayedWork::work);
        base::container_of(delayed, &Disk::watchdog_)->watch();
      }) {}

Disk::~Disk() { delete[] queues_; }

Result<RefPtr<Disk>> Disk::create(const DiskDescription& description, DiskDriver& driver) {
  const DiskLimits& limits = description.limits;
  if (!limits.hardware_queues || !limits.queue_depth || !limits.segments_max || description.minors == 0 ||
      limits.logical_block < sector_size || !base::is_power_of_two(limits.logical_block) ||
      limits.request_bytes_max < core::page_size)
    return error(Errno::einval);
  auto* memory = new (std::nothrow) Disk(driver, description);
  if (!memory) return error(Errno::enomem);
  auto disk = RefPtr<Disk>::adopt(memory);
  disk->name_ = TRY(base::String::create(description.name));
  disk->serial_ = TRY(base::String::create(description.serial));
  disk->parent_ = TRY(base::String::create(description.parent));
  disk->queues_ = new (std::nothrow) HardwareQueue[limits.hardware_queues];
  if (!disk->queues_) return error(Errno::enomem);
  for (unsigned i = 0; i < limits.hardware_queues; ++i) TRY(disk->queues_[i].start(*disk, i));
  disk->whole_ = TRY(Volume::create(*disk, 0, 0, description.sectors));
  return disk;
}

void Disk::last_reference_dropped() {
  watchdog_.cancel_and_wait();
  DiskDriver& driver = driver_;
  delete this;
  driver.released();
}

// ---- Names ----

void Disk::publish(Volume& volume) {
  if (auto result = publish_names(volume); !result)
    core::log(core::LogLevel::warning, "{}: not all of its names could be made, error {}", volume.name(),
              result.error());
}
void Disk::withdraw(Volume& volume) { withdraw_names(volume); }

Result<void> Disk::announce() {
  {
    core::MutexGuard guard{registry_mutex};
    acquire_reference();  // the registry's, until remove()
    registry.push_back(*this);
    announced_.store(true, std::memory_order_release);
  }
  publish(*whole_);
  core::log(core::LogLevel::info, "{}: {} blocks of {} bytes{}", name(),
            sectors() * sector_size / limits_.logical_block, limits_.logical_block,
            is_read_only() ? ", read-only" : "");
  if (minors_ > 1 && sectors()) (void)read_partitions();  // a disk without a readable table is a disk
  return {};
}

Result<void> Disk::add_partition(const PartitionEntry& entry) {
  auto volume = TRY(Volume::create(*this, entry.number, entry.first_sector, entry.sectors));
  TRY(volume->set_identity(entry.uuid.view(), entry.label.view()));
  TRY(partitions_.try_push_back(std::move(volume)));
  return {};
}

Result<void> Disk::read_partitions() {
  base::Vector<PartitionEntry> entries;
  auto scanned = scan_partitions(*whole_, entries);
  core::MutexGuard guard{registry_mutex};
  for (auto& old : partitions_)
    if (old->open_count.load() || old->is_claimed()) return error(Errno::ebusy);
  TRY(former_.try_reserve(former_.size() + partitions_.size()));
  for (auto& old : partitions_) {
    withdraw(*old);
    former_.push_back_reserved(std::move(old));
  }
  partitions_.clear();
  TRY(scanned);
  core::LogLine line{core::LogLevel::info};
  base::format(line, " {}:", name());
  for (const PartitionEntry& entry : entries) {
    if (entry.number >= minors_) {
      base::format(line, " (no number for partition {})", entry.number);
      continue;
    }
    TRY(add_partition(entry));
    publish(*partitions_.back());
    base::format(line, " {}", partitions_.back()->name());
  }
  return {};
}

void Disk::remove() {
  if (removed_.exchange(true, std::memory_order_acq_rel)) return;
  bool was_announced;
  {
    core::MutexGuard guard{registry_mutex};
    was_announced = announced_.exchange(false);
    if (was_announced) {
      registry.remove(*this);
      for (auto& partition : partitions_) withdraw(*partition);
      withdraw(*whole_);
    }
  }
  for (unsigned i = 0; i < limits_.hardware_queues; ++i) queues_[i].fail_waiting(Errno::enodev);
  if (was_announced) release_reference();
}

void Disk::for_each_volume(base::FunctionRef<void(Volume&)> visit) {
  visit(*whole_);
  for (auto& partition : partitions_) visit(*partition);
}

unsigned Disk::users() {
  unsigned count = 0;
  core::MutexGuard guard{registry_mutex};
  for_each_volume([&](Volume& volume) {
    count += volume.open_count.load() + volume.closing_count.load() + volume.is_claimed();
  });
  return count;
}

void for_each_volume(base::FunctionRef<void(Volume&)> visit) {
  core::MutexGuard guard{registry_mutex};
  for (Disk& disk : registry) disk.for_each_volume(visit);
}

void Disk::set_sectors(std::uint64_t sectors) {
  sectors_.store(sectors, std::memory_order_relaxed);
  whole_->cache().set_size(sectors << sector_shift);
}

// ---- Work ----

HardwareQueue& Disk::queue_for_this_cpu() const {
  // A hint only: the thread may move on.
  return queues_[arch::cpu_index() % limits_.hardware_queues];
}

Result<void> Disk::check(Bio& bio) const {
  if (is_removed()) return error(Errno::enodev);
  if (bio.operation == Operation::flush) return {};
  if (bio.length == 0 || bio.length & (limits_.logical_block - 1) ||
      bio.sector & ((limits_.logical_block >> sector_shift) - 1))
    return error(Errno::einval);
  std::uint64_t end = sectors(), count = bio.length >> sector_shift;
  if (bio.sector > end || count > end - bio.sector) return error(Errno::eio);
  if (bio.operation != Operation::read && is_read_only()) return error(Errno::erofs);
  switch (bio.operation) {
    case Operation::discard:
      return count <= limits_.discard_sectors_max ? Result<void>() : error(Errno::eopnotsupp);
    case Operation::write_zeroes:
      return count <= limits_.write_zeroes_sectors_max ? Result<void>() : error(Errno::eopnotsupp);
    default:
      if (bio.segments.size() > limits_.segments_max || bio.length > limits_.request_bytes_max)
        return error(Errno::einval);
      return {};
  }
}

void Disk::finish(Bio& bio, Errno status) {
  bio.status = status;
  if (Volume* volume = bio.volume) {
    Statistics& statistics = volume->statistics;
    std::uint64_t now = core::monotonic_ns();
    Statistics::Kind& kind = bio.operation == Operation::read    ? statistics.reads
                             : bio.operation == Operation::write ? statistics.writes
                             : bio.operation == Operation::flush ? statistics.flushes
                                                                 : statistics.discards;
    kind.operations.fetch_add(1, std::memory_order_relaxed);
    kind.sectors.fetch_add(bio.length >> sector_shift, std::memory_order_relaxed);
    kind.nanoseconds.fetch_add(now - bio.queued_ns, std::memory_order_relaxed);
    if (statistics.in_flight.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      std::uint64_t since = statistics.busy_since_ns.load(std::memory_order_relaxed);
      if (now > since) statistics.busy_ns.fetch_add(now - since, std::memory_order_relaxed);
    }
  }
  bio.completed(bio);
}

void Disk::submit(Bio& bio, Batch* batch) {
  bio.status = Errno{0};
  bio.phase = bio.operation;
  bio.flush_afterwards = false;
  bio.queued_ns = core::monotonic_ns();
  if (bio.volume) {
    Statistics& statistics = bio.volume->statistics;
    if (statistics.in_flight.fetch_add(1, std::memory_order_acq_rel) == 0)
      statistics.busy_since_ns.store(bio.queued_ns, std::memory_order_relaxed);
  }
  if (auto checked = check(bio); !checked) {
    finish(bio, checked.error());
    return;
  }
  if (bio.operation == Operation::flush && !limits_.volatile_cache) {
    finish(bio, Errno{0});
    return;
  }
  bio.flush_afterwards = bio.operation == Operation::write && bio.force_unit_access &&
                         limits_.volatile_cache && !limits_.force_unit_access;
  if (batch) {
    batch->bios_.push_back(bio);
    return;
  }
  HardwareQueue& queue = queue_for_this_cpu();
  queue.add(bio);
  if (!watching_.exchange(true, std::memory_order_acq_rel))
    watchdog_.post_after(core::WorkQueue::system(), limits_.timeout_ns / 4 + 1);
  queue.run();
}

void Batch::flush() {
  if (bios_.empty()) return;
  RefPtr<Disk> keep(&disk_);
  HardwareQueue& queue = disk_.queue_for_this_cpu();
  while (Bio* bio = bios_.pop_front()) queue.add(*bio);
  if (!disk_.watching_.exchange(true, std::memory_order_acq_rel))
    disk_.watchdog_.post_after(core::WorkQueue::system(), disk_.limits_.timeout_ns / 4 + 1);
  queue.run();
}

// While the driver holds something: looks every quarter of the time-out.
void Disk::watch() {
  bool any = false;
  watching_.store(false, std::memory_order_release);
  for (unsigned i = 0; i < limits_.hardware_queues; ++i) any |= queues_[i].check_times();
  if (any && !watching_.exchange(true, std::memory_order_acq_rel))
    watchdog_.post_after(core::WorkQueue::system(), limits_.timeout_ns / 4 + 1);
}

void Disk::resume(unsigned queue_index) { queues_[queue_index].has_room(); }

unsigned Disk::in_flight() const { return whole_->statistics.in_flight.load(std::memory_order_relaxed); }

std::string_view disk_name(std::string_view prefix, unsigned index, std::span<char> memory) {
  // Base 26 without a zero: a … z, aa …
  char letters[8];
  unsigned count = 0;
  for (std::uint64_t rest = std::uint64_t{index} + 1; rest && count < sizeof(letters); rest = (rest - 1) / 26)
    letters[count++] = static_cast<char>('a' + (rest - 1) % 26);
  base::TextBuffer text{memory};
  text.put(prefix);
  while (count) text.put({&letters[--count], 1});
  return text.view();
}

}  // namespace block
