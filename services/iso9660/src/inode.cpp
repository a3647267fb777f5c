#include "inode.h"

#include <algorithm>

#include "core/log/log.h"
#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "vfs/directory.h"

namespace iso9660 {

using core::page_shift;

IsoInode::IsoInode(IsoFileSystem& file_system, std::uint64_t number, const vfs::NewInode& properties)
    : Inode(file_system, number, properties) {
  file_system.inodes().count();
}

void IsoInode::evict() {
  if (cache_) cache_->detach();
  if (iso().inodes().forget(*this)) iso().finish();
}

// ---- Loading ----

namespace {
bool is_device(vfs::Mode mode) { return vfs::is_character(mode) || vfs::is_block(mode); }

vfs::NewInode properties_of(const IsoFileSystem& iso, const Record& record, const RockRidge& rock_ridge) {
  const Options& options = iso.options();
  vfs::NewInode result;
  result.mode = (record.is_directory() ? vfs::mode_directory : vfs::mode_regular) | 0555;
  if (rock_ridge.has_mode) {
    result.mode = rock_ridge.mode & (vfs::mode_type_mask | vfs::mode_permissions);
    result.uid = rock_ridge.uid;
    result.gid = rock_ridge.gid;
  }
  if (is_device(result.mode)) result.device = rock_ridge.device;
  if (options.has_uid) result.uid = options.uid;
  if (options.has_gid) result.gid = options.gid;
  bool directory = vfs::is_directory(result.mode);
  if (directory ? options.has_directory_mode : options.has_file_mode && vfs::is_regular(result.mode))
    result.mode =
        (result.mode & vfs::mode_type_mask) | (directory ? options.directory_mode : options.file_mode);
  return result;
}
}  // namespace

Result<RefPtr<IsoInode>> IsoInode::load(IsoFileSystem& iso, std::uint64_t place) {
  Record record;
  TRY(iso.read_record(place, record));
  if (!record.is_whole()) return iso.corrupted("directory record at", place);
  RockRidge rock_ridge;
  TRY(iso.read_rock_ridge(record, rock_ridge));
  vfs::NewInode properties = properties_of(iso, record, rock_ridge);
  vfs::Mode kind = properties.mode & vfs::mode_type_mask;
  bool known = kind == vfs::mode_regular || kind == vfs::mode_directory || kind == vfs::mode_symlink ||
               kind == vfs::mode_fifo || kind == vfs::mode_socket || is_device(properties.mode);
  if (!known || record.is_directory() != (kind == vfs::mode_directory))
    return iso.corrupted("kind of file at", place);
  // Records are at least 34 bytes long and begin at even places.
  auto* memory = new (std::nothrow) IsoInode(iso, place / 2, properties);
  if (!memory) return error(Errno::enomem);
  auto inode = RefPtr<IsoInode>::adopt(memory);
  inode->set_link_count(rock_ridge.has_mode ? rock_ridge.links : 1);
  vfs::Timestamp time = short_time(record.time());
  inode->set_modify_time(rock_ridge.has_modify ? rock_ridge.modify : time);
  inode->set_access_time(rock_ridge.has_access ? rock_ridge.access : time);
  inode->set_change_time(rock_ridge.has_change ? rock_ridge.change : time);
  if (kind == vfs::mode_symlink) {
    if (rock_ridge.link.empty()) return iso.corrupted("symbolic link without text at", place);
    if (rock_ridge.link.view().find('\0') != std::string_view::npos)
      return iso.corrupted("text of symbolic link at", place);
    inode->link_text_ = std::move(rock_ridge.link);
    inode->set_inline_link(inode->link_text_.view());
    return inode;
  }
  inode->is_compressed_ = rock_ridge.is_compressed;
  if (kind == vfs::mode_regular || kind == vfs::mode_directory) TRY(inode->load_contents(place, record));
  return inode;
}

// Where its bytes lie: further extents are in the records that follow.
Result<void> IsoInode::load_contents(std::uint64_t place, const Record& first) {
  constexpr unsigned extents_max = 65536;
  Record record = first;
  std::uint64_t total = 0, volume_bytes = iso().volume().bytes();
  for (;;) {
    std::uint64_t start = std::uint64_t{record.extent()} * iso().block_bytes(), bytes = record.size();
    if (bytes && (start > volume_bytes || bytes > volume_bytes - start))
      return iso().corrupted("extent beyond the end of the disc at", place);
    if (record.is_interleaved()) is_interleaved_ = true;
    TRY(extents_.try_push_back({start, bytes}));
    total += bytes;
    if (!(record.flags() & flag_more_extents) || record.is_directory()) break;
    if (extents_.size() >= extents_max) return iso().corrupted("number of extents at", place);
    place += record.length;
    TRY(iso().read_record(place, record));
    if (record.length == 0) {
      place = (place + sector_bytes) & ~std::uint64_t{sector_bytes - 1};
      TRY(iso().read_record(place, record));
    }
    if (!record.is_whole()) return iso().corrupted("directory record at", place);
  }
  set_size(total);
  if (!vfs::is_regular(mode())) return {};
  cache_ = TRY(page_cache::PageCache::create(*this));
  cache_->set_size(total);
  return {};
}

// ---- Files ----

Result<RefPtr<vfs::File>> IsoInode::open(const vfs::OpenRequest& request) {
  if (vfs::is_directory(mode())) return byte_cache::open_listed_directory(&IsoInode::list);
  if (!cache_) return Inode::open(request);
  if (is_compressed_) {
    core::log(core::LogLevel::error, "iso9660 ({}): a file compressed by zisofs is not supported",
              iso().volume().name());
    return error(Errno::eopnotsupp);
  }
  if (is_interleaved_) return iso().corrupted("interleaved file, inode", number());
  return byte_cache::open_cached_file(cache_);
}

Result<void> IsoInode::get_attributes(vfs::Attributes& out) {
  TRY(Inode::get_attributes(out));
  out.block_size = iso().block_bytes();
  out.result_mask = 0x7ff;  // no time of birth
  return {};
}

Result<void> IsoInode::read_pages(std::uint64_t first, std::span<core::Page* const> pages) {
  std::uint64_t at = first << page_shift, end = (first + pages.size()) << page_shift;
  if (end > size()) end = size();
  byte_cache::PageMover mover(iso().volume(), block::Operation::read, first, pages);
  std::uint64_t begin = 0;  // of the extent in the file
  for (const Extent& extent : extents_) {
    if (at >= end) break;
    if (at < begin + extent.bytes) {
      std::uint64_t within = at - begin;
      std::uint64_t count = std::min(end - at, extent.bytes - within);
      // All extents but the last are whole sectors, and what follows the end in the last sector is not shown.
      std::uint64_t rounded = (count + block::sector_size - 1) & ~std::uint64_t{block::sector_size - 1};
      if ((at | within) & (block::sector_size - 1))
        return iso().corrupted("odd length of an extent of inode", number());
      TRY(mover.add(at, rounded, extent.place + within));
      at += count;
    }
    begin += extent.bytes;
  }
  TRY(mover.finish());
  // The rest of the last sector.
  if (end == size() && (end & (core::page_size - 1))) {
    auto* page = core::data_of<std::byte>(*pages[(end >> page_shift) - first]);
    std::size_t from = end & (core::page_size - 1);
    std::memset(page + from, 0, core::page_size - from);
  }
  return {};
}

// ---- Directories ----

Result<bool> IsoInode::next_entry(std::uint64_t offset, Entry& entry) {
  std::uint64_t start = extents_[0].place;
  const Options& options = iso().options();
  while (offset + record_head < size()) {
    std::uint64_t place = start + offset;
    TRY(iso().read_record(place, entry.record));
    if (entry.record.length == 0) {
      offset = (offset + sector_bytes) & ~std::uint64_t{sector_bytes - 1};
      continue;
    }
    if (!entry.record.is_whole()) return iso().corrupted("directory record at", place);
    offset += entry.record.length;
    // Further extents of a file are no files.
    bool more = entry.record.flags() & flag_more_extents;
    while (more && offset + record_head < size()) {
      Record further;
      TRY(iso().read_record(start + offset, further));
      if (further.length == 0) {
        offset = (offset + sector_bytes) & ~std::uint64_t{sector_bytes - 1};
        continue;
      }
      if (!further.is_whole()) return iso().corrupted("directory record at", start + offset);
      offset += further.length;
      more = further.flags() & flag_more_extents;
    }
    if (entry.record.is_dot() || entry.record.is_dot_dot()) continue;
    if ((entry.record.flags() & flag_hidden) && !options.show_hidden && !iso().has_rock_ridge()) continue;
    if ((entry.record.flags() & flag_associated) && !options.show_associated) continue;
    entry.rock_ridge = RockRidge{};
    TRY(iso().read_rock_ridge(entry.record, entry.rock_ridge));
    if (entry.rock_ridge.is_relocated) continue;
    entry.name = iso().name_of(entry.record, entry.rock_ridge, entry.memory);
    entry.place = entry.rock_ridge.child_link
                      ? std::uint64_t{entry.rock_ridge.child_link} * iso().block_bytes()
                      : place;
    entry.next = offset;
    if (entry.name.empty() || entry.name == "." || entry.name == "..") continue;
    return true;
  }
  return false;
}

Result<RefPtr<vfs::Inode>> IsoInode::lookup(std::string_view name) {
  if (!vfs::is_directory(mode())) return error(Errno::enotdir);
  if (name.size() > vfs::name_max) return error(Errno::enametoolong);
  auto entry = TRY(base::try_make_unique<Entry>());
  for (std::uint64_t offset = 0; TRY(next_entry(offset, *entry)); offset = entry->next)
    if (entry->name == name) return RefPtr<Inode>(TRY(iso().get_inode(entry->place)));
  return RefPtr<Inode>{};
}

// Positions: 0 and 1 are the dots, then two more than the offset of the next record.
Result<void> IsoInode::list(vfs::Inode& inode, vfs::DirectorySink& sink, std::uint64_t& position) {
  using vfs::SinkState;
  auto& self = static_cast<IsoInode&>(inode);
  if (position == 0) {
    if (sink.entry(".", self.number(), 4, 1) == SinkState::full) return {};
    position = 1;
  }
  if (position == 1) {
    // The parent's number is known to the vfs only, which does not take it from here.
    if (sink.entry("..", self.number(), 4, 2) == SinkState::full) return {};
    position = 2;
  }
  auto entry = TRY(base::try_make_unique<Entry>());
  while (TRY(self.next_entry(position - 2, *entry))) {
    vfs::Mode mode = entry->rock_ridge.has_mode     ? entry->rock_ridge.mode
                     : entry->record.is_directory() ? vfs::mode_directory
                                                    : vfs::mode_regular;
    if (entry->rock_ridge.child_link) mode = vfs::mode_directory;
    if (sink.entry(entry->name, entry->place / 2, vfs::directory_entry_type(mode), entry->next + 2) ==
        SinkState::full)
      return {};
    position = entry->next + 2;
  }
  return {};
}

}  // namespace iso9660
