// Dentries: creation, references, and changes of state. Searching and moving: dentry_cache.cpp.
#include "vfs/dentry.h"

#include <cstring>

#include "core/memory/slab.h"
#include "dentry_cache.h"
#include "vfs/file_system.h"
#include "vfs/inode.h"
#include "vfs_internal.h"

namespace vfs {

PER_CPU constinit core::PerCpuCounter dentry_counter;

std::uint32_t hash_name(std::string_view name) {
  // Eight bytes at a time, mixed by multiplication (the constant is 2^64 / golden ratio).
  constexpr std::uint64_t factor = 0x9e3779b97f4a7c15;
  std::uint64_t hash = name.size() * factor;
  const char* at = name.data();
  std::size_t left = name.size();
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    hash = (hash ^ word) * factor;
    hash ^= hash >> 32;
  }
  if (left) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < left; ++i)
      word |= static_cast<std::uint64_t>(static_cast<unsigned char>(at[i])) << (8 * i);
    hash = (hash ^ word) * factor;
    hash ^= hash >> 32;
  }
  return static_cast<std::uint32_t>(hash ^ hash >> 29);
}

Result<DentryName*> DentryCache::try_make_name(std::string_view text) {
  void* memory = ::operator new(sizeof(DentryName) + text.size() + 1, std::nothrow);
  if (!memory) return error(Errno::enomem);
  auto* name = new (memory) DentryName;
  name->length = static_cast<std::uint32_t>(text.size());
  std::memcpy(name->text, text.data(), text.size());
  name->text[text.size()] = 0;
  return name;
}

void DentryCache::free_name(DentryName* name) {
  core::rcu_retire(name->rcu, [](core::RcuHead& head) {
    ::operator delete(static_cast<void*>(base::container_of(&head, &DentryName::rcu)));
  });
}

Result<RefPtr<Dentry>> Dentry::create(FileSystem& file_system, Dentry* parent, std::string_view name) {
  if (name.size() > name_max) return error(Errno::enametoolong);
  auto* dentry = new (std::nothrow) Dentry;
  if (!dentry) return error(Errno::enomem);
  if (name.size() < inline_name_size) {
    auto* inline_name = new (dentry->inline_name_) DentryName;
    inline_name->length = static_cast<std::uint32_t>(name.size());
    std::memcpy(inline_name->text, name.data(), name.size());
    inline_name->text[name.size()] = 0;
    dentry->name_.store(inline_name, std::memory_order_relaxed);
  } else {
    auto long_name = DentryCache::try_make_name(name);
    if (!long_name) {
      delete dentry;
      return error(Errno::enomem);
    }
    dentry->name_.store(*long_name, std::memory_order_relaxed);
  }
  dentry->hash_ = hash_name(name);
  dentry->file_system_ = &file_system;
  dentry->parent_.store(parent ? parent : dentry, std::memory_order_relaxed);
  if (parent) {
    parent->acquire_reference();
    DentryCache::attach_child(*parent, *dentry);
  }
  dentry_counter.add(1);
  return RefPtr<Dentry>::adopt(dentry);
}

Result<RefPtr<Dentry>> Dentry::create_anonymous(FileSystem& file_system, RefPtr<Inode> inode) {
  auto dentry = TRY(create(file_system, nullptr, ""));
  dentry->set_flag(anonymous);
  dentry->inode_.store(inode.leak(), std::memory_order_release);
  return dentry;
}

bool Dentry::try_acquire_reference() {
  auto old = count_.load(std::memory_order_relaxed);
  do {
    if (old < 0) return false;
    // acquire: what was written before the dentry was published is visible.
  } while (!count_.compare_exchange_weak(old, old + 1, std::memory_order_acquire, std::memory_order_relaxed));
  return true;
}

void Dentry::release_reference() {
  auto old = count_.load(std::memory_order_relaxed);
  for (;;) {
    base::debug_verify(old > 0, "release of an unreferenced dentry");
    if (old > 1) {
      // release: our use happens before the dentry's death.
      if (count_.compare_exchange_weak(old, old - 1, std::memory_order_release, std::memory_order_relaxed))
        return;
      continue;
    }
    std::uint32_t state = flags();
    if (state & hashed) {
      // Stays cached. It must be on the list before the count is zero: afterwards it is no longer ours.
      if (!(state & on_lru)) {
        DentryCache::lru_add(*this);
        continue;
      }
      if (!(state & recently_used)) set_flag(recently_used);
      if (count_.compare_exchange_weak(old, 0, std::memory_order_acq_rel, std::memory_order_relaxed)) return;
      continue;
    }
    if (count_.compare_exchange_weak(old, dead_count, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      DentryCache::kill(this);
      return;
    }
  }
}

RefPtr<Dentry> Dentry::parent_reference() const {
  for (;;) {
    RefPtr<Dentry> reference;  // a wrong one is dropped after the guard: that may sleep
    core::RcuReadGuard guard;
    Dentry* parent = parent_.load(std::memory_order_acquire);
    reference = RefPtr<Dentry>::try_acquire(parent);
    if (reference && parent_.load(std::memory_order_acquire) == parent) return reference;
  }
}

void Dentry::instantiate(RefPtr<Inode> inode) {
  base::debug_verify(is_negative(), "instantiate of a positive dentry");
  if (file_system_->dentries_are_storage() && parent() != this) {
    acquire_reference();
    set_flag(pinned);
  }
  core::PreemptOff short_change;  // others wait for the sequence to be even
  // acq_rel around the change: readers that saw the old inode fail their check.
  sequence_.fetch_add(1, std::memory_order_acq_rel);
  inode_.store(inode.leak(), std::memory_order_release);
  sequence_.fetch_add(1, std::memory_order_release);
}

void Dentry::insert_in_cache() { DentryCache::hash_insert(*this); }
void Dentry::unhash() { DentryCache::hash_remove(*this); }

void Dentry::removed() {
  if (has(pinned)) {
    unhash();
    DentryCache::unpin(*this);
    return;
  }
  if (reference_count() == 1) {
    Inode* inode = inode_.load(std::memory_order_relaxed);
    {
      core::PreemptOff short_change;
      sequence_.fetch_add(1, std::memory_order_acq_rel);
      inode_.store(nullptr, std::memory_order_release);
      sequence_.fetch_add(1, std::memory_order_release);
    }
    if (inode) inode->release_reference();
    return;
  }
  unhash();
}

Dentry* Dentry::first_child_from(std::uint64_t cookie) {
  core::SpinGuard<core::PreemptOff> guard{lock_};
  Dentry* result = nullptr;
  for (base::TreeHook* at = children_.root_; at;) {
    Dentry* child = base::container_of(at, &Dentry::sibling_);
    if (child->cookie_ < cookie) {
      at = at->child[1];
    } else {
      result = child;
      at = at->child[0];
    }
  }
  return result;
}

bool Dentry::has_children() {
  core::SpinGuard<core::PreemptOff> guard{lock_};
  for (base::TreeHook* at = base::TreeBase::edge(children_.root_, 0); at;
       at = base::TreeBase::neighbour(at, 1)) {
    Dentry* child = base::container_of(at, &Dentry::sibling_);
    if (!child->is_negative() && child->has(hashed)) return true;
  }
  return false;
}

bool is_dentry_below(const Dentry& dentry, const Dentry& ancestor) {
  core::RcuReadGuard guard;
  for (const Dentry* at = &dentry;; at = at->parent()) {
    if (at == &ancestor) return true;
    if (at->is_root()) return false;
  }
}

}  // namespace vfs
