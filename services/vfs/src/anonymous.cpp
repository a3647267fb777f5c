// The file system of objects without a name, and vfs::initialize.
#include "core/memory/page_allocator.h"
#include "dentry_cache.h"
#include "mount_tree.h"
#include "vfs/device.h"
#include "vfs/file_system.h"
#include "vfs/operations.h"
#include "vfs_internal.h"

namespace vfs {

constinit Limits limits;

namespace {

class AnonymousFileSystem final : public FileSystem {
 public:
  static constexpr std::uint64_t anon_inode_magic = 0x09041934;
  AnonymousFileSystem(const FileSystemType& type) : FileSystem(type, anon_inode_magic, "anon_inodefs") {}
  void unmounted() override {}
};

Result<RefPtr<FileSystem>> refuse_mount(const MountOptions&) { return error(Errno::einval); }
constinit FileSystemType anonymous_type{"anon_inodefs", FileSystemType::no_device, refuse_mount};

// The one inode behind eventfd, epoll and the like; each kind has its dentry.
class SharedInode final : public Inode {
 public:
  SharedInode(FileSystem& file_system) : Inode(file_system, 1, {0600, 0, 0, {}}) {}
};

// A dentry of the shared inode carries its kind as its name.
struct Kind {
  base::String name;
  RefPtr<Dentry> dentry;
};

struct State {
  core::Mutex mutex{"anonymous kinds"};
  FileSystem* file_system = nullptr;
  Mount* mount = nullptr;
  base::Vector<Kind>* kinds = nullptr;
  std::atomic<std::uint64_t> next_inode{2};
};
[[clang::no_destroy]] constinit State state;

// What /proc/PID/fd shows for a kind: an inode per kind that knows its text.
class KindInode final : public Inode {
 public:
  KindInode(FileSystem& file_system, base::String name)
      : Inode(file_system, 1, {0600, 0, 0, {}}), name_(std::move(name)) {}
  void describe(base::TextSink& out) const override { base::format(out, "anon_inode:{}", name_.view()); }

 private:
  base::String name_;
};

}  // namespace

Result<void> initialize_anonymous() {
  if (state.file_system) return {};
  auto file_system = RefPtr<FileSystem>(TRY(base::try_make_ref<AnonymousFileSystem>(anonymous_type)));
  auto kinds = TRY(base::try_make_unique<base::Vector<Kind>>());
  auto root_inode = RefPtr<Inode>(TRY(base::try_make_ref<SharedInode>(*file_system)));
  auto root = TRY(Dentry::create_anonymous(*file_system, std::move(root_inode)));
  auto mount = TRY(Mount::create(file_system, std::move(root), "anon_inodefs", 0));
  state.kinds = kinds.release();
  state.mount = mount.leak();
  state.file_system = file_system.leak();
  return {};
}

FileSystem& anonymous_file_system() { return *state.file_system; }
std::uint64_t next_anonymous_inode_number() {
  return state.next_inode.fetch_add(1, std::memory_order_relaxed);
}

Result<Path> anonymous_path(std::string_view name) {
  core::MutexGuard guard{state.mutex};
  for (Kind& kind : *state.kinds)
    if (kind.name == name) return Path(RefPtr<Mount>(state.mount), kind.dentry);
  Kind kind;
  kind.name = TRY(base::String::create(name));
  auto inode =
      RefPtr<Inode>(TRY(base::try_make_ref<KindInode>(*state.file_system, TRY(kind.name.try_clone()))));
  kind.dentry = TRY(Dentry::create_anonymous(*state.file_system, std::move(inode)));
  TRY(state.kinds->try_push_back(std::move(kind)));
  return Path(RefPtr<Mount>(state.mount), state.kinds->back().dentry);
}

Result<Path> path_of_anonymous_inode(RefPtr<Inode> inode) {
  FileSystem& file_system = inode->file_system();
  auto dentry = TRY(Dentry::create_anonymous(file_system, std::move(inode)));
  return Path(RefPtr<Mount>(state.mount), std::move(dentry));
}

namespace {
// Unused dentries go when memory is short.
class DentryReclaimer final : public core::Reclaimer {
 public:
  std::uint64_t reclaim(std::uint64_t wanted_pages) override {
    // Some twenty dentries make a page.
    return DentryCache::shrink(static_cast<std::size_t>(wanted_pages) * 20) / 20;
  }
  std::uint64_t reclaimable_pages() const override { return DentryCache::unused() / 20; }
};
constinit DentryReclaimer dentry_reclaimer;
}  // namespace

Result<void> initialize(RefPtr<FileSystem> root_file_system) {
  TRY(initialize_kernel_credentials());
  // One chain for 32 KiB of memory: some three dentries each when a quarter of memory were dentries.
  std::size_t buckets = 1024;
  while (buckets < (1u << 20) && buckets * 8 < core::memory_statistics().total_pages) buckets *= 2;
  TRY(DentryCache::initialize(buckets));
  TRY(MountTree::initialize());
  RefPtr<Dentry> root = root_file_system->root();
  // The first mount of all: MountTree::is_rootfs() knows it by its number.
  auto mount =
      TRY(Mount::create(std::move(root_file_system), std::move(root), "rootfs", mount_relative_access_time));
  TRY(initialize_anonymous());
  core::MutexGuard guard{mount_mutex()};
  MountTree::make_root_locked(std::move(mount), initial_mount_namespace());
  core::register_reclaimer(dentry_reclaimer);
  return {};
}

Result<RefPtr<FileSystemContext>> create_root_context() {
  RefPtr<Mount> mount = initial_mount_namespace().root();
  Path root(mount, mount->root_reference());
  MountTree::cross(root);
  return FileSystemContext::create(root, root);
}

std::size_t shrink_dentry_cache(std::size_t count) { return DentryCache::shrink(count); }

CacheStatistics cache_statistics() {
  CacheStatistics result;
  result.dentries = static_cast<std::size_t>(dentry_counter.sum());
  result.unused_dentries = DentryCache::unused();
  result.inodes = static_cast<std::size_t>(inode_counter.sum());
  result.files = static_cast<std::size_t>(file_counter.sum());
  return result;
}

}  // namespace vfs
