// Mounting: the super block and what it must be; and the way back.
#include "file_system.h"

#include "base/bits.h"
#include "core/log/log.h"
#include "core/memory/slab.h"
#include "inode.h"
#include "squashfs/squashfs.h"

namespace squashfs {

using core::LogLevel;

struct SquashFileSystem::Table {
  byte_cache::InodeTable<SquashInode> inodes;
};

byte_cache::InodeTable<SquashInode>& SquashFileSystem::inodes() { return table_->inodes; }

SquashFileSystem::SquashFileSystem(RefPtr<block::Volume> volume)
    : FileSystem(squashfs_type, super_magic, volume->name()),
      volume_(std::move(volume)),
      bytes_(*volume_, 256) {
  set_device(volume_->device());
}

SquashFileSystem::~SquashFileSystem() {
  set_root(nullptr);  // where no mount came about: its inode needs us
  finish();
  delete table_;
}

std::unexpected<Errno> SquashFileSystem::corrupted(const char* what, std::uint64_t where) {
  if (complaints_.fetch_add(1) < 20)
    core::log(LogLevel::error, "squashfs ({}): damaged: {} ({:#x})", volume_->name(), what, where);
  return error(Errno::eio);
}

Result<void> SquashFileSystem::read_super() {
  if (volume_->bytes() < sizeof(SuperBlock)) return error(Errno::einval);
  super_ = TRY(bytes_.get<SuperBlock>(0));
  auto refuse = [&](const char* why, std::uint64_t value) -> Result<void> {
    core::log(LogLevel::error, "squashfs ({}): {} ({:#x})", volume_->name(), why, value);
    return error(Errno::einval);
  };
  const SuperBlock& s = super_;
  if (s.magic != super_magic) return refuse("there is no super block of squashfs", s.magic);
  if (s.major != 4 || s.minor != 0) return refuse("version", std::uint64_t{s.major} << 16 | s.minor);
  switch (static_cast<Compressor>(s.compressor)) {
    case Compressor::gzip:
    case Compressor::xz:
    case Compressor::lz4:
    case Compressor::zstd:
      break;
    default:
      return refuse("it is compressed by what is not supported, number", s.compressor);
  }
  if (s.bytes_used < sizeof(SuperBlock) || s.bytes_used > volume_->bytes())
    return refuse("it is larger than its device: bytes", s.bytes_used);
  if (!base::is_power_of_two(s.block_size) || s.block_size < 4096 || s.block_size > (1u << 20) ||
      s.block_size != 1u << (s.block_shift & 31) || s.block_shift > 20)
    return refuse("size of blocks", s.block_size);
  if ((s.root_inode & 0xffff) >= metadata_size) return refuse("root inode", s.root_inode);
  if (s.ids == 0) return refuse("no table of owners", 0);
  for (std::uint64_t table : {s.id_table, s.inode_table, s.directory_table})
    if (table < sizeof(SuperBlock) || table >= s.bytes_used) return refuse("place of a table", table);
  if (s.inode_table >= s.directory_table) return refuse("order of the tables", s.directory_table);
  for (std::uint64_t table : {s.xattr_table, s.fragment_table})
    if (table != no_table && (table < sizeof(SuperBlock) || table >= s.bytes_used))
      return refuse("place of a table", table);
  if (s.xattr_table != no_table) {
    auto xattrs = bytes_.get<XattrTable>(s.xattr_table);
    if (!xattrs) return error(xattrs.error());
    if (xattrs->start >= s.bytes_used) return refuse("place of the extended attributes", xattrs->start);
    xattr_start_ = xattrs->start;
    xattr_ids_ = xattrs->ids;
  }
  return {};
}

Result<void> SquashFileSystem::start(std::string_view options) {
  table_ = new (std::nothrow) Table;
  if (!table_) return error(Errno::enomem);
  for (;;) {
    vfs::MountOption option = vfs::next_mount_option(options);
    if (option.name.empty()) break;
    if (option.name != "errors" && option.name != "threads") {
      core::log(LogLevel::error, "squashfs ({}): unknown mount option \"{}\"", volume_->name(), option.name);
      return error(Errno::einval);
    }
  }
  TRY(volume_->claim(this));
  claimed_ = true;
  TRY(read_super());
  set_read_only(true);
  auto root = TRY(get_inode(super_.root_inode));
  if (!vfs::is_directory(root->mode())) {
    core::log(LogLevel::error, "squashfs ({}): the root is no directory", volume_->name());
    return error(Errno::einval);
  }
  TRY(create_root(std::move(root)));
  core::log(LogLevel::info, "squashfs ({}): mounted", volume_->name());
  return {};
}

void SquashFileSystem::finish() {
  if (finished_) return;
  finished_ = true;
  if (claimed_) volume_->release(this);
}

void SquashFileSystem::unmounted() {
  vfs::finish_evictions();
  FileSystem::unmounted();
  vfs::finish_evictions();
  // With files still open (lazy unmount) the last of them finishes.
  if (inodes().close()) finish();
}

Result<void> SquashFileSystem::remount(std::string_view, bool) {
  set_read_only(true);  // whatever is asked for, as on Linux
  return {};
}

Result<void> SquashFileSystem::statistics(vfs::FileSystemStatistics& out) {
  out.magic = super_magic;
  out.block_size = out.fragment_size = super_.block_size;
  out.blocks = ((super_.bytes_used - 1) >> super_.block_shift) + 1;
  out.inodes = super_.inodes;
  out.name_length = 256;
  return {};
}

Result<RefPtr<SquashInode>> SquashFileSystem::get_inode(std::uint64_t reference) {
  return inodes().get(reference, [&] { return SquashInode::load(*this, reference); });
}

// ---- The type ----

namespace {
Result<RefPtr<vfs::FileSystem>> mount(const vfs::MountOptions& options) {
  auto volume = TRY(byte_cache::volume_of(options));
  auto file_system = TRY(base::try_make_ref<SquashFileSystem>(std::move(volume)));
  auto started = file_system->start(options.data);
  if (!started) {
    file_system->finish();  // now, not with the grace period: the volume is free for the next attempt
    return error(started.error());
  }
  return RefPtr<vfs::FileSystem>(std::move(file_system));
}
}  // namespace

constinit vfs::FileSystemType squashfs_type{"squashfs", vfs::FileSystemType::requires_device, mount};

Result<void> initialize() {
  vfs::register_file_system(squashfs_type);
  return {};
}

}  // namespace squashfs
