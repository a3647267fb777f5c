// Disks: what a driver registers, and what everybody else reads and writes.
//
// A driver's whole business:
//
//   class MyDisk final : public block::DiskDriver {
//     block::QueueResult queue(block::Request& request) override {       // called by any thread, one at a
//     time per queue
//       if (no room in the ring) return block::QueueResult::busy;        // asked again after the next
//       complete() put request.sector(), for_each_segment(…), request.tag() into the ring; return
//       block::QueueResult::taken;
//     }
//     void kick(unsigned queue) override { ring the bell; }              // after one or more queue() calls
//   };
//   auto disk = TRY(block::Disk::create({.name = "vda", .major = …, .sectors = …}, driver));
//   TRY(disk->announce());                                              // partitions, /dev, /sys; it may do
//   I/O … in the interrupt thread: request->complete(status); … when the device goes: disk->remove();
//
// Users see Volume: the whole disk or one partition, each with its own start, length, /dev node and page
// cache.
//
// Queueing: each hardware queue has its own lock, waiting bios and requests; a CPU uses queue (cpu mod
// queues). While the driver has room, a bio goes to it at once. When not, it waits, sorted by sector; a
// request is then built from the waiting bios that follow each other, reads before writes, but whoever has
// waited for longer than its deadline (reads 500 ms, writes 5 s) goes first. A Batch holds bios back until
// its end, so that neighbours meet before the driver sees them.
//
// Flush: a flush makes stable what completed before it was submitted. A disk without a volatile cache
// answers it at once. force_unit_access is emulated with a flush where the device has none.
//
// Time-outs: a request that the driver holds for longer than DiskLimits::timeout_ns is logged and reported
// through timed_out(), again and again, until it is completed. What the driver does about it is its business;
// after remove() it must complete everything.
#pragma once

#include <atomic>
#include <memory>
#include <string_view>

#include "base/function_ref.h"
#include "base/ref.h"
#include "base/result.h"
#include "base/string.h"
#include "base/vector.h"
#include "block/request.h"
#include "block/statistics.h"
#include "core/sched/work_queue.h"
#include "core/sync/mutex.h"
#include "vfs/types.h"

namespace block {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;

struct DiskLimits {
  unsigned hardware_queues = 1;
  unsigned queue_depth = 64;    // requests in the driver per queue
  unsigned segments_max = 126;  // per request
  unsigned segment_length_max =
      1u << 20;  // segments are never larger than what their owner gave; this refuses
  std::uint32_t request_bytes_max = 1u << 20;
  std::uint32_t logical_block = 512, physical_block = 512;
  bool volatile_cache = false;                                          // flush means something
  bool force_unit_access = false;                                       // the device can
  std::uint64_t discard_sectors_max = 0, write_zeroes_sectors_max = 0;  // 0: it cannot
  bool read_only = false, rotational = false, removable = false;
  std::uint64_t timeout_ns = 30'000'000'000;
};

struct DiskDescription {
  std::string_view name;                                  // "vda"
  std::uint32_t major = 0, first_minor = 0, minors = 16;  // the disk itself and its partitions
  std::uint64_t sectors = 0;                              // of 512 bytes
  DiskLimits limits;
  // Where partitions have numbers of their own; 0: those after the disk's.
  std::uint32_t partition_major = 0, first_partition_minor = 0;
  std::string_view parent = "virtual/block";  // below /sys/devices
  std::string_view serial = "";
};

enum class QueueResult : std::uint8_t { taken, busy };

class DiskDriver {
 public:
  // Takes the request (and completes it some time, perhaps before returning), or has no room for it now: then
  // nothing is offered until the next complete() on this queue, or resume(); `request` is not valid after a
  // `busy`. Never called twice at once for one queue.
  virtual QueueResult queue(Request& request) = 0;
  virtual void kick(unsigned queue_index) {}
  virtual void timed_out(Request& request) {}
  // The block device file of this disk got an ioctl that the block layer does not know. ENOTTY.
  virtual Result<long> ioctl(unsigned command, std::uintptr_t argument) { return error(Errno::enotty); }
  // Somebody closed the disk or a partition, or gave up a claim on one. May sleep.
  virtual void closed() {}
  // The last reference to the disk is gone: the driver may end itself.
  virtual void released() {}

 protected:
  ~DiskDriver() = default;
};

// One of the disk's paths to its driver. Internal; named here for Disk's members.
class HardwareQueue;
class Volume;
struct PartitionEntry;

// Bios held back until flush() or the end of the scope.
class Batch {
 public:
  explicit Batch(Disk& disk) : disk_(disk) {}
  Batch(const Batch&) = delete;
  ~Batch() { flush(); }
  void flush();

 private:
  friend class Disk;
  Disk& disk_;
  base::IntrusiveList<Bio, &Bio::hook> bios_;
};

class Disk : public base::RefCounted<Disk> {
 public:
  static Result<RefPtr<Disk>> create(const DiskDescription& description, DiskDriver& driver);
  // Reads the partition table and makes everything visible. Once.
  Result<void> announce();
  // The device is gone: waiting bios fail with ENODEV, names disappear. What the driver still holds, it
  // completes.
  void remove();
  // The driver has room again without having completed anything.
  void resume(unsigned queue_index);
  // The device changed its size. Volumes see it at once.
  void set_sectors(std::uint64_t sectors);

  std::string_view name() const { return name_; }
  const DiskLimits& limits() const { return limits_; }
  std::uint64_t sectors() const { return sectors_.load(std::memory_order_relaxed); }
  bool is_removed() const { return removed_.load(std::memory_order_acquire); }
  bool is_read_only() const { return read_only_.load(std::memory_order_relaxed); }
  void set_read_only(bool value) { read_only_.store(value, std::memory_order_relaxed); }
  DiskDriver& driver() const { return driver_; }
  std::string_view serial() const { return serial_; }
  std::string_view parent() const { return parent_; }
  std::uint32_t major() const { return major_; }
  std::uint32_t first_minor() const { return first_minor_; }
  std::uint32_t minors() const { return minors_; }

  // Bios with sectors of the whole disk. Volumes are the usual way in.
  void submit(Bio& bio, Batch* batch = nullptr);
  Volume& whole() const { return *whole_; }
  // Makes partitions anew from what is on the disk. EBUSY while one is in use.
  Result<void> read_partitions();
  // Each volume, the whole first. volumes_mutex() held.
  void for_each_volume(base::FunctionRef<void(Volume&)> visit);
  // Open files and claims of all volumes.
  unsigned users();
  vfs::DeviceNumber number_of(unsigned partition) const {
    if (partition && partition_major_) return {partition_major_, first_partition_minor_ + partition};
    return {major_, first_minor_ + partition};
  }
  // Reads and writes in flight.
  unsigned in_flight() const;

  void last_reference_dropped();

 private:
  friend class Batch;
  friend class HardwareQueue;
  friend class Request;
  friend class Volume;
  Disk(DiskDriver& driver, const DiskDescription& description);
  ~Disk();
  HardwareQueue& queue_for_this_cpu() const;
  Result<void> check(Bio& bio) const;
  static void finish(Bio& bio, Errno status);
  void watch();
  Result<void> add_partition(const PartitionEntry& entry);
  void publish(Volume& volume);
  void withdraw(Volume& volume);
  base::ListHook registered_;

 public:
  using Registry = base::IntrusiveList<Disk, &Disk::registered_>;

 private:
  DiskDriver& driver_;
  base::String name_, serial_, parent_;
  DiskLimits limits_;
  std::uint32_t major_, first_minor_, minors_, partition_major_, first_partition_minor_;
  std::atomic<std::uint64_t> sectors_;
  std::atomic<bool> removed_{false}, read_only_{false}, announced_{false};
  HardwareQueue* queues_ = nullptr;
  std::unique_ptr<Volume> whole_;
  base::Vector<std::unique_ptr<Volume>> partitions_;  // under volumes_mutex()
  base::Vector<std::unique_ptr<Volume>> former_;      // replaced; somebody may still hold one
  core::DelayedWork watchdog_;
  std::atomic<bool> watching_{false};
};

// "vda", "vdb" … "vdz", "vdaa": the name of disk `index` with this prefix.
std::string_view disk_name(std::string_view prefix, unsigned index, std::span<char> memory);

}  // namespace block
