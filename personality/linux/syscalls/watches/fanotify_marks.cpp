// The marks of a group, and what happens on the way from the vfs to them.
#include <bit>

#include "core/init/init_step.h"
#include "core/sync/rcu.h"
#include "syscalls/watches/fanotify_group.h"
#include "vfs/dentry.h"
#include "vfs/file_system.h"
#include "vfs/inode.h"

namespace linux_abi::fanotify {

using core::MutexGuard;

namespace {

core::RwMutex the_groups_lock{"fanotify groups"};
base::IntrusiveList<Group, &Group::hook> groups GUARDED_BY(the_groups_lock);
std::uint64_t last_group_id GUARDED_BY(the_groups_lock) = 0;

// Objects are aligned, so the low bits tell the kinds apart.
std::uint64_t key_of_inode(const vfs::Inode& inode) { return std::bit_cast<std::uintptr_t>(&inode); }
std::uint64_t key_of_mount(const vfs::Mount& mount) {
  return static_cast<std::uint64_t>(mount.id()) << 3 | 1;
}
std::uint64_t key_of_file_system(const vfs::FileSystem& file_system) {
  return std::bit_cast<std::uintptr_t>(&file_system) ^ std::uint64_t{file_system.device().encoded()} << 48 ^
         2;
}

Mark::Kind kind_of(unsigned flags) {
  return flags & mark_mount         ? Mark::Kind::mount
         : flags & mark_file_system ? Mark::Kind::file_system
                                    : Mark::Kind::inode;
}
std::uint64_t key_of(const vfs::Path& path, Mark::Kind kind) {
  switch (kind) {
    case Mark::Kind::inode:
      return key_of_inode(path.inode());
    case Mark::Kind::mount:
      return key_of_mount(path.mount());
    case Mark::Kind::file_system:
      return key_of_file_system(path.mount().file_system());
  }
  return 0;
}

int questions_of(const Mark& mark) { return mark.mask & questions ? 1 : 0; }

// Ids of events need a handle that means something, and an id of the file system.
Result<std::uint64_t> file_system_id_of(const vfs::Path& path) {
  vfs::FileSystem& file_system = path.mount().file_system();
  vfs::FileSystemStatistics statistics;
  TRY(file_system.statistics(statistics));
  std::uint64_t id = statistics.id ? statistics.id : file_system.device().encoded();
  if (!id) return error(Errno::enodev);
  if (!vfs::handle_source_of(file_system)) return error(Errno::eopnotsupp);
  return id;
}

}  // namespace

core::RwMutex& groups_lock() { return the_groups_lock; }

void Group::open() {
  core::WriteGuard guard{the_groups_lock};
  id = ++last_group_id;
  groups.push_back(*this);
}

void Group::close() {
  {
    core::WriteGuard guard{the_groups_lock};
    groups.remove(*this);
  }
  for (auto kind : {Mark::Kind::inode, Mark::Kind::mount, Mark::Kind::file_system}) remove_all(kind);
  {
    MutexGuard guard{queue_lock_};
    closed_ = true;
  }
  askers_.wake_all();
  // What events refer to goes now: the end of files must not sleep.
  for (;;) {
    RefPtr<Event> event;
    MutexGuard guard{queue_lock_};
    Event* first = queue_.first() ? queue_.first() : asked_.first();
    if (!first) return;
    first->hook.unlink();
    event = RefPtr<Event>(first);
    first->release_reference();  // the list's
  }
}

void Group::drop_locked(Mark& mark, RefPtr<vfs::Inode>& kept) {
  marks_.remove(mark);
  vfs::count_observed(-1, -questions_of(mark));
  kept = std::move(mark.inode);
  delete &mark;
}

Result<void> Group::add_mark(const vfs::Path& path, unsigned mark_flags, std::uint64_t mask) {
  Mark::Kind kind = kind_of(mark_flags);
  bool ignores = mark_flags & (mark_ignored_mask | mark_ignore);
  std::uint64_t file_system_id = 0;
  if (!reports_descriptors()) file_system_id = TRY(file_system_id_of(path));
  auto fresh = TRY(base::try_make_unique<Mark>());
  MutexGuard guard{marks_lock_};
  std::uint64_t key = key_of(path, kind);
  Mark* mark = marks_.find(key);
  if (!mark) {
    mark = fresh.release();
    mark->key = key;
    mark->kind = kind;
    mark->file_system_id = file_system_id;
    if (kind == Mark::Kind::inode) mark->inode = RefPtr<vfs::Inode>(&path.inode());
    marks_.insert(*mark);
    vfs::count_observed(+1, 0);
  }
  int asked = questions_of(*mark);
  if (ignores) {
    bool survives = mark_flags & mark_ignored_survives;
    // Once it lasts it is not made to vanish with the next change.
    if ((mark_flags & mark_ignore) && mark->ignored && mark->ignored_survives && !survives)
      return error(Errno::eexist);
    mark->ignored |= mask;
    mark->ignored_survives = mark->ignored_survives || survives;
  } else {
    mark->mask |= mask;
  }
  vfs::count_observed(0, questions_of(*mark) - asked);
  return {};
}

Result<void> Group::remove_mark(const vfs::Path& path, unsigned mark_flags, std::uint64_t mask) {
  RefPtr<vfs::Inode> kept;
  MutexGuard guard{marks_lock_};
  Mark* mark = marks_.find(key_of(path, kind_of(mark_flags)));
  if (!mark) return error(Errno::enoent);
  int asked = questions_of(*mark);
  (mark_flags & (mark_ignored_mask | mark_ignore) ? mark->ignored : mark->mask) &= ~mask;
  vfs::count_observed(0, questions_of(*mark) - asked);
  if (!((mark->mask | mark->ignored) & ~(on_child | on_directory))) drop_locked(*mark, kept);
  return {};
}

void Group::remove_all(Mark::Kind kind) {
  for (;;) {
    RefPtr<vfs::Inode> kept;
    MutexGuard guard{marks_lock_};
    Mark* mark = marks_.first();
    while (mark && mark->kind != kind) mark = marks_.next(*mark);
    if (!mark) return;
    drop_locked(*mark, kept);
  }
}

void Group::forget(vfs::Inode& inode) {
  RefPtr<vfs::Inode> kept;
  MutexGuard guard{marks_lock_};
  if (Mark* mark = marks_.find(key_of_inode(inode))) drop_locked(*mark, kept);
}

void Group::put_marks(base::TextSink& out) {
  base::format(out, "fanotify flags:{:x} event-flags:{:x}\n", flags, event_flags);
  MutexGuard guard{marks_lock_};
  for (Mark* mark = marks_.first(); mark; mark = marks_.next(*mark)) {
    unsigned shown = mark->ignored_survives ? mark_ignored_survives : 0;
    switch (mark->kind) {
      case Mark::Kind::inode:
        base::format(out, "fanotify ino:{:x} sdev:{:x} mflags:{:x} mask:{:x} ignored_mask:{:x}\n",
                     mark->inode->number(), mark->inode->file_system().device().encoded(), shown, mark->mask,
                     mark->ignored);
        break;
      case Mark::Kind::mount:
        base::format(out, "fanotify mnt_id:{:x} mflags:{:x} mask:{:x} ignored_mask:{:x}\n", mark->key >> 3,
                     shown, mark->mask, mark->ignored);
        break;
      case Mark::Kind::file_system:
        base::format(out, "fanotify sdev:{:x} mflags:{:x} mask:{:x} ignored_mask:{:x}\n", 0, shown,
                     mark->mask, mark->ignored);
        break;
    }
  }
}

std::uint32_t Group::wanted(const Happening& what, std::uint64_t& file_system_id) {
  std::uint64_t mask = 0, ignored = 0;
  bool directory = what.events & vfs::notify_is_directory;
  MutexGuard guard{marks_lock_};
  auto consider = [&](std::uint64_t key, bool from_parent) NO_THREAD_SAFETY_ANALYSIS {
    Mark* mark = marks_.find(key);
    if (!mark) return;
    if (from_parent && !(mark->mask & on_child)) return;
    if (what.events & vfs::notify_modify && !mark->ignored_survives) mark->ignored = 0;
    ignored |= mark->ignored;
    if (directory && !(mark->mask & on_directory)) return;
    mask |= mark->mask;
    if (mark->mask & what.events) file_system_id = mark->file_system_id;
  };
  vfs::Inode& owner = what.about_name ? *what.directory : *what.object;
  consider(key_of_inode(owner), false);
  if (!what.about_name && what.directory) consider(key_of_inode(*what.directory), true);
  if (what.path) consider(key_of_mount(what.path->mount()), false);
  consider(key_of_file_system(owner.file_system()), false);
  auto result = static_cast<std::uint32_t>(mask & ~ignored) & what.events & ~vfs::notify_is_directory;
  return result & static_cast<std::uint32_t>(object_events | inode_events | questions);
}

// --- From the vfs

namespace {

void tell_groups(const Happening& what) {
  core::ReadGuard guard{the_groups_lock};
  for (Group& group : groups) {
    std::uint64_t file_system_id = 0;
    std::uint32_t events = group.wanted(what, file_system_id);
    if (events & ~static_cast<std::uint32_t>(questions)) group.queue(what, events, file_system_id);
  }
}

class Observer final : public vfs::NotifyObserver {
 public:
  void happened(const vfs::Path& path, vfs::Inode& inode, vfs::NotifyEvents events) override {
    with_name(path, inode, events, [](const Happening& what) { tell_groups(what); });
  }
  void entry_changed(vfs::Inode& directory, vfs::NotifyEvents events, std::string_view name) override {
    tell_groups({.events = events, .directory = &directory, .name = name, .about_name = true});
  }
  void own_changed(vfs::Inode& inode, vfs::NotifyEvents events) override {
    tell_groups({.events = events, .object = &inode});
    if (!(events & vfs::notify_delete_self)) return;
    core::ReadGuard guard{the_groups_lock};
    for (Group& group : groups) group.forget(inode);
  }
  Result<void> may_happen(const vfs::Path& path, vfs::Inode& inode, vfs::NotifyEvents events) override {
    Result<void> result{};
    with_name(path, inode, events, [&](const Happening& what) { result = ask_groups(what); });
    return result;
  }

 private:
  // With the name the object has in its directory, held still.
  template <typename Use>
  static void with_name(const vfs::Path& path, vfs::Inode& inode, vfs::NotifyEvents events, Use&& use) {
    Happening what{.events = events, .object = &inode, .path = &path};
    vfs::Dentry& dentry = path.dentry();
    if (dentry.is_root()) return use(what);
    auto parent = dentry.parent_reference();
    what.directory = parent->inode();
    char name[vfs::name_max];
    std::size_t length;
    {
      core::RcuReadGuard guard;
      length = dentry.name().copy(name, sizeof(name));
    }
    what.name = {name, length};
    use(what);
  }

  // One group after the other, each asked with no lock held.
  static Result<void> ask_groups(const Happening& what) {
    std::uint64_t done = 0;
    for (;;) {
      RefPtr<Group> asked;
      std::uint32_t events = 0;
      {
        core::ReadGuard guard{the_groups_lock};
        for (Group& group : groups) {
          std::uint64_t file_system_id = 0;
          if (group.id <= done) continue;
          events = group.wanted(what, file_system_id) & static_cast<std::uint32_t>(questions);
          if (!events) continue;
          asked = RefPtr<Group>::try_acquire(&group);
          if (asked) break;
        }
      }
      if (!asked) return {};
      done = asked->id;
      TRY(asked->ask(what, events));
    }
  }
};

constinit Observer the_observer;

Result<void> begin_to_observe() {
  vfs::set_notify_observer(the_observer);
  return {};
}
INIT_STEP fanotify_step{"linux.fanotify", {"vfs"}, begin_to_observe, {"personality"}};

}  // namespace

}  // namespace linux_abi::fanotify
