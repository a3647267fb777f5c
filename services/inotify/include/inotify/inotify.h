// inotify(7): events of watched files and directories, read as a file.
//
// The file owns an Instance; each watch is a mark on an inode and refers to the Instance, so that an event
// that is under way while the file closes finds something to put itself into.
//
// Locking: an event arrives with the inode's mark lock held and takes queue_lock_. watches_lock_ protects the
// table of watches and is held around attaching and detaching marks, never while an event is delivered:
//   watches_lock_  ->  mark lock of an inode  ->  queue_lock_
//
// A watch ends by remove_watch(), with its inode, after its event if it is a one-shot, or with the instance;
// the table's reference goes then, or (where the watches_lock_ may not be taken) with the next call that
// takes it: see ended.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/intrusive_list.h"
#include "base/intrusive_tree.h"
#include "core/sync/mutex.h"
#include "core/sync/wait_queue.h"
#include "vfs/file.h"
#include "vfs/notify.h"

namespace inotify {

using base::RefPtr;
using base::Result;

// Bits of a watch beside the events (inotify_add_watch(2)).
inline constexpr std::uint32_t only_directory = 0x01000000, do_not_follow = 0x02000000,
                               exclude_unlinked = 0x04000000, mask_create = 0x10000000, mask_add = 0x20000000,
                               one_shot = 0x80000000, all_events = 0xfff;

inline constexpr std::size_t maximum_queued_events = 16384;  // /proc/sys/fs/inotify/max_queued_events

class Instance;

class Watch final : public vfs::NotifyMark {
 public:
  Watch(Instance& instance, int number, std::uint32_t flags);
  void event(vfs::NotifyEvents events, std::uint32_t cookie, std::string_view name) override;
  void inode_gone(vfs::NotifyEvents why) override;
  // The watch has ended: nothing is queued for it any more. True for the first caller, who queues IN_IGNORED.
  bool end() { return !ended.exchange(true); }

  const int number;
  std::atomic<std::uint32_t> flags;  // one_shot, exclude_unlinked
  std::atomic<bool> ended{false};
  base::TreeHook hook;  // the table holds a reference

 private:
  const RefPtr<Instance> instance_;
};

// One event on its way to the reader; the name follows in memory.
struct QueuedEvent {
  base::ListHook hook;
  int watch = 0;
  std::uint32_t mask = 0, cookie = 0, name_length = 0;
  char name[];
};

class Instance : public base::RefCounted<Instance> {
 public:
  ~Instance();

  // A new watch, or a change of the one this instance has on the inode; gives its number. EEXIST with
  // mask_create.
  Result<int> add_watch(const vfs::Path& path, std::uint32_t mask) EXCLUDES(watches_lock_);
  Result<void> remove_watch(int number) EXCLUDES(watches_lock_);
  void remove_all_watches() EXCLUDES(watches_lock_);
  void put_watches(base::TextSink& out) EXCLUDES(watches_lock_);

  Result<std::size_t> read(core::IoBuffer& buffer, bool non_blocking) EXCLUDES(queue_lock_);
  bool readable() EXCLUDES(queue_lock_);
  std::size_t available() EXCLUDES(queue_lock_);
  core::WaitQueue& readers() { return readers_; }
  void queue_event(int watch, std::uint32_t mask, std::uint32_t cookie, std::string_view name)
      EXCLUDES(queue_lock_);

 private:
  void drop_ended_locked() REQUIRES(watches_lock_);
  void drop_locked(Watch& watch) REQUIRES(watches_lock_);

  core::Mutex watches_lock_{"inotify watches"};
  base::IntrusiveTree<Watch, &Watch::hook, &Watch::number> watches_ GUARDED_BY(watches_lock_);
  int next_number_ GUARDED_BY(watches_lock_) = 1;

  core::Mutex queue_lock_{"inotify queue"};
  core::WaitQueue readers_{"inotify readers"};
  base::IntrusiveList<QueuedEvent, &QueuedEvent::hook> queue_ GUARDED_BY(queue_lock_);
  std::size_t queued_ GUARDED_BY(queue_lock_) = 0;
  bool lost_events_ GUARDED_BY(queue_lock_) = false;  // IN_Q_OVERFLOW stands at the end of the queue
};

class InotifyFile final : public vfs::File {
 public:
  static Result<RefPtr<InotifyFile>> create(vfs::OpenFlags flags, RefPtr<const vfs::Credentials> credentials);
  explicit InotifyFile(RefPtr<Instance> instance) : File(no_wait_capable), instance_(std::move(instance)) {}

  static constexpr int kind_tag = 0;
  const void* kind() const override { return &kind_tag; }
  Instance& instance() const { return *instance_; }

  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset, vfs::IoFlags io_flags) override;
  vfs::PollEvents poll(vfs::PollWaiter* waiter) override;
  Result<long> ioctl(unsigned command, std::uintptr_t argument) override;
  void put_fdinfo(base::TextSink& out) override { instance_->put_watches(out); }
  void release() override { instance_->remove_all_watches(); }

 private:
  const RefPtr<Instance> instance_;
};

}  // namespace inotify
