#include "poll/epoll.h"

#include <algorithm>

#include "vfs/file_system.h"
#include "vfs/inode.h"

namespace poll {

using base::Errno;
using base::error;
using core::IrqSave;
using core::LockNesting;
using core::MutexGuard;
using core::SpinGuard;
using vfs::PollEvents;

namespace {

constexpr std::uint32_t private_bits = epoll_exclusive | epoll_wake_up | epoll_one_shot | epoll_edge;
constexpr std::uint32_t exclusive_allowed = vfs::poll_in | vfs::poll_out | vfs::poll_error |
                                            vfs::poll_hang_up | epoll_wake_up | epoll_edge | epoll_exclusive;
// Chains of epolls are locked from the top down, and have no circles.
constexpr LockNesting in_chain = LockNesting::chain;

}  // namespace

// One queue of a watched file.
class EpollFile::Registration final : public core::WaitEntry {
 public:
  Registration(Item& item, core::WaitQueue& queue) : item_(item), queue(queue) {}
  bool woken(std::uint64_t key) override;

  std::unique_ptr<Registration> next;

 private:
  Item& item_;

 public:
  core::WaitQueue& queue;
};

class EpollFile::Item final : public vfs::FileReleaseObserver {
 public:
  Item(EpollFile& owner, const Key& watched) : epoll(owner), key(watched) {}
  void file_released(vfs::File&) override { epoll.file_released(*this); }

  EpollFile& epoll;
  const Key key;
  // Poll events that matter plus the private bits; without poll events the item is disabled (one-shot).
  // Written under the epoll's mutex, read by wake-ups.
  std::atomic<std::uint32_t> interest{0};
  std::uint64_t data = 0;                       // under the epoll's mutex
  std::unique_ptr<Registration> registrations;  // fixed while linked
  base::TreeHook tree_hook;
  base::ListHook ready_hook;  // under ready_lock_
  base::ListHook above_hook;  // if the file is an epoll: on its list `above`, under release_observer_mutex()
};

bool EpollFile::Registration::woken(std::uint64_t key) {
  // relaxed: a change of interest is followed by a look at the file.
  std::uint32_t interest = item_.interest.load(std::memory_order_relaxed);
  if (!(interest & ~private_bits)) return false;
  if (key && !(key & interest)) return false;
  bool somebody_waits = item_.epoll.queue_.has_waiters();
  item_.epoll.mark_ready(item_);
  return somebody_waits;
}

// Collects the queues of a file for a new item.
class EpollFile::Registrar final : public vfs::PollWaiter {
 public:
  Registrar(Item& item, bool exclusive) : item_(item), exclusive_(exclusive) {}
  void watch(core::WaitQueue& queue) override {
    auto registration = std::unique_ptr<Registration>(new (std::nothrow) Registration(item_, queue));
    if (!registration) {
      failed = true;
      return;
    }
    if (exclusive_)
      queue.add_exclusive(*registration);
    else
      queue.add(*registration);
    registration->next = std::move(item_.registrations);
    item_.registrations = std::move(registration);
  }
  bool failed = false;

 private:
  Item& item_;
  const bool exclusive_;
};

struct EpollFile::Members {
  base::IntrusiveTree<Item, &Item::tree_hook, &Item::key> items;  // under mutex_
  base::IntrusiveList<Item, &Item::ready_hook> ready;             // under ready_lock_
  base::IntrusiveList<Item, &Item::above_hook> above;  // who watches this; release_observer_mutex()
};

Result<RefPtr<EpollFile>> EpollFile::create(RefPtr<const vfs::Credentials> credentials,
                                            vfs::OpenFlags flags) {
  auto file = TRY(base::try_make_ref<EpollFile>());
  file->members_.reset(new (std::nothrow) Members);
  if (!file->members_) return error(Errno::enomem);
  file->attach(TRY(vfs::anonymous_path("[eventpoll]")), vfs::open_read_write | flags, std::move(credentials));
  return file;
}

EpollFile::EpollFile() : File(epoll_file) {}
EpollFile::~EpollFile() = default;

EpollFile::Item* EpollFile::find_locked(const Key& key) { return members_->items.find(key); }

void EpollFile::mark_ready(Item& item) {
  {
    SpinGuard<IrqSave> guard{ready_lock_};
    if (!item.ready_hook.is_linked()) members_->ready.push_back(item);
  }
  queue_.wake_one(vfs::poll_readable);
}

bool EpollFile::has_ready() {
  SpinGuard<IrqSave> guard{ready_lock_};
  return !members_->ready.empty();
}

// ---- Changing the set ----

// How many epolls stand below each other under this one. The files below cannot go meanwhile.
Result<unsigned> EpollFile::depth_below(const EpollFile& top) {
  if (this == &top) return error(Errno::eloop);
  unsigned deepest = 0;
  MutexGuard guard{mutex_, in_chain};
  for (Item* item = members_->items.first(); item; item = members_->items.next(*item))
    if (auto* inner = item->key.file->as<EpollFile>())
      deepest = std::max(deepest, TRY(inner->depth_below(top)) + 1);
  return deepest;
}

unsigned EpollFile::depth_above() {
  unsigned deepest = 0;
  for (Item& item : members_->above) deepest = std::max(deepest, item.epoll.depth_above() + 1);
  return deepest;
}

Result<void> EpollFile::add(RefPtr<vfs::File> file, int descriptor, const EpollEvent& event) {
  if (file == this) return error(Errno::einval);
  vfs::Mode mode = file->inode().mode();
  if (vfs::is_regular(mode) || vfs::is_directory(mode)) return error(Errno::eperm);
  bool exclusive = event.events & epoll_exclusive;
  auto* inner = file->as<EpollFile>();
  if (exclusive && (inner || (event.events & ~exclusive_allowed))) return error(Errno::einval);
  auto item = TRY(base::try_make_unique<Item>(*this, Key{file.get(), descriptor}));
  if (!inner) return add_item(std::move(item), event);
  // Until the item is in its place: two that add each other at the same time must not both find no circle.
  MutexGuard chains{vfs::release_observer_mutex()};
  if (TRY(inner->depth_below(*this)) + 1 + depth_above() >= maximum_depth) return error(Errno::eloop);
  Item& added = *item;
  TRY(add_item(std::move(item), event));
  inner->members_->above.push_back(added);
  return {};
}

Result<void> EpollFile::add_item(std::unique_ptr<Item> item, const EpollEvent& event) {
  vfs::File& file = *item->key.file;
  MutexGuard guard{mutex_, in_chain};
  if (find_locked(item->key)) return error(Errno::eexist);
  item->data = event.data;
  item->interest.store(event.events | vfs::poll_error | vfs::poll_hang_up);
  Registrar registrar{*item, (event.events & epoll_exclusive) != 0};
  registrar.interest = event.events | vfs::poll_error | vfs::poll_hang_up;
  members_->items.insert(*item);
  file.add_observer(*item);
  Item& added = *item.release();
  PollEvents now = file.poll(&registrar);
  if (registrar.failed) {
    detach_item(added);
    return error(Errno::enomem);
  }
  if (now & added.interest.load()) mark_ready(added);
  return {};
}

Result<void> EpollFile::modify(RefPtr<vfs::File> file, int descriptor, const EpollEvent& event) {
  MutexGuard guard{mutex_, in_chain};
  Item* item = find_locked({file.get(), descriptor});
  if (!item) return error(Errno::enoent);
  if ((item->interest.load() | event.events) & epoll_exclusive) return error(Errno::einval);
  item->data = event.data;
  // Full order: a wake-up that still saw the old interest happened before we look at the file.
  item->interest.store(event.events | vfs::poll_error | vfs::poll_hang_up);
  if (file->poll(nullptr) & item->interest.load()) mark_ready(*item);
  return {};
}

Result<void> EpollFile::remove(RefPtr<vfs::File> file, int descriptor) {
  if (!file->as<EpollFile>()) return remove_item(*file, descriptor);
  MutexGuard chains{vfs::release_observer_mutex()};
  return remove_item(*file, descriptor);
}

Result<void> EpollFile::remove_item(vfs::File& file, int descriptor) {
  MutexGuard guard{mutex_, in_chain};
  Item* item = find_locked({&file, descriptor});
  if (!item) return error(Errno::enoent);
  detach_item(*item);
  return {};
}

void EpollFile::detach_item(Item& item) {
  item.key.file->remove_observer(item);
  // After this no wake-up of the item runs or will run.
  for (Registration* one = item.registrations.get(); one; one = one->next.get()) one->queue.remove(*one);
  {
    SpinGuard<IrqSave> guard{ready_lock_};
    if (item.ready_hook.is_linked()) item.ready_hook.unlink();
  }
  if (item.above_hook.is_linked()) item.above_hook.unlink();
  members_->items.remove(item);
  // Not by recursion through the chain of unique_ptr.
  while (item.registrations) item.registrations = std::move(item.registrations->next);
  delete &item;
}

void EpollFile::file_released(Item& item) {
  MutexGuard guard{mutex_, in_chain};
  detach_item(item);
}

void EpollFile::release() {
  MutexGuard teardown{vfs::release_observer_mutex()};
  MutexGuard guard{mutex_, in_chain};
  while (Item* item = members_->items.first()) detach_item(*item);
}

// ---- Waiting ----

std::size_t EpollFile::harvest(std::size_t maximum, base::FunctionRef<bool(const EpollEvent&)> deliver,
                               bool& faulted) {
  base::IntrusiveList<Item, &Item::ready_hook> taken;  // hooks under ready_lock_, as on the real list
  {
    SpinGuard<IrqSave> guard{ready_lock_};
    taken.splice_back(members_->ready);
  }
  std::size_t count = 0;
  {
    MutexGuard guard{mutex_, in_chain};
    while (count < maximum && !faulted) {
      Item* item;
      {
        SpinGuard<IrqSave> ready_guard{ready_lock_};
        item = taken.pop_front();
      }
      if (!item) break;
      // A file whose last reference has gone says so before it does anything else, and waits for our mutex.
      std::uint32_t interest = item->interest.load();
      PollEvents events = item->key.file->poll(nullptr) & interest & ~private_bits;
      if (!events || !(interest & ~private_bits)) continue;
      bool again = true;
      if (!deliver({events, item->data})) {
        faulted = true;  // back without a wake-up: nothing happened
      } else {
        ++count;
        if (interest & epoll_one_shot) item->interest.store(interest & private_bits);
        again = !(interest & (epoll_one_shot | epoll_edge));
      }
      SpinGuard<IrqSave> ready_guard{ready_lock_};
      if (again && !item->ready_hook.is_linked()) members_->ready.push_back(*item);
    }
  }
  SpinGuard<IrqSave> guard{ready_lock_};
  // What was not looked at goes before what was reported.
  taken.splice_back(members_->ready);
  members_->ready.splice_back(taken);
  return count;
}

Result<std::size_t> EpollFile::wait(std::size_t maximum, core::Deadline deadline,
                                    base::FunctionRef<bool(const EpollEvent&)> deliver) {
  for (;;) {
    bool faulted = false;
    std::size_t count = harvest(maximum, deliver, faulted);
    if (faulted && count == 0) return error(Errno::efault);
    if (count) {
      if (queue_.has_waiters() && has_ready()) queue_.wake_one(vfs::poll_readable);
      return count;
    }
    if (deadline == core::Deadline::passed()) return 0;
    auto waited = queue_.wait(core::WaitMode::interruptible, [this] { return has_ready(); }, deadline);
    if (waited) continue;
    if (waited.error() == Errno::etimedout) return 0;
    return error(waited.error());
  }
}

// Readable when some item really is ready; items whose readiness has passed leave the list on the way.
PollEvents EpollFile::poll(vfs::PollWaiter* waiter) {
  if (waiter) waiter->watch(queue_);
  if (!has_ready()) return 0;
  bool found = false, faulted = false;
  // Looks through a harvest that refuses the first event: the item stays on the list.
  (void)harvest(
      1,
      [&found](const EpollEvent&) {
        found = true;
        return false;
      },
      faulted);
  return found ? vfs::poll_readable : 0;
}

void EpollFile::put_fdinfo(base::TextSink& out) {
  MutexGuard guard{mutex_, in_chain};
  for (Item* item = members_->items.first(); item; item = members_->items.next(*item)) {
    const vfs::Inode& inode = item->key.file->inode();
    base::format(out, "tfd: {:>8} events: {:>8x} data: {:>16x}  pos:{} ino:{:x} sdev:{:x}\n",
                 item->key.descriptor, item->interest.load(), item->data, item->key.file->position(),
                 inode.number(), inode.file_system().device().encoded());
  }
}

}  // namespace poll
