#include "vfs/locks.h"

#include "core/sync/wait_queue.h"
#include "vfs/inode.h"
#include "vfs_internal.h"

namespace vfs {

// The locks of one inode, sorted by start; made with the first, freed with the inode.
class InodeLocks {
 public:
  static Result<InodeLocks*> make(Inode& inode) {
    if (InodeLocks* locks = inode.locks()) return locks;
    auto fresh = TRY(base::try_make_unique<InodeLocks>());
    fresh->inode = &inode;
    InodeLocks* expected = nullptr;
    if (!inode.locks_.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel))
      return expected;
    fresh->list_in_all();
    return fresh.release();
  }
  ~InodeLocks();

  void list_in_all();
  const LockRange* conflict_locked(const LockRange& wanted) const REQUIRES(mutex);
  Result<void> apply_locked(const LockRange& change) REQUIRES(mutex);
  void changed_locked() REQUIRES(mutex) {
    ++generation;
    changed.wake_all();
  }

  core::Mutex mutex{"file locks"};
  core::WaitQueue changed;
  std::uint64_t generation GUARDED_BY(mutex) = 0;
  base::Vector<LockRange> ranges GUARDED_BY(mutex);
  Inode* inode = nullptr;
  base::ListHook all_hook;
};

namespace {

// Who waits for whom; the search for circles goes along it.
struct Waiter {
  LockRange wanted;
  const void* blocker = nullptr;
  Inode* inode = nullptr;
  base::ListHook hook;
};
struct Global {
  core::Mutex mutex{"all file locks"};
  base::IntrusiveList<InodeLocks, &InodeLocks::all_hook> all;
  base::IntrusiveList<Waiter, &Waiter::hook> waiters;
};
[[clang::no_destroy]] constinit Global global;

bool is_record(LockKind kind) { return kind != LockKind::flock; }
bool same_owner(const LockRange& a, const LockRange& b) { return a.kind == b.kind && a.owner == b.owner; }
bool overlap(const LockRange& a, const LockRange& b) { return a.start <= b.end && b.start <= a.end; }

bool would_deadlock_locked(const void* owner, const void* blocker) {
  // Each owner is followed through the first wait of it; a circle of thousands is as good as none.
  for (unsigned steps = 0; steps < 1000; ++steps) {
    if (blocker == owner) return true;
    const Waiter* next = nullptr;
    for (Waiter& waiter : global.waiters)
      if (waiter.wanted.kind == LockKind::posix && waiter.wanted.owner == blocker) next = &waiter;
    if (!next) return false;
    blocker = next->blocker;
  }
  return false;
}

}  // namespace

void InodeLocks::list_in_all() {
  core::MutexGuard guard{global.mutex};
  global.all.push_back(*this);
}
InodeLocks::~InodeLocks() {
  if (!all_hook.is_linked()) return;
  core::MutexGuard guard{global.mutex};
  global.all.remove(*this);
}
void destroy_inode_locks(InodeLocks* locks) { delete locks; }

const LockRange* InodeLocks::conflict_locked(const LockRange& wanted) const {
  for (const LockRange& held : ranges) {
    if (is_record(held.kind) != is_record(wanted.kind) || same_owner(held, wanted) || !overlap(held, wanted))
      continue;
    if (held.type == LockType::write || wanted.type == LockType::write) return &held;
  }
  return nullptr;
}

Result<void> InodeLocks::apply_locked(const LockRange& change) {
  base::Vector<LockRange> fresh;
  // At worst one range is split in two and one is added.
  if (!fresh.try_reserve(ranges.size() + 2)) return error(Errno::enolck);
  LockRange merged = change;
  for (const LockRange& held : ranges) {
    if (!same_owner(held, change)) {
      fresh.push_back_reserved(held);
      continue;
    }
    bool touches = held.start <= (merged.end == ~std::uint64_t{0} ? merged.end : merged.end + 1) &&
                   merged.start <= (held.end == ~std::uint64_t{0} ? held.end : held.end + 1);
    if (change.type != LockType::unlock && held.type == change.type && touches) {
      if (held.start < merged.start) merged.start = held.start;
      if (held.end > merged.end) merged.end = held.end;
      continue;
    }
    if (!overlap(held, change)) {
      fresh.push_back_reserved(held);
      continue;
    }
    if (held.start < change.start) {
      fresh.push_back_reserved(held);
      fresh.back().end = change.start - 1;
    }
    if (held.end > change.end) {
      fresh.push_back_reserved(held);
      fresh.back().start = change.end + 1;
    }
  }
  if (change.type != LockType::unlock) fresh.push_back_reserved(merged);
  // Sorted by start, stable: insertion into an almost sorted list.
  for (std::size_t i = 1; i < fresh.size(); ++i)
    for (std::size_t j = i; j > 0 && fresh[j].start < fresh[j - 1].start; --j)
      std::swap(fresh[j], fresh[j - 1]);
  ranges = std::move(fresh);
  return {};
}

Result<void> set_lock(File& file, const LockRange& lock, LockWait wait) {
  Inode& inode = file.inode();
  if (lock.type == LockType::unlock && !inode.locks()) return {};
  InodeLocks* locks = TRY(InodeLocks::make(inode));
  core::MutexGuard guard{locks->mutex};
  if (lock.type == LockType::unlock) {
    TRY(locks->apply_locked(lock));
    locks->changed_locked();
    return {};
  }
  if (lock.kind == LockKind::flock && locks->conflict_locked(lock)) {
    // Changing the kind of a flock is not atomic: the old one is given up first, or two that upgrade would
    // wait for ever.
    LockRange old = lock;
    old.type = LockType::unlock;
    TRY(locks->apply_locked(old));
    locks->changed_locked();
  }
  for (;;) {
    const LockRange* conflict = locks->conflict_locked(lock);
    if (!conflict) break;
    if (wait == LockWait::fail) return error(Errno::eagain);
    Waiter waiter;
    waiter.wanted = lock;
    waiter.blocker = conflict->owner;
    waiter.inode = &inode;
    {
      core::MutexGuard global_guard{global.mutex};
      if (lock.kind == LockKind::posix && would_deadlock_locked(lock.owner, waiter.blocker))
        return error(Errno::edeadlk);
      global.waiters.push_back(waiter);
    }
    std::uint64_t seen = locks->generation;
    auto result = locks->changed.wait(guard, core::WaitMode::interruptible,
                                      [&]() NO_THREAD_SAFETY_ANALYSIS { return locks->generation != seen; });
    {
      core::MutexGuard global_guard{global.mutex};
      global.waiters.remove(waiter);
    }
    if (!result) return result;
  }
  TRY(locks->apply_locked(lock));
  locks->changed_locked();  // an own write lock may have become a read lock
  return {};
}

std::optional<LockRange> find_conflict(File& file, const LockRange& lock) {
  InodeLocks* locks = file.inode().locks();
  if (!locks) return std::nullopt;
  core::MutexGuard guard{locks->mutex};
  const LockRange* conflict = locks->conflict_locked(lock);
  return conflict ? std::optional<LockRange>(*conflict) : std::nullopt;
}

void remove_locks(Inode& inode, const void* owner, LockKind kind) {
  InodeLocks* locks = inode.locks();
  if (!locks) return;
  core::MutexGuard guard{locks->mutex};
  bool any = false;
  for (std::size_t i = locks->ranges.size(); i-- > 0;) {
    if (locks->ranges[i].kind != kind || locks->ranges[i].owner != owner) continue;
    locks->ranges.erase(i);
    any = true;
  }
  if (any) locks->changed_locked();
}

void for_each_lock(base::FunctionRef<void(const LockRange&, Inode&, bool blocked)> visit) {
  core::MutexGuard guard{global.mutex};
  for (InodeLocks& locks : global.all) {
    // Order elsewhere is inode first, then global: only what is free at the moment is shown.
    core::MutexTryGuard locks_guard{locks.mutex};
    if (!locks_guard) continue;
    for (const LockRange& range : locks.ranges) visit(range, *locks.inode, false);
    for (Waiter& waiter : global.waiters)
      if (waiter.inode == locks.inode) visit(waiter.wanted, *locks.inode, true);
  }
}

}  // namespace vfs
