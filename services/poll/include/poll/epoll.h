// epoll(7): a set of watched files, and the list of those that became ready.
//
// Each watched descriptor is an Item: in items_ by (file, descriptor), on the queues of its file with one
// entry per queue, and on ready_ when a wake said that something may have happened. A wait takes the ready
// list and asks each file what is true now: items that are still ready are reported, level-triggered ones go
// back to the end of the list.
//
// Locking, in this order:
//   vfs::release_observer_mutex()   an item goes because its file or its epoll goes: decides who of the two
//                            removes it; also serialises changes of which epoll watches which
//   mutex_                   items_, the items' settings, and the right to look at the ready list's items
//   ready_lock_ (raw)        ready_ and the hooks on it; taken in wake-ups, under the raw lock of the file's
//   queue
//
// An item does not keep its file alive: the file tells when it is released (FileReleaseObserver), before
// anything of it goes. So a file in items_ may be asked while mutex_ is held, without a reference; and must
// be: to drop the last one there would be to wait for a mutex that an epoll further up the chain holds.
//
// Epolls may watch epolls, up to five deep and never in a circle (ELOOP).
#pragma once

#include <atomic>

#include "base/function_ref.h"
#include "base/intrusive_list.h"
#include "base/intrusive_tree.h"
#include "core/sync/mutex.h"
#include "core/sync/spin_lock.h"
#include "core/sync/wait_queue.h"
#include "vfs/file.h"

namespace poll {

using base::RefPtr;
using base::Result;

// Beside the poll events, in the events of a watch: EPOLLEXCLUSIVE, EPOLLWAKEUP, EPOLLONESHOT, EPOLLET.
inline constexpr std::uint32_t epoll_exclusive = 1u << 28, epoll_wake_up = 1u << 29,
                               epoll_one_shot = 1u << 30, epoll_edge = 1u << 31;

struct EpollEvent {
  std::uint32_t events = 0;
  std::uint64_t data = 0;
};

class EpollFile final : public vfs::File {
 public:
  static Result<RefPtr<EpollFile>> create(RefPtr<const vfs::Credentials> credentials, vfs::OpenFlags flags);
  EpollFile();
  ~EpollFile() override;

  static constexpr int kind_tag = 0;
  const void* kind() const override { return &kind_tag; }

  // EEXIST, EPERM (the file cannot be polled), ELOOP, EINVAL (itself; wrong use of epoll_exclusive).
  Result<void> add(RefPtr<vfs::File> file, int descriptor, const EpollEvent& event) EXCLUDES(mutex_);
  Result<void> modify(RefPtr<vfs::File> file, int descriptor, const EpollEvent& event) EXCLUDES(mutex_);
  Result<void> remove(RefPtr<vfs::File> file, int descriptor) EXCLUDES(mutex_);
  // Up to `maximum` events to `deliver`, which returns false on a fault. EINTR; 0 at the deadline.
  Result<std::size_t> wait(std::size_t maximum, core::Deadline deadline,
                           base::FunctionRef<bool(const EpollEvent&)> deliver) EXCLUDES(mutex_);

  vfs::PollEvents poll(vfs::PollWaiter* waiter) override EXCLUDES(mutex_);
  void release() override EXCLUDES(mutex_);
  void put_fdinfo(base::TextSink& out) override EXCLUDES(mutex_);

 private:
  struct Key {
    vfs::File* file;
    int descriptor;
    auto operator<=>(const Key&) const = default;
  };
  class Item;
  class Registration;
  class Registrar;
  struct ItemKey;
  struct Collected;
  static constexpr unsigned maximum_depth = 5;

  Item* find_locked(const Key& key) REQUIRES(mutex_);
  void detach_item(Item& item) REQUIRES(mutex_);
  void mark_ready(Item& item) EXCLUDES(ready_lock_);
  std::size_t harvest(std::size_t maximum, base::FunctionRef<bool(const EpollEvent&)> deliver, bool& faulted)
      EXCLUDES(mutex_);
  bool has_ready() EXCLUDES(ready_lock_);
  // Both with release_observer_mutex() held. ELOOP if `top` is among what is below.
  Result<unsigned> depth_below(const EpollFile& top) EXCLUDES(mutex_);
  unsigned depth_above();
  // With release_observer_mutex() held if the file is an epoll.
  Result<void> add_item(std::unique_ptr<Item> item, const EpollEvent& event) EXCLUDES(mutex_);
  Result<void> remove_item(vfs::File& file, int descriptor) EXCLUDES(mutex_);
  void file_released(Item& item);

  struct Members;
  core::Mutex mutex_{"epoll"};
  core::SpinLock ready_lock_{"epoll ready"};
  core::WaitQueue queue_{"epoll waiters"};
  std::unique_ptr<Members> members_;
};

}  // namespace poll
