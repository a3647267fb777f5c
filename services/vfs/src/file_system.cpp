#include "vfs/file_system.h"

#include "core/sync/rcu.h"
#include "dentry_cache.h"
#include "vfs/inode.h"

namespace vfs {

namespace {
constinit core::Mutex types_mutex{"file-system types"};
constinit std::atomic<std::uint32_t> next_anonymous_minor{1};
}  // namespace

// Never shrinks, so that readers need no lock.
class FileSystemTypes {
 public:
  static inline constinit std::atomic<FileSystemType*> first{nullptr};
  static FileSystemType* next(const FileSystemType& type) { return type.next_; }
};

void register_file_system(FileSystemType& type) {
  core::MutexGuard guard{types_mutex};
  // At the end, so that /proc/filesystems lists them in order of registration.
  FileSystemType* last = FileSystemTypes::first.load(std::memory_order_relaxed);
  if (!last) {
    FileSystemTypes::first.store(&type, std::memory_order_release);
    return;
  }
  while (last->next_) last = last->next_;
  last->next_ = &type;
}

const FileSystemType* find_file_system(std::string_view name) {
  for (FileSystemType* at = FileSystemTypes::first.load(std::memory_order_acquire); at;
       at = FileSystemTypes::next(*at))
    if (at->name() == name) return at;
  return nullptr;
}

void for_each_file_system(base::FunctionRef<void(const FileSystemType&)> visit) {
  for (FileSystemType* at = FileSystemTypes::first.load(std::memory_order_acquire); at;
       at = FileSystemTypes::next(*at))
    visit(*at);
}

FileSystem::FileSystem(const FileSystemType& type, std::uint64_t magic, std::string_view)
    : type_(type), magic_(magic), device_{0, next_anonymous_minor.fetch_add(1, std::memory_order_relaxed)} {}

FileSystem::~FileSystem() = default;

void FileSystem::release_reference() const {
  // release/acquire: every use happens before the destruction.
  if (references_.fetch_sub(1, std::memory_order_release) != 1) return;
  std::atomic_thread_fence(std::memory_order_acquire);
  // Walkers under RCU may still look at our dentries and inodes, which refer to us.
  auto* self = const_cast<FileSystem*>(this);
  core::rcu_retire(self->rcu_,
                   [](core::RcuHead& head) { delete base::container_of(&head, &FileSystem::rcu_); });
}

bool FileSystem::try_acquire_reference() const {
  auto old = references_.load(std::memory_order_relaxed);
  do {
    if (old == 0) return false;
  } while (
      !references_.compare_exchange_weak(old, old + 1, std::memory_order_acquire, std::memory_order_relaxed));
  return true;
}

Result<void> FileSystem::create_root(RefPtr<Inode> inode) {
  auto root = TRY(Dentry::create(*this, nullptr, "/"));
  root->instantiate(std::move(inode));
  root_ = std::move(root);
  return {};
}

Result<void> FileSystem::statistics(FileSystemStatistics& out) {
  out.magic = magic_;
  return {};
}

Result<void> FileSystem::remount(std::string_view, bool read_only) {
  set_read_only(read_only);
  return {};
}

void FileSystem::unmounted() {
  if (!root_) return;
  DentryCache::drop_tree(*root_);
  root_ = nullptr;
}

MountOption next_mount_option(std::string_view& rest) {
  MountOption option;
  while (rest.starts_with(',')) rest.remove_prefix(1);
  std::size_t end = rest.find(',');
  std::string_view item = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  std::size_t equals = item.find('=');
  option.name = item.substr(0, equals);
  if (equals != std::string_view::npos) {
    option.value = item.substr(equals + 1);
    option.has_value = true;
  }
  return option;
}

}  // namespace vfs
