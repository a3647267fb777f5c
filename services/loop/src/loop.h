// A file (or a disk) as a disk: /dev/loopN, loop(4).
//
//   unbound --LOOP_CONFIGURE, LOOP_SET_FD--> bound --LOOP_CLR_FD, last close with autoclear--> unbound
//
// An unbound device has no sectors, so the block layer lets no request through. A bound one does its requests
// in a thread of its own, in the order in which they came: reads and writes of the file, fdatasync for a
// flush, holes for discards.
//
// Locking: mutex_ guards the binding and is held by ioctls and while the binding ends; queue_lock_ is a leaf
// for the waiting requests. The thread uses file_ without a lock: it changes only while nothing can be
// queued. The file is let go without mutex_, because it may be another loop device.
#pragma once

#include <array>

#include "block/disk.h"
#include "core/sched/work_queue.h"
#include "pseudo_fs/entry.h"
#include "vfs/file.h"

namespace loop {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;

// linux/loop.h.
inline constexpr std::uint32_t major_number = 7, partition_major = 259, partitions_max = 16;
enum Flag : std::uint32_t { read_only = 1, autoclear = 4, partition_scan = 8, direct_io = 16 };
struct Status {
  std::uint64_t device, inode, special_device, offset, size_limit;
  std::uint32_t number, encryption, key_size, flags;
  std::array<char, 64> file_name;
  std::array<char, 64> cipher_name;
  std::array<std::uint8_t, 32> key;
  std::array<std::uint64_t, 2> initial;
};
static_assert(sizeof(Status) == 232);
struct Configuration {
  std::uint32_t descriptor, block_size;
  Status status;
  std::array<std::uint64_t, 8> reserved;
};
static_assert(sizeof(Configuration) == 304);

class Loop final : public block::DiskDriver {
 public:
  explicit Loop(unsigned number);
  Result<void> start();  // once
  // The names in /dev and /sys come and go with LOOP_CTL_ADD and LOOP_CTL_REMOVE; the object stays.
  Result<void> appear();
  Result<void> disappear();  // EBUSY
  bool exists();
  bool is_bound();
  RefPtr<vfs::File> file();

  // ---- block::DiskDriver ----
  block::QueueResult queue(block::Request& request) override;
  Result<long> ioctl(unsigned command, std::uintptr_t argument) override;
  void closed() override;

 private:
  friend class LoopText;
  static constexpr unsigned depth = 64;
  Result<void> configure(const Configuration& configuration);
  Result<void> clear();
  Result<void> set_status(const Status& status);
  Result<Status> status_locked() REQUIRES(mutex_);
  Result<void> bind_locked(RefPtr<vfs::File> file, const Status& status) REQUIRES(mutex_);
  RefPtr<vfs::File> unbind_locked() REQUIRES(mutex_);
  Result<std::uint64_t> sectors_locked(vfs::File& file, std::uint64_t offset, std::uint64_t limit)
      REQUIRES(mutex_);
  Result<void> add_attributes_locked() REQUIRES(mutex_);
  void remove_attributes_locked() REQUIRES(mutex_);
  void work();
  Errno perform(block::Request& request);
  Result<void> transfer(block::Request& request);

  const unsigned number_;
  char name_[16];
  core::WorkQueue threads_;
  core::Work work_;

  core::Mutex mutex_{"loop device"};
  RefPtr<block::Disk> disk_;  // none: removed
  RefPtr<vfs::File> file_;
  std::uint64_t offset_ = 0, size_limit_ = 0;
  std::uint32_t flags_ = 0;
  std::array<char, 64> file_name_{};

  core::Mutex queue_lock_{"loop requests"};
  block::Request* waiting_[depth] GUARDED_BY(queue_lock_) = {};
  unsigned first_ GUARDED_BY(queue_lock_) = 0, count_ GUARDED_BY(queue_lock_) = 0;
};

// The device of this number if there is one; for the check that no chain of loops ends in itself.
Loop* find_loop(unsigned number);

}  // namespace loop
