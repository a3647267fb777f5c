// The hash table, the list of unused dentries, moves, and the end of dentries.
#include "dentry_cache.h"

#include <cstring>

#include "core/memory/slab.h"
#include "core/sync/per_cpu.h"
#include "vfs/file_system.h"
#include "vfs/inode.h"
#include "vfs_internal.h"

namespace vfs {

constinit std::atomic<std::uint32_t> rename_sequence{0};

namespace {
constexpr std::size_t lock_count = 128;  // hashed locks for the chains: writers only

struct Table {
  std::atomic<Dentry*>* buckets = nullptr;
  std::size_t mask = 0;
  core::SpinLock locks[lock_count];
  core::SpinLock rename_lock{"dentry rename"};
  core::SpinLock lru_lock{"dentry lru"};
  base::ListHook lru{};  // unused, oldest first; hooked up by initialize()
  std::atomic<std::size_t> lru_size{0};
};
[[clang::no_destroy]] constinit Table table;

std::size_t bucket_index(const Dentry* parent, std::uint32_t hash) {
  // Parents are at least 64 bytes apart: their low bits say nothing.
  // SAFETY: the address is only mixed into a number.
  auto seed = reinterpret_cast<std::uintptr_t>(parent) >> 6;
  std::uint64_t mixed = (seed ^ hash) * 0x9e3779b97f4a7c15;
  return static_cast<std::size_t>(mixed >> 32) & table.mask;
}
}  // namespace

Result<void> DentryCache::initialize(std::size_t buckets) {
  if (table.buckets) return {};
  table.buckets = new (std::nothrow) std::atomic<Dentry*>[buckets] {};
  if (!table.buckets) return error(Errno::enomem);
  table.mask = buckets - 1;
  table.lru.next = table.lru.previous = &table.lru;
  return {};
}

std::atomic<Dentry*>& DentryCache::bucket(const Dentry* parent, std::uint32_t hash) {
  return table.buckets[bucket_index(parent, hash)];
}
core::SpinLock& DentryCache::bucket_lock(const Dentry* parent, std::uint32_t hash) {
  return table.locks[bucket_index(parent, hash) % lock_count];
}

Dentry* DentryCache::find_rcu(const Dentry& parent, std::string_view name, std::uint32_t hash,
                              std::uint32_t& sequence) {
  for (Dentry* at = bucket(&parent, hash).load(std::memory_order_acquire); at;
       at = at->hash_next_.load(std::memory_order_acquire)) {
    if (at->hash_ != hash) continue;
    sequence = at->sequence();
    if (at->parent() != &parent || !at->has(Dentry::hashed)) continue;
    DentryName* its_name = at->name_.load(std::memory_order_acquire);
    if (its_name->length != name.size() || std::memcmp(its_name->text, name.data(), name.size()) != 0)
      continue;
    return at;
  }
  return nullptr;
}

RefPtr<Dentry> DentryCache::find(const Dentry& parent, std::string_view name, std::uint32_t hash) {
  for (;;) {
    RefPtr<Dentry> reference;  // a wrong one is dropped after the guard: that may sleep
    core::RcuReadGuard guard;
    std::uint32_t before = rename_sequence.load(std::memory_order_acquire);
    std::uint32_t sequence;
    Dentry* found = find_rcu(parent, name, hash, sequence);
    if (!found) {
      std::atomic_thread_fence(std::memory_order_acquire);  // the search above stays before the second look
      if (!(before & 1) && rename_sequence.load(std::memory_order_relaxed) == before) return nullptr;
      continue;
    }
    if (sequence & 1) continue;  // a few instructions of another CPU
    reference = RefPtr<Dentry>::try_acquire(found);
    if (reference && found->has(Dentry::hashed) && found->sequence_is(sequence)) return reference;
  }
}

void DentryCache::hash_insert(Dentry& dentry) {
  Dentry* parent = dentry.parent();
  core::SpinGuard<core::PreemptOff> guard{bucket_lock(parent, dentry.hash_)};
  auto& head = bucket(parent, dentry.hash_);
  dentry.hash_next_.store(head.load(std::memory_order_relaxed), std::memory_order_relaxed);
  dentry.set_flag(Dentry::hashed);
  head.store(&dentry, std::memory_order_release);
}

void DentryCache::hash_remove(Dentry& dentry) {
  if (!dentry.has(Dentry::hashed)) return;
  Dentry* parent = dentry.parent();
  core::SpinGuard<core::PreemptOff> guard{bucket_lock(parent, dentry.hash_)};
  if (!dentry.has(Dentry::hashed)) return;
  dentry.sequence_.fetch_add(1, std::memory_order_acq_rel);
  std::atomic<Dentry*>* link = &bucket(parent, dentry.hash_);
  while (Dentry* at = link->load(std::memory_order_relaxed)) {
    if (at == &dentry) {
      // Readers that stand on it go on through its own link.
      link->store(dentry.hash_next_.load(std::memory_order_relaxed), std::memory_order_release);
      break;
    }
    link = &at->hash_next_;
  }
  dentry.clear_flag(Dentry::hashed);
  dentry.sequence_.fetch_add(1, std::memory_order_release);
}

void DentryCache::attach_child(Dentry& parent, Dentry& child) {
  core::SpinGuard<core::PreemptOff> guard{parent.lock_};
  child.cookie_ = parent.next_cookie_++;
  // Cookies only rise, so its place is the right edge.
  base::TreeHook* last = base::TreeBase::edge(parent.children_.root_, 1);
  parent.children_.link(child.sibling_, last, 1, nullptr);
}

void DentryCache::detach_child(Dentry& child) {
  Dentry* parent = child.parent();
  core::SpinGuard<core::PreemptOff> guard{parent->lock_};
  if (child.sibling_.is_linked()) parent->children_.unlink(child.sibling_, nullptr);
}

// ---- Moves ----

namespace {
class RenameWrite {
 public:
  RenameWrite() : guard_(table.rename_lock) { rename_sequence.fetch_add(1, std::memory_order_acq_rel); }
  ~RenameWrite() { rename_sequence.fetch_add(1, std::memory_order_release); }

 private:
  core::SpinGuard<core::PreemptOff> guard_;
};
}  // namespace

void DentryCache::move(Dentry& source, Dentry& target, DentryName* spare) {
  Dentry* old_parent = source.parent();
  Dentry* new_parent = target.parent();
  bool in_table = source.has(Dentry::hashed);
  DentryName* old_name;
  hash_remove(target);
  {
    RenameWrite write;
    hash_remove(source);
    source.sequence_.fetch_add(1, std::memory_order_acq_rel);
    old_name = source.name_.exchange(spare, std::memory_order_acq_rel);
    source.hash_ = target.hash_;
    detach_child(source);
    if (old_parent != new_parent) {
      new_parent->acquire_reference();
      source.parent_.store(new_parent, std::memory_order_release);
    }
    attach_child(*new_parent, source);
    source.sequence_.fetch_add(1, std::memory_order_release);
    if (in_table) hash_insert(source);
  }
  // SAFETY: only compared.
  if (static_cast<void*>(old_name) != static_cast<void*>(source.inline_name_)) free_name(old_name);
  if (old_parent != new_parent) old_parent->release_reference();
}

void DentryCache::exchange(Dentry& a, Dentry& b, DentryName* name_for_a, DentryName* name_for_b) {
  Dentry* parent_a = a.parent();
  Dentry* parent_b = b.parent();
  DentryName *old_a, *old_b;
  {
    RenameWrite write;
    hash_remove(a);
    hash_remove(b);
    a.sequence_.fetch_add(1, std::memory_order_acq_rel);
    b.sequence_.fetch_add(1, std::memory_order_acq_rel);
    old_a = a.name_.exchange(name_for_a, std::memory_order_acq_rel);
    old_b = b.name_.exchange(name_for_b, std::memory_order_acq_rel);
    std::swap(a.hash_, b.hash_);
    detach_child(a);
    detach_child(b);
    // Each parent loses one child and gains one: the reference counts stay.
    a.parent_.store(parent_b, std::memory_order_release);
    b.parent_.store(parent_a, std::memory_order_release);
    attach_child(*parent_b, a);
    attach_child(*parent_a, b);
    a.sequence_.fetch_add(1, std::memory_order_release);
    b.sequence_.fetch_add(1, std::memory_order_release);
    hash_insert(a);
    hash_insert(b);
  }
  if (static_cast<void*>(old_a) != static_cast<void*>(a.inline_name_)) free_name(old_a);
  if (static_cast<void*>(old_b) != static_cast<void*>(b.inline_name_)) free_name(old_b);
}

// ---- Ends ----

void DentryCache::lru_add(Dentry& dentry) {
  core::SpinGuard<core::PreemptOff> guard{table.lru_lock};
  if (dentry.has(Dentry::on_lru)) return;
  dentry.lru_.previous = table.lru.previous;
  dentry.lru_.next = &table.lru;
  table.lru.previous->next = &dentry.lru_;
  table.lru.previous = &dentry.lru_;
  table.lru_size.fetch_add(1, std::memory_order_relaxed);
  dentry.set_flag(Dentry::on_lru);
}

void DentryCache::lru_remove(Dentry& dentry) {
  if (!dentry.has(Dentry::on_lru)) return;
  core::SpinGuard<core::PreemptOff> guard{table.lru_lock};
  if (!dentry.has(Dentry::on_lru)) return;
  dentry.lru_.unlink();
  dentry.clear_flag(Dentry::on_lru);
  table.lru_size.fetch_sub(1, std::memory_order_relaxed);
}

void DentryCache::unpin(Dentry& dentry) {
  if (!dentry.has(Dentry::pinned)) return;
  dentry.clear_flag(Dentry::pinned);
  dentry.release_reference();
}

void DentryCache::kill(Dentry* dentry) {
  while (dentry) {
    hash_remove(*dentry);
    lru_remove(*dentry);
    Dentry* parent = dentry->parent();
    if (parent == dentry) parent = nullptr;
    if (parent) detach_child(*dentry);
    dentry->sequence_.fetch_add(1, std::memory_order_acq_rel);
    Inode* inode = dentry->inode_.exchange(nullptr, std::memory_order_acq_rel);
    dentry->sequence_.fetch_add(1, std::memory_order_release);
    if (inode) inode->release_reference();
    dentry_counter.add(-1);
    core::rcu_retire(dentry->rcu_, [](core::RcuHead& head) {
      Dentry* dead = base::container_of(&head, &Dentry::rcu_);
      DentryName* name = dead->name_.load(std::memory_order_relaxed);
      if (static_cast<void*>(name) != static_cast<void*>(dead->inline_name_))
        ::operator delete(static_cast<void*>(name));
      delete dead;
    });
    // The reference on the parent: go on there instead of recursing, a chain may be thousands long.
    dentry = nullptr;
    if (!parent) return;
    auto old = parent->count_.load(std::memory_order_relaxed);
    for (;;) {
      if (old != 1 || parent->has(Dentry::hashed)) {
        parent->release_reference();
        return;
      }
      if (parent->count_.compare_exchange_weak(old, Dentry::dead_count, std::memory_order_acq_rel,
                                               std::memory_order_relaxed)) {
        dentry = parent;
        break;
      }
    }
  }
}

std::size_t DentryCache::unused() { return table.lru_size.load(std::memory_order_relaxed); }

std::size_t DentryCache::shrink(std::size_t count) {
  std::size_t freed = 0;
  // Each entry gets one more round if it was used since; so two rounds of the list at most.
  for (std::size_t looked_at = 0, limit = 2 * unused() + 1; freed < count && looked_at < limit; ++looked_at) {
    Dentry* victim = nullptr;
    {
      core::SpinGuard<core::PreemptOff> guard{table.lru_lock};
      if (table.lru.next == &table.lru) break;
      Dentry* oldest = base::container_of(table.lru.next, &Dentry::lru_);
      std::int32_t expected = 0;
      if (!oldest->has(Dentry::recently_used) &&
          oldest->count_.compare_exchange_strong(expected, Dentry::dead_count, std::memory_order_acq_rel)) {
        victim = oldest;
      } else {
        oldest->clear_flag(Dentry::recently_used);
        oldest->lru_.unlink();
        oldest->lru_.previous = table.lru.previous;
        oldest->lru_.next = &table.lru;
        table.lru.previous->next = &oldest->lru_;
        table.lru.previous = &oldest->lru_;
      }
    }
    if (victim) {
      kill(victim);
      ++freed;
    }
  }
  return freed;
}

// The first living child with cookie >= `from`, with a reference.
RefPtr<Dentry> DentryCache::next_child(Dentry& parent, std::uint64_t from) {
  core::SpinGuard<core::PreemptOff> guard{parent.lock_};
  base::TreeHook* best = nullptr;
  for (base::TreeHook* at = parent.children_.root_; at;) {
    bool before = base::container_of(at, &Dentry::sibling_)->cookie_ < from;
    if (!before) best = at;
    at = at->child[before ? 1 : 0];
  }
  for (; best; best = base::TreeBase::neighbour(best, 1)) {
    auto child = RefPtr<Dentry>::try_acquire(base::container_of(best, &Dentry::sibling_));
    if (child) return child;
  }
  return nullptr;
}

void DentryCache::drop_tree(Dentry& root) {
  // Depth first without recursion: the way down is held by references, the way on is the cookie.
  Dentry* at = &root;
  std::uint64_t from = 0;
  for (;;) {
    if (auto child = next_child(*at, from)) {
      at = child.leak();
      from = 0;
      continue;
    }
    if (at == &root) return;
    Dentry* parent = at->parent();
    from = at->cookie_ + 1;
    hash_remove(*at);
    unpin(*at);
    at->release_reference();
    at = parent;
  }
}

void DentryCache::invalidate(Dentry& dentry) {
  hash_remove(dentry);
  drop_tree(dentry);
}

}  // namespace vfs
