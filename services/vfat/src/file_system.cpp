// Mounting: the boot sector, the dirty bit, the table of inodes; and the way back.
#include "file_system.h"

#include <cstring>

#include "base/bits.h"
#include "core/log/log.h"
#include "core/memory/slab.h"
#include "core/time/clock.h"
#include "inode.h"
#include "vfat/vfat.h"
#include "vfs/context.h"

namespace vfat {

using core::LogLevel;
using core::MutexGuard;

struct VfatFileSystem::InodeTable {
  base::IntrusiveTree<VfatInode, &VfatInode::table_hook, &VfatInode::table_key> tree;
};

VfatFileSystem::VfatFileSystem(RefPtr<block::Volume> volume)
    : FileSystem(vfat_type, magic_number, volume->name()),
      volume_(std::move(volume)),
      bytes_(*volume_, 2048) {
  set_device(volume_->device());
}

VfatFileSystem::~VfatFileSystem() {
  set_root(nullptr);  // where no mount came about: its inode needs us
  finish();
  delete inodes_;
}

std::unexpected<Errno> VfatFileSystem::corrupted(const char* what, std::uint64_t where) {
  core::log(LogLevel::error, "vfat ({}): damaged: {} ({})", volume_->name(), what, where);
  was_dirty_ = true;
  if (options_.on_error == Options::OnError::read_only && !is_read_only()) {
    core::log(LogLevel::error, "vfat ({}): it is read-only from here on", volume_->name());
    set_read_only(true);
  }
  return error(Errno::eio);
}

// ---- The boot sector ----

Result<void> VfatFileSystem::check_boot_sector(const BootSector& boot) {
  auto refuse = [&](const char* why, std::uint64_t value) -> Result<void> {
    core::log(LogLevel::error, "vfat ({}): {} ({:#x})", volume_->name(), why, value);
    return error(Errno::einval);
  };
  if (boot.reserved_sectors == 0) return refuse("no reserved sectors", 0);
  if (boot.tables == 0) return refuse("no allocation table", 0);
  if (boot.media < 0xf8 && boot.media != 0xf0) return refuse("kind of medium", boot.media);
  std::uint32_t sector = boot.sector_bytes;
  if (!base::is_power_of_two(sector) || sector < 512 || sector > 4096)
    return refuse("size of sectors", sector);
  if (!base::is_power_of_two(boot.cluster_sectors) || boot.cluster_sectors > 128)
    return refuse("sectors in a cluster", boot.cluster_sectors);
  if (sector < volume_->disk().limits().logical_block)
    return refuse("sectors smaller than those of the device", sector);
  if (boot.table_sectors_16 == 0 && boot.fat32.table_sectors == 0)
    return refuse("size of the allocation table", 0);
  if (boot.root_entries % (sector / entry_size))
    return refuse("size of the root directory", boot.root_entries);
  return {};
}

Result<void> VfatFileSystem::read_boot_sector() {
  if (volume_->bytes() < 512) return error(Errno::einval);
  auto boot = TRY(bytes_.get<BootSector>(0));
  TRY(check_boot_sector(boot));
  auto refuse = [&](const char* why, std::uint64_t value) -> Result<void> {
    core::log(LogLevel::error, "vfat ({}): {} ({})", volume_->name(), why, value);
    return error(Errno::einval);
  };
  sector_bytes_ = boot.sector_bytes;
  cluster_bytes_ = sector_bytes_ * boot.cluster_sectors;
  bool fat32 = boot.table_sectors_16 == 0;
  tables_ = boot.tables;
  table_start_ = std::uint64_t{boot.reserved_sectors} * sector_bytes_;
  table_bytes_ = std::uint64_t{fat32 ? boot.fat32.table_sectors : boot.table_sectors_16} * sector_bytes_;
  root_start_ = table_start_ + table_bytes_ * tables_;
  root_bytes_ = boot.root_entries * entry_size;
  data_start_ = root_start_ + root_bytes_;
  std::uint64_t total = std::uint64_t{boot.sectors_16 ? boot.sectors_16 : boot.sectors_32} * sector_bytes_;
  if (total > volume_->bytes()) return refuse("the file system is larger than its device: bytes", total);
  if (data_start_ >= total) return refuse("no room for data", data_start_);
  std::uint64_t clusters = (total - data_start_) / cluster_bytes_;
  bits_ = fat32 ? 32 : clusters > 0xff4 ? 16 : 12;
  std::uint64_t in_table = table_bytes_ * 8 / bits_;
  if (in_table < first_cluster + 1) return refuse("size of the allocation table", table_bytes_);
  if (clusters > in_table - first_cluster) clusters = in_table - first_cluster;
  std::uint64_t most = bits_ == 32 ? 0x0ffffff6 : bits_ == 16 ? 0xfff4 : 0xff4;
  if (clusters == 0 || clusters > most) return refuse("number of clusters", clusters);
  cluster_end_ = static_cast<std::uint32_t>(clusters) + first_cluster;
  if (fat32) {
    if (root_bytes_ != 0) return refuse("a root directory of FAT16 on FAT32", root_bytes_);
    if (boot.fat32.version != 0) return refuse("version", boot.fat32.version);
    root_cluster_ = boot.fat32.root_cluster;
    if (!is_cluster(root_cluster_)) return refuse("first cluster of the root directory", root_cluster_);
    std::uint32_t info = boot.fat32.info_sector;
    if (info && info < boot.reserved_sectors) info_place_ = std::uint64_t{info} * sector_bytes_;
    // One table is active and the others are not kept up.
    if (boot.fat32.flags & 0x80) {
      unsigned active = boot.fat32.flags & 0xf;
      if (active >= tables_) return refuse("number of the active allocation table", active);
      table_start_ += active * table_bytes_;
      tables_ = 1;
    }
    serial_ = boot.fat32.serial;
    was_dirty_ = boot.fat32.state & state_dirty;
  } else {
    if (root_bytes_ == 0) return refuse("size of the root directory", 0);
    serial_ = boot.fat16.serial;
    was_dirty_ = boot.fat16.state & state_dirty;
  }
  return {};
}

Result<void> VfatFileSystem::read_info_sector() {
  if (!info_place_) return {};
  auto info = TRY(bytes_.get<InfoSector>(info_place_));
  if (info.signature_1 != info_signature_1 || info.signature_2 != info_signature_2) {
    core::log(LogLevel::warning, "vfat ({}): the information sector has a wrong signature and is not used",
              volume_->name());
    info_place_ = 0;
    return {};
  }
  MutexGuard guard{table_mutex_};
  if (is_cluster(info.next_cluster)) next_free_ = info.next_cluster;
  return {};  // the count is a hint that nobody vouches for: we count ourselves when we need it
}

Result<void> VfatFileSystem::write_info_sector() {
  if (!info_place_) return {};
  auto info = TRY(bytes_.get<InfoSector>(info_place_));
  {
    MutexGuard guard{table_mutex_};
    if (!free_is_known_) return {};
    if (info.free_clusters == free_count_ && info.next_cluster == next_free_) return {};
    info.free_clusters = free_count_;
    info.next_cluster = is_cluster(next_free_) ? next_free_ : first_cluster;
  }
  return bytes_.put(info_place_, info);
}

// Who mounts it dirty leaves it dirty: only a check of the whole can say otherwise.
Result<void> VfatFileSystem::set_dirty_bit(bool dirty) {
  if (was_dirty_) return {};
  auto boot = TRY(bytes_.get<BootSector>(0));
  std::uint8_t& state = is_fat32() ? boot.fat32.state : boot.fat16.state;
  state = static_cast<std::uint8_t>(dirty ? state | state_dirty : state & ~state_dirty);
  TRY(bytes_.put(0, boot));
  TRY(bytes_.write_back());
  return volume_->flush();
}

// ---- Start and end ----

Result<void> VfatFileSystem::start(const Options& defaults, std::string_view options, bool read_only) {
  inodes_ = new (std::nothrow) InodeTable;
  if (!inodes_) return error(Errno::enomem);
  TRY(volume_->claim(this));
  claimed_ = true;
  options_ = defaults;
  TRY(options_.parse(options));
  TRY(read_boot_sector());
  TRY(read_info_sector());
  if (!read_only && volume_->is_read_only()) return error(Errno::erofs);
  auto root = TRY(VfatInode::make_root(*this));
  if (was_dirty_)
    core::log(LogLevel::warning, "vfat ({}): it was not properly unmounted; fsck.vfat can check it",
              volume_->name());
  set_read_only(read_only);
  if (!read_only) TRY(start_writing());
  TRY(create_root(std::move(root)));
  core::log(LogLevel::info, "vfat ({}): FAT{} mounted {}", volume_->name(), bits_,
            read_only ? "read-only" : "for writing");
  return {};
}

Result<void> VfatFileSystem::start_writing() {
  TRY(set_dirty_bit(true));
  writable_ = true;
  return {};
}

Result<void> VfatFileSystem::stop_writing() {
  if (!writable_) return {};
  Result<void> result = sync();
  writable_ = false;
  TRY(result);
  return set_dirty_bit(false);
}

void VfatFileSystem::finish() {
  if (finished_) return;
  finished_ = true;
  if (auto stopped = stop_writing(); !stopped)
    core::log(LogLevel::error, "vfat ({}): not cleanly unmounted, error {}", volume_->name(),
              stopped.error());
  if (claimed_) volume_->release(this);
}

void VfatFileSystem::unmounted() {
  vfs::finish_evictions();
  if (auto synced = sync(); !synced)
    core::log(LogLevel::error, "vfat ({}): not everything could be written, error {}", volume_->name(),
              synced.error());
  FileSystem::unmounted();
  vfs::finish_evictions();
  // With files still open (lazy unmount) the last of them finishes.
  bool empty;
  {
    MutexGuard guard{inodes_mutex_};
    gone_ = true;
    empty = inode_count_ == 0;
  }
  if (empty) finish();
}

Result<void> VfatFileSystem::sync() {
  if (!writable_) return {};
  Result<void> result;
  auto note = [&](Result<void> one) {
    if (!one && result) result = one;
  };
  for_each_inode([&](VfatInode& inode) {
    if (inode.cache() && inode.cache()->has_dirty_pages())
      note(inode.cache()->write_back(0, ~std::uint64_t{0}));
    note(inode.store());
  });
  note(write_info_sector());
  note(bytes_.write_back());
  note(volume_->flush());
  return result;
}

Result<void> VfatFileSystem::remount(std::string_view data, bool read_only) {
  Options changed = options_;
  TRY(changed.parse(data));
  if (read_only) {
    TRY(stop_writing());
  } else if (!writable_) {
    if (volume_->is_read_only()) return error(Errno::erofs);
    TRY(start_writing());
  }
  options_.on_error = changed.on_error;
  options_.quiet = changed.quiet;
  set_read_only(read_only);
  return {};
}

Result<void> VfatFileSystem::statistics(vfs::FileSystemStatistics& out) {
  MutexGuard guard{table_mutex_};
  TRY(count_free());
  out.magic = magic_number;
  out.block_size = out.fragment_size = cluster_bytes_;
  out.blocks = cluster_end_ - first_cluster;
  out.blocks_free = out.blocks_available = free_count_;
  out.name_length = 1530;  // what Linux says: 255 characters of up to six bytes
  return {};
}

// ---- Inodes ----

Result<RefPtr<VfatInode>> VfatFileSystem::get_inode(std::uint64_t place, const ShortEntry& entry) {
  RefPtr<VfatInode> fresh;
  for (;;) {
    {
      MutexGuard guard{inodes_mutex_};
      if (VfatInode* existing = inodes_->tree.find(place)) {
        if (existing->try_acquire_reference()) {
          auto found = RefPtr<VfatInode>::adopt(existing);
          guard.unlock();
          fresh = nullptr;
          guard.lock();
          return found;
        }
        // On its way out: it may still write itself.
        TRY(inode_gone_.wait(guard, core::WaitMode::uninterruptible,
                             [&] { return inodes_->tree.find(place) != existing; }));
        continue;
      }
      if (fresh) {
        fresh->table_key = place;
        inodes_->tree.insert(*fresh);
        return fresh;
      }
    }
    fresh = TRY(VfatInode::make(*this, entry));
  }
}

void VfatFileSystem::count_inode() {
  MutexGuard guard{inodes_mutex_};
  ++inode_count_;
}

void VfatFileSystem::forget_inode(VfatInode& inode) {
  bool last;
  {
    MutexGuard guard{inodes_mutex_};
    if (inode.table_hook.is_linked()) inodes_->tree.remove(inode);
    last = --inode_count_ == 0 && gone_;
  }
  inode_gone_.wake_all();
  if (last) finish();
}

void VfatFileSystem::move_inode(VfatInode& inode, std::uint64_t place) {
  MutexGuard guard{inodes_mutex_};
  if (inode.table_hook.is_linked()) inodes_->tree.remove(inode);
  inode.table_key = place;
  if (place) inodes_->tree.insert(inode);
}

void VfatFileSystem::for_each_inode(base::FunctionRef<void(VfatInode&)> visit) {
  for (std::uint64_t next = 0;;) {
    RefPtr<VfatInode> inode;
    {
      MutexGuard guard{inodes_mutex_};
      VfatInode* at = inodes_->tree.lower_bound(next);
      while (at && !at->try_acquire_reference()) at = inodes_->tree.upper_bound(at->table_key);
      if (!at) return;
      inode = RefPtr<VfatInode>::adopt(at);
      next = at->table_key + 1;
    }
    visit(*inode);
  }
}

// ---- The type ----

namespace {
Result<RefPtr<vfs::FileSystem>> mount(const vfs::MountOptions& options) {
  auto volume = TRY(byte_cache::volume_of(options));
  Options defaults;
  if (options.caller) {
    defaults.uid = options.caller->credentials.uid;
    defaults.gid = options.caller->credentials.gid;
    defaults.file_mask = defaults.directory_mask = options.caller->context.umask();
  }
  auto file_system = TRY(base::try_make_ref<VfatFileSystem>(std::move(volume)));
  auto started = file_system->start(defaults, options.data, options.read_only);
  if (!started) {
    file_system->finish();  // now, not with the grace period: the volume is free for the next attempt
    return error(started.error());
  }
  return RefPtr<vfs::FileSystem>(std::move(file_system));
}
}  // namespace

constinit vfs::FileSystemType vfat_type{"vfat", vfs::FileSystemType::requires_device, mount};

Result<void> initialize() {
  vfs::register_file_system(vfat_type);
  return {};
}

}  // namespace vfat
