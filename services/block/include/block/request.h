// What travels between those who want blocks (file systems, the page cache, /dev) and those who have them
// (drivers).
//
//   Bio bio;                                     // may live on the stack of a caller who waits
//   bio.operation = Operation::write;
//   bio.sector = 2048; bio.set_segments(segments);
//   bio.completed = [](Bio& bio) { ... };        // once, with bio.status set
//   disk.submit(bio);                            // never fails by itself: errors arrive in bio.status
//
// A Bio is one piece of work as its owner sees it: consecutive sectors on one side, memory in pages on the
// other. A Request is what a driver gets: one or more Bios of one kind whose sectors follow each other.
// Requests belong to the disk and are numbered (tag), so that a driver can keep its own state in an array.
//
// Sectors are 512 bytes everywhere, whatever the device's blocks are; lengths are multiples of its logical
// block.
#pragma once

#include <cstdint>
#include <span>

#include "base/errno.h"
#include "base/intrusive_list.h"
#include "base/intrusive_tree.h"
#include "core/memory/page.h"

namespace block {

inline constexpr unsigned sector_shift = 9;
inline constexpr std::size_t sector_size = 1u << sector_shift;

enum class Operation : std::uint8_t { read, write, flush, discard, write_zeroes };

// Part of one page, or of physically consecutive pages from `page` on.
struct Segment {
  core::Page* page = nullptr;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  std::byte* data() const { return core::data_of<std::byte>(*page) + offset; }
  core::PhysicalAddress address() const {
    return core::PhysicalAddress(core::physical_of(*page).value() + offset);
  }
};

class Volume;

struct Bio {
  using Completed = void (*)(Bio&);

  // ---- The owner's, before submit ----
  Operation operation = Operation::read;
  // write: completes only once the data is on stable storage.
  bool force_unit_access = false;
  std::uint64_t sector = 0;
  std::uint64_t length = 0;           // bytes; set_segments() computes it
  std::span<const Segment> segments;  // none for flush, discard, write_zeroes; valid until completed
  // In the thread of whoever finishes the work (a driver's, or the submitter's own): short, may not wait for
  // I/O. The bio is the owner's again, and may be gone when this returns.
  Completed completed = nullptr;
  void* owner = nullptr;

  // ---- The result ----
  // 0, or EIO, ETIMEDOUT, ENOSPC, EOPNOTSUPP (discard, write_zeroes), ENODEV (the device is gone) …
  base::Errno status = base::Errno{0};
  bool failed() const { return status != base::Errno{0}; }

  void set_segments(std::span<const Segment> list) {
    segments = list;
    length = 0;
    for (const Segment& segment : list) length += segment.length;
  }
  std::uint64_t end_sector() const { return sector + (length >> sector_shift); }

  // ---- The disk's ----
  base::ListHook hook;       // by age, in a request, or in a Batch
  base::TreeHook by_sector;  // waiting
  std::uint64_t queued_ns = 0;
  Volume* volume = nullptr;  // whose statistics count it
  Operation phase = Operation::read;
  bool flush_afterwards = false;  // force_unit_access on a device that cannot
};

class Disk;
class HardwareQueue;

class Request {
 public:
  Operation operation() const { return operation_; }
  std::uint64_t sector() const { return sector_; }
  std::uint64_t length() const { return length_; }  // bytes; 0 for flush
  bool force_unit_access() const { return force_unit_access_; }
  unsigned segment_count() const { return segment_count_; }
  // 0 … DiskLimits::queue_depth - 1, unique among the requests of one hardware queue that a driver holds.
  unsigned tag() const { return tag_; }
  unsigned queue_index() const;
  Disk& disk() const;

  // Calls `use(const Segment&)` for each piece of memory in order.
  template <typename Use>
  void for_each_segment(Use&& use) {
    for (Bio& bio : bios_)
      for (const Segment& segment : bio.segments) use(segment);
  }

  // The driver is done with it. Thread context; any thread, also from inside DiskDriver::queue(). May submit
  // more to the driver before it returns (call it without the driver's locks). 0 is success.
  void complete(base::Errno status);

 private:
  friend class Disk;
  friend class HardwareQueue;
  Request() = default;

  HardwareQueue* queue_ = nullptr;
  base::IntrusiveList<Bio, &Bio::hook> bios_;
  Operation operation_ = Operation::read;
  bool force_unit_access_ = false;
  bool in_driver_ = false;  // protected by the queue's lock
  unsigned tag_ = 0, segment_count_ = 0;
  std::uint64_t sector_ = 0, length_ = 0, started_ns_ = 0;
};

}  // namespace block
