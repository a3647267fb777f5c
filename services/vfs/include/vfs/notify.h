// Hook points for inotify and fanotify: what happened to which object.
//
// The entry points of the vfs call notify(); it costs one load while nobody watches anything. A watcher
// derives a NotifyMark, attaches it to an inode, and is told under the inode's mark lock: it queues and
// wakes, nothing more. Who watches mounts and whole file systems, or wants to be asked before something
// happens, is the one NotifyObserver.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/function_ref.h"
#include "base/intrusive_list.h"
#include "core/sync/mutex.h"
#include "vfs/path.h"

namespace vfs {

// IN_* values.
using NotifyEvents = std::uint32_t;
inline constexpr NotifyEvents notify_access = 0x1, notify_modify = 0x2, notify_attributes = 0x4,
                              notify_close_write = 0x8, notify_close_no_write = 0x10, notify_open = 0x20,
                              notify_moved_from = 0x40, notify_moved_to = 0x80, notify_create = 0x100,
                              notify_delete = 0x200, notify_delete_self = 0x400, notify_move_self = 0x800,
                              notify_unmount = 0x2000, notify_queue_overflow = 0x4000,
                              notify_ignored = 0x8000, notify_is_directory = 0x40000000;

class NotifyMark : public base::RefCounted<NotifyMark> {
 public:
  virtual ~NotifyMark() = default;
  // `name` is empty for events of the marked object itself. Called with a mutex held; must not touch the file
  // system.
  virtual void event(NotifyEvents events, std::uint32_t cookie, std::string_view name) = 0;
  // The inode is gone (or its file system unmounted); the mark is already detached.
  virtual void inode_gone(NotifyEvents why) = 0;
  NotifyEvents interest = 0;  // changed under the marks' lock by set_interest()
  base::ListHook hook;
  Inode* inode = nullptr;  // while attached; holds a reference
};

// The marks keep a reference on the inode until detached.
Result<void> attach_mark(Inode& inode, RefPtr<NotifyMark> mark);
void detach_mark(NotifyMark& mark);
void set_interest(NotifyMark& mark, NotifyEvents interest);
RefPtr<NotifyMark> find_mark(Inode& inode, base::FunctionRef<bool(NotifyMark&)> is_wanted);

// Bits beyond those of inotify: a file was opened to be executed; questions (FAN_*_PERM).
inline constexpr NotifyEvents notify_open_execute = 0x1000, notify_may_open = 0x10000,
                              notify_may_access = 0x20000, notify_may_execute = 0x40000;
// Files opened with this are nobody's business: those through which events are read.
inline constexpr OpenFlags open_without_notice = 0x80000000u;

// Hears of everything while it has something to watch. Called without locks of the vfs, except that entry and
// own events may come with a directory locked: it must not touch the file system there.
class NotifyObserver {
 public:
  virtual void happened(const Path& path, Inode& inode, NotifyEvents events) = 0;
  virtual void entry_changed(Inode& directory, NotifyEvents events, std::string_view name) = 0;
  virtual void own_changed(Inode& inode, NotifyEvents events) = 0;
  // May sleep until somebody answers. EPERM.
  virtual Result<void> may_happen(const Path& path, Inode& inode, NotifyEvents events) = 0;

 protected:
  ~NotifyObserver() = default;
};
void set_notify_observer(NotifyObserver& observer);  // once
// How many watches it has, and how many of them are questions.
void count_observed(int watches, int questions);

extern constinit std::atomic<std::uint32_t> notify_mark_count, notify_question_count;
void notify_slow(const Path& path, Inode& inode, NotifyEvents events);
void notify_entry_slow(Inode& directory, NotifyEvents events, std::string_view name, std::uint32_t cookie);
Result<void> ask_slow(const Path& path, Inode& inode, NotifyEvents events);
// Whether the watchers allow it.
inline Result<void> ask(const Path& path, Inode& inode, NotifyEvents events) {
  if (!notify_question_count.load(std::memory_order_relaxed)) [[likely]]
    return {};
  return ask_slow(path, inode, events);
}

// Whether anybody watches anything. relaxed: who begins to watch now missed what happens now.
inline bool is_anything_watched() { return notify_mark_count.load(std::memory_order_relaxed) != 0; }

// Something happened to the object itself: its own marks and those of its directory hear of it.
inline void notify(const Path& path, Inode& inode, NotifyEvents events) {
  if (is_anything_watched()) [[unlikely]]
    notify_slow(path, inode, events);
}
// As notify(), but only the object's own marks hear of it.
void notify_own_slow(Inode& inode, NotifyEvents events);
inline void notify_own(Inode& inode, NotifyEvents events) {
  if (is_anything_watched()) [[unlikely]]
    notify_own_slow(inode, events);
}
// The last event of an object: its marks hear of it and are detached.
void notify_gone_slow(Inode& inode, NotifyEvents events);
inline void notify_gone(Inode& inode, NotifyEvents events) {
  if (is_anything_watched()) [[unlikely]]
    notify_gone_slow(inode, events);
}
// Something happened to a name in a directory.
inline void notify_entry(Inode& directory, NotifyEvents events, std::string_view name,
                         std::uint32_t cookie = 0) {
  if (is_anything_watched()) [[unlikely]]
    notify_entry_slow(directory, events, name, cookie);
}

}  // namespace vfs
