#include "vfs/notify.h"

#include "vfs/inode.h"
#include "vfs_internal.h"

namespace vfs {

constinit std::atomic<std::uint32_t> notify_mark_count{0}, notify_question_count{0};

namespace {

constinit std::atomic<NotifyObserver*> the_observer{nullptr};
NotifyObserver* observer() { return the_observer.load(); }

}  // namespace

void set_notify_observer(NotifyObserver& observer) { the_observer.store(&observer); }

// relaxed: whoever begins to watch hears of what happens after its call, not of what happens meanwhile.
void count_observed(int watches, int questions) {
  notify_mark_count.fetch_add(static_cast<std::uint32_t>(watches), std::memory_order_relaxed);
  notify_question_count.fetch_add(static_cast<std::uint32_t>(questions), std::memory_order_relaxed);
}

Result<void> ask_slow(const Path& path, Inode& inode, NotifyEvents events) {
  NotifyObserver* asked = observer();
  return asked ? asked->may_happen(path, inode, events) : Result<void>();
}

// The marks of one inode; made with the first, freed with the inode.
class NotifyMarks {
 public:
  static NotifyMarks* of(Inode& inode) { return inode.notify_marks(); }
  static Result<NotifyMarks*> make(Inode& inode) {
    if (NotifyMarks* marks = of(inode)) return marks;
    auto fresh = TRY(base::try_make_unique<NotifyMarks>());
    NotifyMarks* expected = nullptr;
    if (inode.notify_marks_.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel))
      return fresh.release();
    return expected;
  }

  core::Mutex mutex{"notification marks"};
  base::IntrusiveList<NotifyMark, &NotifyMark::hook> list GUARDED_BY(mutex);
  std::atomic<NotifyEvents> interest{0};  // of all marks together

  void send(NotifyEvents events, std::uint32_t cookie, std::string_view name) {
    if (!(interest.load(std::memory_order_acquire) & events & ~notify_is_directory)) return;
    core::MutexGuard guard{mutex};
    for (NotifyMark& mark : list)
      if (mark.interest & events & ~notify_is_directory) mark.event(events, cookie, name);
  }
  void recompute_locked() REQUIRES(mutex) {
    NotifyEvents all = 0;
    for (NotifyMark& mark : list) all |= mark.interest;
    interest.store(all, std::memory_order_release);
  }
};

void destroy_notify_marks(NotifyMarks* marks) { delete marks; }

Result<void> attach_mark(Inode& inode, RefPtr<NotifyMark> mark) {
  NotifyMarks* marks = TRY(NotifyMarks::make(inode));
  core::MutexGuard guard{marks->mutex};
  mark->inode = &inode;
  inode.acquire_reference();
  marks->list.push_back(*mark.leak());  // the list owns a reference
  marks->recompute_locked();
  notify_mark_count.fetch_add(1, std::memory_order_relaxed);
  return {};
}

void detach_mark(NotifyMark& mark) {
  Inode* inode = mark.inode;
  if (!inode) return;
  NotifyMarks* marks = NotifyMarks::of(*inode);
  {
    core::MutexGuard guard{marks->mutex};
    if (!mark.hook.is_linked()) return;
    marks->list.remove(mark);
    marks->recompute_locked();
  }
  notify_mark_count.fetch_sub(1, std::memory_order_relaxed);
  mark.inode = nullptr;
  mark.release_reference();
  inode->release_reference();
}

void set_interest(NotifyMark& mark, NotifyEvents interest) {
  NotifyMarks* marks = mark.inode ? NotifyMarks::of(*mark.inode) : nullptr;
  if (!marks) return;
  core::MutexGuard guard{marks->mutex};
  mark.interest = interest;
  marks->recompute_locked();
}

RefPtr<NotifyMark> find_mark(Inode& inode, base::FunctionRef<bool(NotifyMark&)> is_wanted) {
  NotifyMarks* marks = NotifyMarks::of(inode);
  if (!marks) return nullptr;
  core::MutexGuard guard{marks->mutex};
  for (NotifyMark& mark : marks->list)
    if (is_wanted(mark)) return RefPtr<NotifyMark>(&mark);
  return nullptr;
}

void notify_own_slow(Inode& inode, NotifyEvents events) {
  if (NotifyMarks* marks = NotifyMarks::of(inode)) marks->send(events, 0, {});
  if (NotifyObserver* told = observer()) told->own_changed(inode, events);
}

void notify_entry_slow(Inode& directory, NotifyEvents events, std::string_view name, std::uint32_t cookie) {
  if (NotifyMarks* marks = NotifyMarks::of(directory)) marks->send(events, cookie, name);
  if (NotifyObserver* told = observer()) told->entry_changed(directory, events, name);
}

void notify_slow(const Path& path, Inode& inode, NotifyEvents events) {
  Dentry& dentry = path.dentry();
  if (NotifyObserver* told = observer()) told->happened(path, inode, events);
  events &= ~notify_open_execute;
  // The directory first, as Linux does.
  if (!dentry.is_root()) {
    auto parent = dentry.parent_reference();
    Inode* directory = parent->inode();
    if (directory && directory->notify_marks()) {
      // The name must hold still while it is reported.
      char name[name_max];
      std::size_t length;
      {
        core::RcuReadGuard guard;
        std::string_view current = dentry.name();
        length = current.copy(name, sizeof(name));
      }
      NotifyMarks::of(*directory)->send(events, 0, {name, length});
    }
  }
  if (NotifyMarks* marks = NotifyMarks::of(inode)) marks->send(events, 0, {});
}

void notify_gone_slow(Inode& inode, NotifyEvents events) {
  if (NotifyObserver* told = observer()) told->own_changed(inode, events);
  NotifyMarks* marks = NotifyMarks::of(inode);
  if (!marks) return;
  marks->send(events, 0, {});
  for (;;) {
    NotifyMark* mark;
    {
      core::MutexGuard guard{marks->mutex};
      mark = marks->list.pop_front();
      marks->recompute_locked();
    }
    if (!mark) return;
    notify_mark_count.fetch_sub(1, std::memory_order_relaxed);
    mark->inode = nullptr;
    mark->inode_gone(events);
    mark->release_reference();
    inode.release_reference();  // the caller holds one too
  }
}

}  // namespace vfs
