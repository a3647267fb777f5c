#include "mount_tree.h"

#include "core/memory/slab.h"
#include "dentry_cache.h"
#include "mount_groups.h"
#include "vfs/inode.h"
#include "vfs_internal.h"

namespace vfs {

constinit std::atomic<std::uint32_t> mount_sequence{0};

namespace {
constexpr std::size_t bucket_count = 1024;
constinit core::Mutex the_mount_mutex{"mount tree"};
constinit std::atomic<Mount*> table[bucket_count]{};
constinit MountNamespace* initial_namespace = nullptr;
constinit std::atomic<int> next_mount_id{1};
constinit std::atomic<std::uint64_t> next_namespace_id{0xf0000000};

std::atomic<Mount*>& bucket(const Mount* parent, const Dentry* point) {
  // SAFETY: addresses are only mixed into a number.
  auto a = reinterpret_cast<std::uintptr_t>(parent) >> 6, b = reinterpret_cast<std::uintptr_t>(point) >> 6;
  return table[((a * 0x9e3779b97f4a7c15 ^ b) * 0x9e3779b97f4a7c15) >> 54];
}

// Readers wait for the sequence to be even, so the writer is not preempted in between.
class TableWrite {
 public:
  TableWrite() { mount_sequence.fetch_add(1, std::memory_order_acq_rel); }
  ~TableWrite() { mount_sequence.fetch_add(1, std::memory_order_release); }

 private:
  core::PreemptOff short_change_;
};
}  // namespace

core::Mutex& mount_mutex() { return the_mount_mutex; }
MountNamespace& initial_mount_namespace() { return *initial_namespace; }

Result<void> MountTree::initialize() {
  if (!initial_namespace) initial_namespace = TRY(MountNamespace::create()).leak();
  return {};
}
Result<void> initialize_mount_table() { return MountTree::initialize(); }

// ---- Mount ----

Result<RefPtr<Mount>> Mount::create(RefPtr<FileSystem> file_system, RefPtr<Dentry> root,
                                    std::string_view source, MountFlags flags) {
  auto* mount = new (std::nothrow) MountTree::Node;
  if (!mount) return error(Errno::enomem);
  file_system->mount_count.fetch_add(1, std::memory_order_relaxed);
  mount->file_system_ = std::move(file_system);
  mount->root_ = std::move(root);
  mount->flags_.store(flags, std::memory_order_relaxed);
  mount->id_ = next_mount_id.fetch_add(1, std::memory_order_relaxed);
  auto result = RefPtr<Mount>::adopt(mount);
  mount->source_ = TRY(base::String::create(source));
  return result;
}

void Mount::last_reference_dropped() {
  RefPtr<Mount> parent = std::move(parent_reference_);
  RefPtr<Dentry> point = std::move(mount_point_reference_);
  root_ = nullptr;
  // acq_rel: what the other mounts did happens before the end.
  if (file_system_->mount_count.fetch_sub(1, std::memory_order_acq_rel) == 1) file_system_->unmounted();
  file_system_ = nullptr;
  core::rcu_retire(rcu_, [](core::RcuHead& head) {
    delete &MountTree::Node::of(*base::container_of(&head, &Mount::rcu_));
  });
}

bool Mount::is_read_only() const { return has(mount_read_only) || file_system_->is_read_only(); }

Result<void> Mount::acquire_write() {
  // seq_cst against a remount, which sets the flag and then looks at the count.
  writers_.fetch_add(1, std::memory_order_seq_cst);
  if (is_read_only()) {
    release_write();
    return error(Errno::erofs);
  }
  return {};
}

// ---- The table ----

Mount* MountTree::find_rcu(const Mount* parent, const Dentry* point) {
  for (Mount* at = bucket(parent, point).load(std::memory_order_acquire); at;
       at = at->hash_next_.load(std::memory_order_acquire)) {
    if (at->parent_.load(std::memory_order_acquire) == parent &&
        at->mount_point_.load(std::memory_order_acquire) == point)
      return at;
  }
  return nullptr;
}

RefPtr<Mount> MountTree::find(const Mount& parent, const Dentry& point) {
  for (;;) {
    RefPtr<Mount> reference;  // a wrong one is dropped after the guard: that may sleep
    core::RcuReadGuard guard;
    std::uint32_t before = mount_sequence.load(std::memory_order_acquire);
    if (before & 1) continue;
    Mount* found = find_rcu(&parent, &point);
    reference = RefPtr<Mount>::try_acquire(found);
    std::atomic_thread_fence(std::memory_order_acquire);  // the search stays before the second look
    if (mount_sequence.load(std::memory_order_relaxed) != before) continue;
    if (!found || reference) return reference;
  }
}

Path MountTree::place_of(const Mount& mount) {
  for (;;) {
    RefPtr<Mount> parent;  // dropped, if wrong, after the guard
    RefPtr<Dentry> point;
    core::RcuReadGuard guard;
    std::uint32_t before = mount_sequence.load(std::memory_order_acquire);
    if (before & 1) continue;
    Mount* its_parent = mount.parent();
    parent = RefPtr<Mount>::try_acquire(its_parent);
    point = RefPtr<Dentry>::try_acquire(mount.mount_point());
    std::atomic_thread_fence(std::memory_order_acquire);  // the reads stay before the second look
    if (mount_sequence.load(std::memory_order_relaxed) != before) continue;
    if (!its_parent) return Path();
    if (parent && point) return Path(std::move(parent), std::move(point));
  }
}

void MountTree::cross(Path& path) {
  while (path.dentry().has(Dentry::mount_point)) {
    auto mounted = find(path.mount(), path.dentry());
    if (!mounted) return;
    RefPtr<Dentry> root = mounted->root_reference();
    path = Path(std::move(mounted), std::move(root));
  }
}

void MountTree::hash_insert(Mount& mount) {
  auto& head = bucket(mount.parent(), mount.mount_point());
  mount.hash_next_.store(head.load(std::memory_order_relaxed), std::memory_order_relaxed);
  head.store(&mount, std::memory_order_release);
}

void MountTree::hash_remove(Mount& mount) {
  std::atomic<Mount*>* link = &bucket(mount.parent(), mount.mount_point());
  while (Mount* at = link->load(std::memory_order_relaxed)) {
    if (at == &mount) {
      link->store(mount.hash_next_.load(std::memory_order_relaxed), std::memory_order_release);
      return;
    }
    link = &at->hash_next_;
  }
}

// ---- Changes; all under mount_mutex() ----

void MountTree::changed_locked(MountNamespace* space) {
  if (!space) return;
  space->event_.fetch_add(1, std::memory_order_acq_rel);
  space->changed_.wake_all();
}

void MountTree::join_namespace(Mount& mount, MountNamespace* space) {
  MountNamespace* old = mount.mount_namespace();
  if (old) {
    old->mounts_.remove(mount);
    --old->count_;
  }
  mount.namespace_.store(space, std::memory_order_release);
  if (space) {
    space->mounts_.push_back(mount);
    ++space->count_;
  }
}

void MountTree::attach_locked(RefPtr<Mount> reference, const Path& target) {
  Mount& mount = *reference.leak();  // the tree's reference
  Mount& parent = target.mount();
  mount.parent_reference_ = target.mount_reference();
  mount.mount_point_reference_ = target.dentry_reference();
  target.dentry().set_flag(Dentry::mount_point);
  {
    TableWrite write;
    mount.parent_.store(&parent, std::memory_order_release);
    mount.mount_point_.store(&target.dentry(), std::memory_order_release);
    hash_insert(mount);
  }
  parent.children.push_back(mount);
  MountNamespace* space = parent.mount_namespace();
  for_each_below_locked(mount, [&](Mount& at) { join_namespace(at, space); });
  changed_locked(space);
}

void MountTree::make_root_locked(RefPtr<Mount> reference, MountNamespace& space) {
  Mount& mount = *reference.leak();
  join_namespace(mount, &space);
  space.root_.store(&mount, std::memory_order_release);
  changed_locked(&space);
}

// The flag goes with the last mount on the dentry, in whichever namespace.
void MountTree::clear_unused_point(Dentry& point) {
  for (auto& head : table)
    for (Mount* at = head.load(std::memory_order_relaxed); at;
         at = at->hash_next_.load(std::memory_order_relaxed))
      if (at->mount_point() == &point) return;
  point.clear_flag(Dentry::mount_point);
}

RefPtr<Mount> MountTree::detach_locked(Mount& mount) {
  Mount* parent = mount.parent();
  Dentry* point = mount.mount_point();
  MountNamespace* space = mount.mount_namespace();
  {
    TableWrite write;
    hash_remove(mount);
    mount.parent_.store(nullptr, std::memory_order_release);
    mount.mount_point_.store(nullptr, std::memory_order_release);
  }
  if (parent) parent->children.remove(mount);
  if (point) clear_unused_point(*point);
  changed_locked(space);
  return RefPtr<Mount>::adopt(&mount);
}

RefPtr<Mount> MountTree::remove_locked(Mount& mount) {
  MountGroups::leave_locked(mount);
  RefPtr<Mount> reference = detach_locked(mount);
  join_namespace(mount, nullptr);
  return reference;
}

void MountTree::detach_all_locked(Mount& top, base::Vector<RefPtr<Mount>>& dropped) {
  // Leaves first. Room in `dropped` was reserved by the caller.
  Mount* at = &top;
  for (;;) {
    while (Mount* child = at->children.first()) at = child;
    Mount* parent = at->parent();
    bool last = at == &top;
    dropped.push_back_reserved(remove_locked(*at));
    if (last) return;
    at = parent;
  }
}

bool MountTree::is_below_locked(const Mount& mount, const Mount& ancestor) {
  for (const Mount* at = &mount; at; at = at->parent())
    if (at == &ancestor) return true;
  return false;
}

void MountTree::keep_place(Mount& mount, RefPtr<Mount>& parent, RefPtr<Dentry>& point) {
  parent = std::move(mount.parent_reference_);
  point = std::move(mount.mount_point_reference_);
}

void MountTree::pivot_locked(Mount& new_root, const Path& put_old, RefPtr<Mount>& old_parent,
                             RefPtr<Dentry>& old_point) {
  MountNamespace* space = new_root.mount_namespace();
  Mount* old_root = space->root_.load(std::memory_order_relaxed);
  RefPtr<Mount> kept = detach_locked(new_root);
  keep_place(new_root, old_parent, old_point);
  space->root_.store(kept.leak(), std::memory_order_release);
  attach_locked(RefPtr<Mount>::adopt(old_root), put_old);
}

void MountTree::reparent_locked(Mount& mount, Mount& parent, Dentry& point) {
  Mount& old_parent = *mount.parent();
  Dentry& old_point = *mount.mount_point();
  RefPtr<Mount> old_parent_reference = std::exchange(mount.parent_reference_, RefPtr<Mount>(&parent));
  RefPtr<Dentry> old_point_reference = std::exchange(mount.mount_point_reference_, RefPtr<Dentry>(&point));
  point.set_flag(Dentry::mount_point);
  {
    TableWrite write;
    hash_remove(mount);
    mount.parent_.store(&parent, std::memory_order_release);
    mount.mount_point_.store(&point, std::memory_order_release);
    hash_insert(mount);
  }
  old_parent.children.remove(mount);
  parent.children.push_back(mount);
  clear_unused_point(old_point);
}

std::size_t MountTree::tree_size_locked(Mount& top) {
  std::size_t count = 0;
  for_each_below_locked(top, [&](Mount&) { ++count; });
  return count;
}

Result<RefPtr<Mount>> MountTree::clone_locked(Mount& original, RefPtr<Dentry> root, CopyRelation relation) {
  auto copy = TRY(Mount::create(original.file_system_, std::move(root), original.source(), original.flags()));
  MountGroups::relate_copy_locked(*copy, original, relation);
  return copy;
}

void MountTree::discard_locked(RefPtr<Mount> copy, base::Vector<RefPtr<Mount>>& dropped) {
  while (Mount* below = copy->children.first()) detach_all_locked(*below, dropped);
  MountGroups::leave_locked(*copy);
  dropped.push_back_reserved(std::move(copy));
}

// Walks the original and the copy in step.
Result<RefPtr<Mount>> MountTree::clone_tree_locked(Mount& original, RefPtr<Dentry> root,
                                                   CopyRelation relation) {
  base::Vector<RefPtr<Mount>> dropped;  // room to take the copy apart again
  TRY(dropped.try_reserve(tree_size_locked(original)));
  auto copy = TRY(clone_locked(original, root, relation));
  Mount* at = &original;
  Mount* copy_at = copy.get();
  Mount* child = at->children.first();
  for (;;) {
    if (!child) {
      if (at == &original) return copy;
      child = at->parent()->children.next(*at);
      at = at->parent();
      copy_at = copy_at->parent();
      continue;
    }
    // Only what hangs below the part that is bound.
    bool taken = !Node::of(*child).is_unbindable() &&
                 (at != &original || is_dentry_below(*child->mount_point(), *root));
    if (!taken) {
      child = at->children.next(*child);
      continue;
    }
    auto child_copy = clone_locked(*child, child->root_reference(), relation);
    if (!child_copy) {
      discard_locked(std::move(copy), dropped);
      return error(child_copy.error());
    }
    Mount* made = child_copy->get();
    attach_locked(std::move(*child_copy), Path(RefPtr<Mount>(copy_at), RefPtr<Dentry>(child->mount_point())));
    at = child;
    copy_at = made;
    child = at->children.first();
  }
}

// ---- Namespaces ----

Result<RefPtr<MountNamespace>> MountNamespace::create() {
  auto space = TRY(base::try_make_ref<MountNamespace>());
  space->id_ = next_namespace_id.fetch_add(1, std::memory_order_relaxed);
  return space;
}

MountNamespace::~MountNamespace() = default;

void MountNamespace::for_each(base::FunctionRef<void(Mount&)> visit) {
  core::MutexGuard guard{mount_mutex()};
  for_each_locked(visit);
}
void MountNamespace::for_each_locked(base::FunctionRef<void(Mount&)> visit) {
  for (Mount& mount : mounts_) visit(mount);
}

RefPtr<Mount> MountNamespace::root() const {
  core::MutexGuard guard{mount_mutex()};
  return RefPtr<Mount>(root_.load(std::memory_order_relaxed));
}

}  // namespace vfs
