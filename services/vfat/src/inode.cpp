// Life and attributes of an inode.
#include "inode.h"

#include <cstring>

#include "core/log/log.h"
#include "core/memory/slab.h"

namespace vfat {

using core::MutexGuard;

VfatInode::VfatInode(VfatFileSystem& file_system, std::uint64_t number, const NewInode& properties)
    : Inode(file_system, number, properties), chain_(file_system) {
  file_system.count_inode();
}

NewInode VfatInode::properties_of(VfatFileSystem& file_system, const ShortEntry& entry) {
  const Options& options = file_system.options();
  NewInode result;
  result.uid = options.uid;
  result.gid = options.gid;
  if (entry.attributes & attribute_directory) {
    result.mode = vfs::mode_directory | (0777 & ~options.directory_mask);
    return result;
  }
  vfs::Mode mode = 0777;
  if (options.show_executable) {
    std::string_view extension{reinterpret_cast<const char*>(entry.name) + 8, 3};  // SAFETY: bytes as text
    if (extension != "EXE" && extension != "COM" && extension != "BAT") mode = 0666;
  }
  if (entry.attributes & attribute_read_only) mode &= ~vfs::Mode{0222};
  result.mode = vfs::mode_regular | (mode & ~options.file_mask);
  return result;
}

Result<RefPtr<VfatInode>> VfatInode::make(VfatFileSystem& file_system, const ShortEntry& entry) {
  auto* memory =
      new (std::nothrow) VfatInode(file_system, file_system.next_number(), properties_of(file_system, entry));
  if (!memory) return error(Errno::enomem);
  auto inode = RefPtr<VfatInode>::adopt(memory);
  TRY(inode->load(entry));
  return inode;
}

Result<RefPtr<VfatInode>> VfatInode::make_root(VfatFileSystem& file_system) {
  ShortEntry entry{};
  entry.attributes = attribute_directory;
  auto* memory = new (std::nothrow) VfatInode(file_system, 1, properties_of(file_system, entry));
  if (!memory) return error(Errno::enomem);
  auto inode = RefPtr<VfatInode>::adopt(memory);
  inode->is_root_ = true;
  {
    MutexGuard guard{inode->chain_mutex_};
    inode->chain_.start_at(file_system.root_cluster());
  }
  TRY(inode->load_directory());
  inode->is_loaded_ = true;
  return inode;
}

Result<void> VfatInode::load(const ShortEntry& entry) {
  const Options& options = vfat().options();
  attributes_ = entry.attributes;
  {
    MutexGuard guard{chain_mutex_};
    std::uint32_t start = vfat().is_fat32() ? entry.cluster() & 0x0fffffff : entry.cluster_low;
    chain_.start_at(start);
    if (start && !vfat().is_cluster(start)) return vfat().corrupted("first cluster of an entry", start);
  }
  set_modify_time(decode_time(entry.modify_date, entry.modify_time, 0, options));
  set_change_time(modify_time());
  set_access_time(decode_time(entry.access_date, 0, 0, options));
  birth_ = decode_time(entry.birth_date, entry.birth_time, entry.birth_hundredths, options);
  if (vfs::is_directory(mode())) {
    TRY(load_directory());
  } else {
    set_size(entry.size);
    cache_ = TRY(page_cache::PageCache::create(*this));
    cache_->set_size(entry.size);
  }
  is_loaded_ = true;
  return {};
}

void VfatInode::note_size_of_directory(std::uint32_t clusters) {
  set_size(is_root_ && !vfat().is_fat32() ? vfat().root_bytes()
                                          : std::uint64_t{clusters} * vfat().cluster_bytes());
}

Result<void> VfatInode::load_directory() {
  {
    MutexGuard guard{chain_mutex_};
    if (!is_root_ && chain_.start() == 0) return vfat().corrupted("a directory without clusters", number());
    std::uint32_t clusters = TRY(chain_.length());
    if (std::uint64_t{clusters} * vfat().cluster_bytes() > directory_bytes_max + vfat().cluster_bytes())
      return vfat().corrupted("size of a directory in clusters", clusters);
    note_size_of_directory(clusters);
  }
  // "." and ".." are entries everywhere but in the root.
  std::uint32_t directories = is_root_ ? 2 : 0;
  DirectoryCursor cursor(*this, 0);
  FoundEntry found;
  while (TRY(cursor.next(found))) directories += (found.entry.attributes & attribute_directory) != 0;
  set_link_count(directories < 2 ? 2 : directories);
  return {};
}

// ---- To the disk ----

void VfatInode::fill_entry(ShortEntry& entry) {
  const Options& options = vfat().options();
  std::uint8_t unused;
  std::uint16_t unused_time;
  entry.attributes = attributes_;
  {
    MutexGuard guard{chain_mutex_};
    entry.set_cluster(chain_.start());
  }
  entry.size = vfs::is_directory(mode()) ? 0 : static_cast<std::uint32_t>(size());
  std::uint16_t date, time;
  encode_time(modify_time(), options, date, time, unused);
  entry.modify_date = date;
  entry.modify_time = time;
  encode_time(access_time(), options, date, unused_time, unused);
  entry.access_date = date;
  encode_time(birth_, options, date, time, entry.birth_hundredths);
  entry.birth_date = date;
  entry.birth_time = time;
}

Result<void> VfatInode::store() {
  if (is_root_ || !vfat().is_writable()) return {};
  MutexGuard guard{entry_mutex_};
  if (table_key == 0) return {};
  auto old = TRY(vfat().bytes().get<ShortEntry>(table_key));
  ShortEntry fresh = old;
  fill_entry(fresh);
  if (std::memcmp(&old, &fresh, sizeof(old)) == 0) return {};
  return vfat().bytes().put(table_key, fresh);
}

Result<void> VfatInode::sync(std::uint64_t from, std::uint64_t to) {
  Result<void> written;
  if (cache_) written = cache_->write_back(from, to);
  TRY(store());
  TRY(vfat().bytes().write_back());
  TRY(vfat().volume().flush());
  return written;
}

// ---- The end ----

void VfatInode::evict() {
  if (cache_) {
    if (link_count() && vfat().is_writable()) (void)!cache_->write_back(0, ~std::uint64_t{0});
    cache_->detach();
  }
  if (is_loaded_ && vfat().is_writable()) {
    Result<void> result;
    if (link_count() == 0) {
      MutexGuard guard{chain_mutex_};
      result = chain_.truncate(0);
    } else {
      result = store();
    }
    if (!result)
      core::log(core::LogLevel::error, "vfat ({}): a file could not be written at its end, error {}",
                vfat().volume().name(), result.error());
  }
  vfat().forget_inode(*this);
}

// If one of the two references is that of the dirty pages, and the other our caller's, then nobody has the
// file open, and without a name nobody comes to it any more.
void VfatInode::almost_unused() {
  if (cache_ && cache_->is_kept_for_dirty_pages() && reference_count() == 2) cache_->discard();
}

// ---- Attributes ----

Result<void> VfatInode::get_attributes(vfs::Attributes& out) {
  TRY(Inode::get_attributes(out));
  std::uint32_t cluster = vfat().cluster_bytes();
  out.block_size = cluster;
  out.blocks_512 = (size() + cluster - 1) / cluster * (cluster / 512);
  auto to_two_seconds = [](vfs::Timestamp time) {
    time.seconds &= ~std::int64_t{1};
    time.nanoseconds = 0;
    return time;
  };
  out.modify_time = to_two_seconds(out.modify_time);
  out.change_time = to_two_seconds(out.change_time);
  std::int64_t offset = vfat().options().time_offset_minutes * 60, day = 86400;
  std::int64_t local = out.access_time.seconds + offset;
  out.access_time = {local - (local % day + day) % day - offset, 0};
  out.birth_time = birth_;
  return {};
}

Result<void> VfatInode::change_attributes(const vfs::AttributeChange& given) {
  const Options& options = vfat().options();
  vfs::AttributeChange change = given;
  bool refused = (change.uid && *change.uid != options.uid) || (change.gid && *change.gid != options.gid) ||
                 (change.mode && (*change.mode & ~vfs::Mode{0777}));
  if (refused && !options.quiet) return error(Errno::eperm);
  if (refused) return {};
  change.uid.reset();
  change.gid.reset();
  if (change.mode) {
    // Only "read-only" can be held, of files: other modes change nothing, and nobody hears of it.
    bool directory = vfs::is_directory(mode());
    vfs::Mode mask = directory ? options.directory_mask : options.file_mask;
    vfs::Mode wanted = *change.mode & ~mask, all_writers = 0222 & ~mask;
    bool holds_read_only = !directory && all_writers;
    bool fits = (wanted & 0555) == (mode() & 0555) &&
                ((wanted & 0222) == all_writers || ((wanted & 0222) == 0 && holds_read_only));
    if (fits) {
      change.mode = wanted;
      std::uint8_t old = attributes_;
      if (holds_read_only)
        attributes_ =
            static_cast<std::uint8_t>(wanted & 0222 ? old & ~attribute_read_only : old | attribute_read_only);
    } else {
      change.mode.reset();
    }
  }
  TRY(Inode::change_attributes(change));
  return store();
}

Result<void> VfatInode::truncate(std::uint64_t new_size) {
  if (!cache_) return error(Errno::einval);
  if (!vfat().is_writable()) return error(Errno::erofs);
  if (new_size > vfat().maximum_size()) return error(Errno::efbig);
  if (new_size > size()) {
    TRY(extend(new_size));
  } else {
    TRY(cache_->truncate(new_size));
    set_size(new_size);
    TRY(trim());
  }
  attributes_ = static_cast<std::uint8_t>(attributes_ | attribute_archive);
  touch_modified();
  return store();
}

}  // namespace vfat
