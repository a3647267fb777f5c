#include "inotify/inotify.h"

#include <cstring>
#include <new>

#include "base/bits.h"
#include "core/memory/io_buffer.h"
#include "core/memory/user_pointer.h"
#include "vfs/dentry.h"
#include "vfs/file_system.h"
#include "vfs/inode.h"

namespace inotify {

using base::Errno;
using base::error;
using core::MutexGuard;

namespace {

// struct inotify_event, before the name.
struct EventHeader {
  std::int32_t watch;
  std::uint32_t mask, cookie, length;
};

constexpr unsigned fionread = 0x541b;

// The name with its zero byte, padded so that headers stay aligned.
std::size_t padded_name(const QueuedEvent& event) {
  return event.name_length ? base::align_up(std::size_t{event.name_length} + 1, sizeof(EventHeader)) : 0;
}

void destroy(QueuedEvent* event) {
  event->~QueuedEvent();
  ::operator delete(static_cast<void*>(event));
}

}  // namespace

// ---- Watches ----

Watch::Watch(Instance& instance, int watch_number, std::uint32_t watch_flags)
    : number(watch_number), flags(watch_flags), instance_(&instance) {}

void Watch::event(vfs::NotifyEvents events, std::uint32_t cookie, std::string_view name) {
  if (ended.load()) return;
  instance_->queue_event(number, events & (interest | vfs::notify_is_directory), cookie, name);
  // The mark itself goes with the next call that may take the table's lock.
  if ((flags.load() & one_shot) && end()) instance_->queue_event(number, vfs::notify_ignored, 0, {});
}

void Watch::inode_gone(vfs::NotifyEvents why) {
  if (!end()) return;
  if (why & vfs::notify_unmount) instance_->queue_event(number, vfs::notify_unmount, 0, {});
  instance_->queue_event(number, vfs::notify_ignored, 0, {});
}

Instance::~Instance() {
  while (QueuedEvent* event = queue_.pop_front()) destroy(event);
}

void Instance::drop_locked(Watch& watch) {
  watches_.remove(watch);
  vfs::detach_mark(watch);
  watch.release_reference();
}

void Instance::drop_ended_locked() {
  for (Watch* watch = watches_.first(); watch;) {
    Watch* next = watches_.next(*watch);
    if (watch->ended.load()) drop_locked(*watch);
    watch = next;
  }
}

Result<int> Instance::add_watch(const vfs::Path& path, std::uint32_t mask) {
  vfs::Inode& inode = *path.dentry().inode();
  std::uint32_t events = mask & all_events, flags = mask & (one_shot | exclude_unlinked);
  MutexGuard guard{watches_lock_};
  drop_ended_locked();
  for (Watch* watch = watches_.first(); watch; watch = watches_.next(*watch)) {
    if (watch->inode != &inode) continue;
    if (mask & mask_create) return error(Errno::eexist);
    bool add = mask & mask_add;
    watch->flags.store(add ? watch->flags.load() | flags : flags);
    vfs::set_interest(*watch, add ? watch->interest | events : events);
    return watch->number;
  }
  auto watch = TRY(base::try_make_ref<Watch>(*this, next_number_, flags));
  watch->interest = events;
  TRY(vfs::attach_mark(inode, watch));
  // Numbers are not used again before they have gone round.
  next_number_ = next_number_ == INT32_MAX ? 1 : next_number_ + 1;
  Watch& added = *watch.leak();
  watches_.insert(added);
  return added.number;
}

Result<void> Instance::remove_watch(int number) {
  MutexGuard guard{watches_lock_};
  drop_ended_locked();
  Watch* watch = watches_.find(number);
  if (!watch) return error(Errno::einval);
  if (watch->end()) queue_event(number, vfs::notify_ignored, 0, {});
  drop_locked(*watch);
  return {};
}

void Instance::remove_all_watches() {
  MutexGuard guard{watches_lock_};
  while (Watch* watch = watches_.first()) {
    watch->end();
    drop_locked(*watch);
  }
}

void Instance::put_watches(base::TextSink& out) {
  MutexGuard guard{watches_lock_};
  for (Watch* watch = watches_.first(); watch; watch = watches_.next(*watch)) {
    if (watch->ended.load() || !watch->inode) continue;
    base::format(out, "inotify wd:{:x} ino:{:x} sdev:{:x} mask:{:x} ignored_mask:0\n", watch->number,
                 watch->inode->number(), watch->inode->file_system().device().encoded(), watch->interest);
  }
}

// ---- The queue ----

void Instance::queue_event(int watch, std::uint32_t mask, std::uint32_t cookie, std::string_view name) {
  {
    MutexGuard guard{queue_lock_};
    if (QueuedEvent* last = queue_.last()) {
      bool same = last->watch == watch && last->mask == mask && last->cookie == cookie &&
                  std::string_view(last->name, last->name_length) == name;
      if (same || lost_events_) return;
    }
    bool overflow = queued_ >= maximum_queued_events;
    if (overflow) name = {};
    void* memory = ::operator new(sizeof(QueuedEvent) + name.size(), std::nothrow);
    if (!memory) return;  // as on Linux, an event that finds no memory is lost
    auto* event = ::new (memory) QueuedEvent;
    event->watch = overflow ? -1 : watch;
    event->mask = overflow ? vfs::notify_queue_overflow : mask;
    event->cookie = overflow ? 0 : cookie;
    event->name_length = static_cast<std::uint32_t>(name.size());
    std::memcpy(event->name, name.data(), name.size());
    queue_.push_back(*event);
    ++queued_;
    lost_events_ = overflow;
  }
  readers_.wake_one(vfs::poll_readable);
}

Result<std::size_t> Instance::read(core::IoBuffer& buffer, bool non_blocking) {
  MutexGuard guard{queue_lock_};
  auto ready = [&]() NO_THREAD_SAFETY_ANALYSIS { return !queue_.empty(); };
  if (!ready()) {
    if (non_blocking) return error(Errno::eagain);
    TRY(readers_.wait(guard, core::WaitMode::interruptible, ready));
  }
  std::size_t total = 0;
  while (QueuedEvent* event = queue_.first()) {
    std::size_t name_size = padded_name(*event), size = sizeof(EventHeader) + name_size;
    if (size > buffer.remaining()) return total ? Result<std::size_t>(total) : error(Errno::einval);
    EventHeader header{event->watch, event->mask, event->cookie, static_cast<std::uint32_t>(name_size)};
    bool copied =
        buffer.put(header) &&
        buffer.copy_out(std::as_bytes(std::span(event->name, event->name_length))) == event->name_length &&
        buffer.zero(name_size - event->name_length) == name_size - event->name_length;
    if (!copied) return total ? Result<std::size_t>(total) : error(Errno::efault);
    total += size;
    queue_.remove(*event);
    --queued_;
    if (queue_.empty()) lost_events_ = false;
    destroy(event);
  }
  return total;
}

bool Instance::readable() {
  MutexGuard guard{queue_lock_};
  return !queue_.empty();
}

std::size_t Instance::available() {
  MutexGuard guard{queue_lock_};
  std::size_t total = 0;
  for (QueuedEvent& event : queue_) total += sizeof(EventHeader) + padded_name(event);
  return total;
}

// ---- The file ----

Result<RefPtr<InotifyFile>> InotifyFile::create(vfs::OpenFlags flags,
                                                RefPtr<const vfs::Credentials> credentials) {
  auto file = TRY(base::try_make_ref<InotifyFile>(TRY(base::try_make_ref<Instance>())));
  file->attach(TRY(vfs::anonymous_path("inotify")), vfs::open_read_only | flags, std::move(credentials));
  return file;
}

Result<std::size_t> InotifyFile::read_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags io_flags) {
  return instance_->read(buffer, is_non_blocking() || (io_flags & vfs::io_no_wait));
}

vfs::PollEvents InotifyFile::poll(vfs::PollWaiter* waiter) {
  if (waiter) waiter->watch(instance_->readers());
  return instance_->readable() ? vfs::poll_readable : 0;
}

Result<long> InotifyFile::ioctl(unsigned command, std::uintptr_t argument) {
  if (command != fionread) return error(Errno::enotty);
  TRY(core::UserOut<int>(argument).write(static_cast<int>(instance_->available())));
  return 0;
}

}  // namespace inotify
