#include "vfs/inode.h"

#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "core/sched/work_queue.h"
#include "core/time/clock.h"
#include "vfs/access_list.h"
#include "vfs/device.h"
#include "vfs/file.h"
#include "vfs/file_system.h"
#include "vfs_internal.h"

namespace vfs {

PER_CPU constinit core::PerCpuCounter inode_counter;

Timestamp current_time() {
  std::uint64_t now = core::coarse_realtime_ns();
  return {static_cast<std::int64_t>(now / core::ns_per_second),
          static_cast<std::uint32_t>(now % core::ns_per_second)};
}

Inode::Inode(FileSystem& file_system, std::uint64_t number, const NewInode& properties)
    : mode_(properties.mode),
      uid_(properties.uid),
      gid_(properties.gid),
      file_system_(file_system),
      number_(number),
      device_(properties.device) {
  birth_time_ = current_time();
  access_time_.store(birth_time_);
  modify_time_.store(birth_time_);
  change_time_.store(birth_time_);
  inode_counter.add(1);
}

Inode::~Inode() {
  inode_counter.add(-1);
  destroy_inode_locks(locks_.load(std::memory_order_relaxed));
  destroy_notify_marks(notify_marks_.load(std::memory_order_relaxed));
  if (InodeAttachment* attached = attachment_.load(std::memory_order_relaxed)) attached->release_reference();
}

bool Inode::try_acquire_reference() const {
  auto old = references_.load(std::memory_order_relaxed);
  do {
    if (old == 0) return false;
    // acquire: what was written before the inode was published is visible.
  } while (
      !references_.compare_exchange_weak(old, old + 1, std::memory_order_acquire, std::memory_order_relaxed));
  return true;
}

// Inodes whose last reference went in a reclaimer.
struct LateEvictions {
  static void add(Inode& inode) {
    Inode* head = first.load(std::memory_order_relaxed);
    do {
      inode.next_evicted_ = head;
    } while (
        !first.compare_exchange_weak(head, &inode, std::memory_order_release, std::memory_order_relaxed));
    core::WorkQueue::long_running().post(work);
  }
  static void run(core::Work&) {
    for (Inode* inode = first.exchange(nullptr, std::memory_order_acquire); inode;) {
      Inode* next = inode->next_evicted_;
      inode->evict_and_free();
      inode = next;
    }
  }
  static inline constinit std::atomic<Inode*> first{nullptr};
  [[clang::no_destroy]] static inline constinit core::Work work{run};
};

void finish_evictions() { core::WorkQueue::long_running().flush(LateEvictions::work); }

void Inode::evict_and_free() {
  evict();
  core::rcu_retire(rcu_, [](core::RcuHead& head) { delete base::container_of(&head, &Inode::rcu_); });
}

void Inode::release_reference() const {
  auto* self = const_cast<Inode*>(this);
  if (link_count() == 0 && references_.load(std::memory_order_relaxed) == 2 && !core::is_reclaiming())
    self->almost_unused();
  // release/acquire: every use of the inode happens before its eviction.
  if (references_.fetch_sub(1, std::memory_order_release) != 1) return;
  std::atomic_thread_fence(std::memory_order_acquire);
  if (core::is_reclaiming() && evict_needs_locks())
    LateEvictions::add(*self);
  else
    self->evict_and_free();
}

void Inode::touch_modified() {
  Timestamp now = current_time();
  set_modify_time(now);
  set_change_time(now);
}

// relatime: only something new is worth telling, that is not yet read since the last change, or a day old.
bool Inode::access_time_says_enough(Timestamp now) const {
  constexpr std::int64_t day = 24 * 60 * 60;
  Timestamp old = access_time();
  return old > modify_time() && old > change_time() && now.seconds - old.seconds < day;
}

void Inode::touch_accessed(const Mount& mount) {
  MountFlags flags = mount.flags();
  if ((flags & (mount_no_access_time | mount_read_only)) || has(no_access_time) ||
      file_system_.is_read_only())
    return;
  if ((flags & mount_no_directory_access_time) && is_directory(mode())) return;
  if ((flags & mount_relative_access_time) && access_time_is_fresh()) return;
  Timestamp now = current_time();
  if (flags & mount_relative_access_time) {
    // Remembered for a minute, so that a clock that is set is noticed, too. Then looked at once more: whoever
    // sets a time takes back what is remembered, either after this exchange, or (acquire) we see the time.
    constexpr unsigned minute = 60;
    if (access_time_says_enough({now.seconds + minute, 0}))
      access_fresh_until_.exchange(arch::counter() + minute * arch::counter_frequency(),
                                   std::memory_order_acq_rel);
    if (access_time_says_enough(now)) return;
    access_fresh_until_.store(0, std::memory_order_release);  // as in set_time()
  }
  if (access_time() != now) set_access_time(now);
}
void Inode::touch_changed() { set_change_time(current_time()); }

// What a file system leaves out cannot be done there.
Result<RefPtr<Inode>> Inode::lookup(std::string_view) { return error(Errno::enotdir); }
Result<RefPtr<Inode>> Inode::create(Dentry&, const NewInode&) { return error(Errno::eacces); }
Result<RefPtr<Inode>> Inode::make_directory(Dentry&, const NewInode&) { return error(Errno::eperm); }
Result<RefPtr<Inode>> Inode::make_symlink(Dentry&, std::string_view, const NewInode&) {
  return error(Errno::eperm);
}
Result<RefPtr<Inode>> Inode::make_node(Dentry&, const NewInode&) { return error(Errno::eperm); }
Result<void> Inode::link(Inode&, Dentry&) { return error(Errno::eperm); }
Result<void> Inode::unlink(Dentry&) { return error(Errno::eperm); }
Result<void> Inode::remove_directory(Dentry&) { return error(Errno::eperm); }
Result<void> Inode::rename(Dentry&, Inode&, Dentry&, RenameKind) { return error(Errno::eperm); }
Result<RefPtr<Inode>> Inode::create_temporary(const NewInode&) { return error(Errno::eopnotsupp); }

Result<RefPtr<File>> Inode::open(const OpenRequest& request) {
  switch (mode() & mode_type_mask) {
    case mode_character:
      return open_device(DeviceKind::character, device_, request);
    case mode_block:
      return open_device(DeviceKind::block, device_, request);
    case mode_fifo:
      return open_fifo(*this, request);
    case mode_symlink:
      return error(Errno::eloop);
    default:
      return error(Errno::enxio);
  }
}

Result<LinkTarget> Inode::follow(const Credentials&) {
  LinkTarget target;
  target.text = TRY(base::String::create(inline_link()));
  return target;
}

Result<base::String> Inode::read_link(const Credentials& credentials) {
  if (!inline_link().empty()) return base::String::create(inline_link());
  LinkTarget target = TRY(follow(credentials));
  if (!target.jump) return std::move(target.text);
  auto memory = TRY(base::try_make_unique<PathMemory>());
  std::string_view text = TRY(path_text(target.jump, nullptr, memory->bytes));
  return base::String::create(text);
}

Result<void> Inode::permission(const Credentials& credentials, Access access) const {
  return generic_permission(*this, credentials, access);
}

Result<void> Inode::get_attributes(Attributes& out) {
  fill_attributes(*this, out);
  return {};
}

void fill_attributes(const Inode& inode, Attributes& out) {
  out.link_count = inode.link_count();
  out.uid = inode.uid();
  out.gid = inode.gid();
  out.mode = inode.mode();
  out.inode_number = inode.number();
  out.size = inode.size();
  out.blocks_512 = (out.size + 511) / 512;
  if (!is_regular(out.mode)) out.blocks_512 = 0;
  out.access_time = inode.access_time();
  out.modify_time = inode.modify_time();
  out.change_time = inode.change_time();
  out.birth_time = inode.birth_time();
  out.result_mask = 0xfff;  // with STATX_BTIME
  out.device = inode.file_system().device();
  out.special_device = inode.device();
  out.attributes_mask = 0x30 | 0x2000;  // immutable, append, mount root
  if (inode.has(Inode::immutable)) out.attributes |= 0x10;
  if (inode.has(Inode::append_only)) out.attributes |= 0x20;
}

Result<void> Inode::change_attributes(const AttributeChange& change) {
  if (change.size) TRY(truncate(*change.size));
  if (change.uid || change.gid) set_owner(change.uid.value_or(uid()), change.gid.value_or(gid()));
  if (change.mode) set_mode((mode() & mode_type_mask) | (*change.mode & mode_permissions));
  if (change.access_time) set_access_time(*change.access_time);
  if (change.modify_time) set_modify_time(*change.modify_time);
  if (change.change_time) set_change_time(*change.change_time);
  return {};
}

Result<void> Inode::truncate(std::uint64_t) { return error(Errno::einval); }
void Inode::describe(base::TextSink& out) const { base::format(out, "anon_inode:inode"); }

Result<std::uint32_t> Inode::attribute_flags() const {
  std::uint32_t flags = 0;
  if (has(append_only)) flags |= inode_attribute_append;
  if (has(immutable)) flags |= inode_attribute_immutable;
  if (has(no_access_time)) flags |= inode_attribute_no_access_time;
  return flags;
}
Result<void> Inode::set_attribute_flags(std::uint32_t) { return error(Errno::enotty); }

Result<base::Vector<char>> Inode::get_xattr(std::string_view) { return error(Errno::eopnotsupp); }
Result<void> Inode::set_xattr(std::string_view, std::span<const char>, XattrMode) {
  return error(Errno::eopnotsupp);
}
Result<void> Inode::remove_xattr(std::string_view) { return error(Errno::eopnotsupp); }
void Inode::list_xattrs(base::TextSink&) {}

Result<void> Inode::acquire_write_access() {
  auto old = writers_.load(std::memory_order_relaxed);
  do {
    if (old < 0) return error(Errno::etxtbsy);
  } while (!writers_.compare_exchange_weak(old, old + 1, std::memory_order_acq_rel));
  return {};
}

Result<void> Inode::deny_write_access() {
  auto old = writers_.load(std::memory_order_relaxed);
  do {
    if (old > 0) return error(Errno::etxtbsy);
  } while (!writers_.compare_exchange_weak(old, old - 1, std::memory_order_acq_rel));
  return {};
}

namespace {
constinit core::SpinLock attachment_lock{"inode attachment"};
}

RefPtr<InodeAttachment> Inode::attachment() const {
  if (!attachment_.load(std::memory_order_acquire)) return nullptr;
  core::SpinGuard<core::PreemptOff> guard{attachment_lock};
  return RefPtr<InodeAttachment>(attachment_.load(std::memory_order_relaxed));
}

RefPtr<InodeAttachment> Inode::attach(RefPtr<InodeAttachment> fresh) {
  core::SpinGuard<core::PreemptOff> guard{attachment_lock};
  if (InodeAttachment* existing = attachment_.load(std::memory_order_relaxed))
    return RefPtr<InodeAttachment>(existing);
  InodeAttachment* kept = fresh.get();
  kept->acquire_reference();
  attachment_.store(kept, std::memory_order_release);
  return fresh;
}

void Inode::detach() {
  InodeAttachment* old;
  {
    core::SpinGuard<core::PreemptOff> guard{attachment_lock};
    old = attachment_.exchange(nullptr, std::memory_order_acq_rel);
  }
  if (old) old->release_reference();
}

Result<void> generic_permission(const Inode& inode, const Credentials& credentials, Access access) {
  Mode mode = inode.mode();
  Access granted;
  if (inode.uid() == credentials.fsuid)
    granted = mode >> 6 & 7;
  else if (credentials.in_group(inode.gid()))
    granted = mode >> 3 & 7;
  else
    granted = mode & 7;
  if (!(access & 7 & ~granted)) return {};
  return permission_by_capability(inode, credentials, access);
}

Result<void> permission_by_capability(const Inode& inode, const Credentials& credentials, Access access) {
  Mode mode = inode.mode();
  if (is_directory(mode)) {
    // Searching and listing need only the weaker capability.
    if (!(access & access_write) && credentials.can(Capability::dac_read_search)) return {};
    if (credentials.can(Capability::dac_override)) return {};
    return error(Errno::eacces);
  }
  if ((access & 7) == access_read && credentials.can(Capability::dac_read_search)) return {};
  // Execution needs at least one x bit even for root.
  if ((!(access & access_execute) || (mode & 0111)) && credentials.can(Capability::dac_override)) return {};
  return error(Errno::eacces);
}

}  // namespace vfs
