// Instances of tmpfs: options, limits, statistics; and the registration of the types.
#include "base/bits.h"
#include "base/parse.h"
#include "core/init/init_step.h"
#include "core/memory/oom.h"
#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "handles.h"
#include "tmpfs_internal.h"

namespace tmpfs {

namespace {

template <TmpfsFileSystem::Limits limits, std::uint64_t magic>
Result<RefPtr<vfs::FileSystem>> mount(const vfs::FileSystemType& type, std::string_view options,
                                      vfs::Mode mode) {
  auto file_system = TRY(base::try_make_ref<TmpfsFileSystem>(type, magic));
  TRY(file_system->start(options, limits, mode));
  return RefPtr<vfs::FileSystem>(std::move(file_system));
}

Result<RefPtr<vfs::FileSystem>> mount_tmpfs(const vfs::MountOptions& options) {
  return create(tmpfs_type, options.data);
}
Result<RefPtr<vfs::FileSystem>> mount_ramfs(const vfs::MountOptions& options) {
  return create(ramfs_type, options.data);
}
Result<RefPtr<vfs::FileSystem>> refuse(const vfs::MountOptions&) { return error(Errno::einval); }

}  // namespace

constinit vfs::FileSystemType tmpfs_type{"tmpfs", vfs::FileSystemType::no_device, mount_tmpfs,
                                         TmpfsFileSystem::check_option};
constinit vfs::FileSystemType ramfs_type{"ramfs", vfs::FileSystemType::no_device, mount_ramfs};
constinit vfs::FileSystemType rootfs_type{"rootfs", vfs::FileSystemType::no_device, refuse};

Result<RefPtr<vfs::FileSystem>> create(const vfs::FileSystemType& type, std::string_view options) {
  using enum TmpfsFileSystem::Limits;
  if (&type == &ramfs_type) return mount<none, TmpfsFileSystem::ramfs_magic>(type, options, 0755);
  if (&type == &tmpfs_type) return mount<half_of_memory, TmpfsFileSystem::tmpfs_magic>(type, options, 01777);
  return mount<half_of_memory, TmpfsFileSystem::tmpfs_magic>(type, options, 0755);
}

Result<void> initialize() {
  vfs::register_file_system(rootfs_type);
  vfs::register_file_system(tmpfs_type);
  vfs::register_file_system(ramfs_type);
  register_handles();
  return {};
}

TmpfsFileSystem::Verdict TmpfsFileSystem::parse_option(const vfs::MountOption& option, Options& options) {
  std::string_view value = option.value;
  if (option.name == "size" && value.ends_with('%')) {
    auto percent = base::parse_unsigned(value.substr(0, value.size() - 1));
    if (!percent) return Verdict::bad_value;
    options.pages_given = true;
    options.pages = core::memory_statistics().total_pages * *percent / 100;
  } else if (option.name == "size") {
    auto bytes = base::parse_size(value);
    if (!bytes) return Verdict::bad_value;
    options.pages_given = true;
    options.pages = base::divide_round_up(*bytes, std::uint64_t{core::page_size});
  } else if (option.name == "nr_blocks") {
    auto count = base::parse_size(value);
    if (!count) return Verdict::bad_value;
    options.pages = *count;
    options.pages_given = true;
  } else if (option.name == "nr_inodes") {
    auto count = base::parse_size(value);
    if (!count) return Verdict::bad_value;
    options.inodes = *count;
    options.inodes_given = true;
  } else if (option.name == "mode") {
    auto mode = base::parse_unsigned(value, 8);
    if (!mode) return Verdict::bad_value;
    options.mode = static_cast<vfs::Mode>(*mode & vfs::mode_permissions);
  } else if (option.name == "uid" || option.name == "gid") {
    auto id = base::parse_unsigned(value);
    if (!id || *id > 0xfffffffe) return Verdict::bad_value;
    (option.name == "uid" ? options.uid : options.gid) = static_cast<std::uint32_t>(*id);
  } else if (option.name == "noswap") {
    options.no_swap = true;
  } else if (option.name != "huge" && option.name != "inode32" && option.name != "inode64" &&
             option.name != "mpol") {
    return Verdict::unknown;
  }
  return Verdict::good;
}

TmpfsFileSystem::Verdict TmpfsFileSystem::check_option(std::string_view text) {
  Options ignored;
  return parse_option(vfs::next_mount_option(text), ignored);
}

Result<void> TmpfsFileSystem::parse(std::string_view text, Options& options) {
  while (!text.empty()) {
    vfs::MountOption option = vfs::next_mount_option(text);
    if (!option.name.empty() && parse_option(option, options) != Verdict::good) return error(Errno::einval);
  }
  return {};
}

Result<void> TmpfsFileSystem::start(std::string_view text, Limits limits, vfs::Mode root_mode) {
  Options options;
  options.mode = root_mode;
  if (limits == Limits::half_of_memory) {
    options.pages = core::memory_statistics().total_pages / 2;
    options.inodes = options.pages;
  }
  TRY(parse(text, options));
  pages_max_.store(options.pages, std::memory_order_relaxed);
  inodes_max_.store(options.inodes, std::memory_order_relaxed);
  shown_ = options;
  auto root = TRY(make_inode(*this, {vfs::mode_directory | options.mode, options.uid, options.gid, {}}));
  root->become_directory();
  return create_root(std::move(root));
}

Result<void> TmpfsFileSystem::remount(std::string_view data, bool read_only) {
  Options options = shown_;
  TRY(parse(data, options));
  if (options.pages && options.pages < pages_.load(std::memory_order_relaxed)) return error(Errno::einval);
  if (options.inodes && options.inodes < inodes_.load(std::memory_order_relaxed)) return error(Errno::einval);
  pages_max_.store(options.pages, std::memory_order_relaxed);
  inodes_max_.store(options.inodes, std::memory_order_relaxed);
  shown_ = options;
  set_read_only(read_only);
  return {};
}

void TmpfsFileSystem::put_options(base::TextSink& out) const {
  if (magic() == ramfs_magic) {
    if (shown_.mode != 0755) base::format(out, ",mode={:o}", shown_.mode);
    return;
  }
  if (shown_.pages_given || &type() == &rootfs_type)
    base::format(out, ",size={}k", shown_.pages * (core::page_size / 1024));
  if (shown_.inodes_given || &type() == &rootfs_type) base::format(out, ",nr_inodes={}", shown_.inodes);
  if (&type() == &tmpfs_type && shown_.mode != 01777) base::format(out, ",mode={:o}", shown_.mode);
  if (shown_.no_swap) base::format(out, ",noswap");
  if (shown_.uid) base::format(out, ",uid={}", shown_.uid);
  if (shown_.gid) base::format(out, ",gid={}", shown_.gid);
  base::format(out, ",inode64");
}

Result<void> TmpfsFileSystem::statistics(vfs::FileSystemStatistics& out) {
  out.magic = magic();
  std::uint64_t used = pages_.load(std::memory_order_relaxed),
                limit = pages_max_.load(std::memory_order_relaxed);
  if (limit) {
    out.blocks = limit;
    out.blocks_free = out.blocks_available = limit > used ? limit - used : 0;
  }
  std::uint64_t inodes = inodes_.load(std::memory_order_relaxed),
                inode_limit = inodes_max_.load(std::memory_order_relaxed);
  if (inode_limit) {
    out.inodes = inode_limit;
    out.inodes_free = inode_limit > inodes ? inode_limit - inodes : 0;
  }
  return {};
}

Result<void> TmpfsFileSystem::charge(std::uint64_t pages) {
  std::uint64_t limit = pages_max_.load(std::memory_order_relaxed);
  std::uint64_t used = pages_.fetch_add(pages, std::memory_order_relaxed) + pages;
  if ((limit && used > limit) || !core::charge_commit(pages)) {
    pages_.fetch_sub(pages, std::memory_order_relaxed);
    return error(Errno::enospc);
  }
  return {};
}

void TmpfsFileSystem::uncharge(std::uint64_t pages) {
  pages_.fetch_sub(pages, std::memory_order_relaxed);
  core::uncharge_commit(pages);
}

Result<void> TmpfsFileSystem::charge_inode() {
  std::uint64_t limit = inodes_max_.load(std::memory_order_relaxed);
  std::uint64_t used = inodes_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (limit && used > limit) {
    uncharge_inode();
    return error(Errno::enospc);
  }
  return {};
}

}  // namespace tmpfs
