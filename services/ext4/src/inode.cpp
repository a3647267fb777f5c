// The life of an inode: from the disk, to the disk, deletion.
#include "inode.h"

#include <cstring>

#include "core/log/log.h"
#include "core/memory/slab.h"
#include "core/random/random.h"
#include "core/time/clock.h"
#include "vfs/operations.h"

namespace ext4 {

namespace {

// Seconds have 32 bits, signed; the extra word has two more for the years after 2038, and the nanoseconds.
vfs::Timestamp decode_time(std::uint32_t seconds, std::uint32_t extra, bool has_extra) {
  vfs::Timestamp time;
  time.seconds = static_cast<std::int32_t>(seconds);
  if (!has_extra) return time;
  time.seconds += static_cast<std::int64_t>(extra & 3) << 32;
  time.nanoseconds = extra >> 2;
  if (time.nanoseconds >= core::ns_per_second) time.nanoseconds = 0;
  return time;
}
std::uint32_t encode_extra(vfs::Timestamp time) {
  std::int64_t epoch = (time.seconds - static_cast<std::int32_t>(time.seconds)) >> 32;
  return static_cast<std::uint32_t>(epoch & 3) | time.nanoseconds << 2;
}

// What fits behind `extra_size`.
bool has_field(std::uint16_t extra_size, std::size_t offset, std::size_t length = 4) {
  return small_inode_size + extra_size >= offset + length;
}

void encode_device(vfs::DeviceNumber device, std::byte* block) {
  std::uint32_t words[2] = {0, 0};
  if (device.major < 256 && device.minor < 256)
    words[0] = device.major << 8 | device.minor;
  else
    words[1] = static_cast<std::uint32_t>(device.encoded());
  std::memcpy(block, words, sizeof(words));
}
bool is_device(vfs::Mode mode) { return vfs::is_character(mode) || vfs::is_block(mode); }

}  // namespace

vfs::DeviceNumber Ext4Inode::decode_device(const std::uint8_t* block) {
  std::uint32_t old, fresh;
  std::memcpy(&old, block, 4);
  std::memcpy(&fresh, block + 4, 4);
  if (old) return {old >> 8 & 0xff, old & 0xff};
  return vfs::DeviceNumber::decode(fresh);
}
Ext4Inode::Ext4Inode(Ext4FileSystem& file_system, std::uint32_t number, const NewInode& properties)
    : Inode(file_system, number, properties), table_key(number), birth_(Inode::birth_time()) {}

Ext4Inode::~Ext4Inode() { ::operator delete(static_cast<void*>(link_text_)); }

// ---- From the disk ----

Result<void> Ext4Inode::load() {
  auto place = TRY(ext4().find_record(inode_number()));
  const RawInode* raw = place.raw();
  if (!ext4().record_is_right(place, inode_number())) return ext4().corrupted("checksum of inode", number());
  if (raw->links == 0 && (raw->mode == 0 || raw->delete_time > ext4().super().inodes_count) &&
      number() >= ext4().super().first_inode)
    return error(Errno::estale);
  std::uint32_t size = ext4().inode_size();
  bool large = size > small_inode_size;
  extra_size_ = large ? raw->extra_size : 0;
  if (large && (extra_size_ > size - small_inode_size || extra_size_ % 4))
    return ext4().corrupted("size of the extra fields of inode", number());
  disk_flags_ = raw->flags;
  generation_ = raw->generation;
  version_ = raw->version;
  checksum_seed_ = ext4().inode_seed(inode_number(), generation_);
  set_owner(raw->uid_low | static_cast<std::uint32_t>(raw->uid_high) << 16,
            raw->gid_low | static_cast<std::uint32_t>(raw->gid_high) << 16);
  set_link_count(raw->links);
  disk_size_ = raw->size_low | std::uint64_t{raw->size_high} << 32;
  set_size(disk_size_);
  std::uint64_t blocks = raw->blocks_low;
  if (ext4().has_read_only(read_only::huge_file)) blocks |= std::uint64_t{raw->blocks_high} << 32;
  blocks_512_ = disk_flags_ & flag_huge_file ? blocks << (ext4().block_shift() - 9) : blocks;
  xattr_block_ = raw->xattr_block_low | std::uint64_t{raw->xattr_block_high} << 32;
  std::memcpy(block_, raw->block, sizeof(block_));
  next_orphan_ = raw->links == 0 ? raw->delete_time : 0;
  set_access_time(decode_time(raw->access_time, raw->access_extra, has_field(extra_size_, 0x8c)));
  set_modify_time(decode_time(raw->modify_time, raw->modify_extra, has_field(extra_size_, 0x88)));
  set_change_time(decode_time(raw->change_time, raw->change_extra, has_field(extra_size_, 0x84)));
  birth_ =
      has_field(extra_size_, 0x94) ? decode_time(raw->birth_time, raw->birth_extra, true) : change_time();
  project_ = has_field(extra_size_, 0x9c) ? raw->project : 0;
  if (disk_flags_ & flag_immutable) set_flag(immutable);
  if (disk_flags_ & flag_append) set_flag(append_only);
  if (disk_flags_ & flag_no_atime) set_flag(no_access_time);
  if (disk_size_ > ext4().maximum_size()) return ext4().corrupted("size of inode", number());
  if (disk_flags_ & (flag_inline_data | flag_encrypted | flag_casefold | flag_verity))
    return error(Errno::eopnotsupp);
  switch (mode() & vfs::mode_type_mask) {
    case vfs::mode_regular:
      cache_ = TRY(page_cache::PageCache::create(*this));
      cache_->set_size(disk_size_);
      break;
    case vfs::mode_directory:
      if (disk_size_ == 0 || disk_size_ & (ext4().block_size() - 1))
        return ext4().corrupted("size of directory", number());
      break;
    case vfs::mode_symlink: {
      bool fast =
          !(disk_flags_ & flag_extents) && blocks_512_ <= (xattr_block_ ? ext4().block_size() >> 9 : 0);
      if (disk_size_ == 0 || disk_size_ >= (fast ? sizeof(block_) : ext4().block_size()))
        return ext4().corrupted("length of symbolic link", number());
      if (fast)
        set_inline_link({reinterpret_cast<const char*>(block_),
                         static_cast<std::size_t>(disk_size_)});  // SAFETY: bytes as text
      break;
    }
    case vfs::mode_character:
    case vfs::mode_block:
    case vfs::mode_fifo:
    case vfs::mode_socket:
      break;
    default:
      return ext4().corrupted("mode of inode", number());
  }
  loaded_ = true;
  stored_ = now();
  return {};
}

Result<void> Ext4Inode::initialise(Handle& handle, std::uint32_t generation, const Ext4Inode& parent) {
  generation_ = generation;
  checksum_seed_ = ext4().inode_seed(inode_number(), generation_);
  extra_size_ = ext4().inode_size() > small_inode_size ? sizeof(RawInode) - small_inode_size : 0;
  disk_flags_ = parent.disk_flags_ & (flag_no_atime | flag_no_dump | flag_project_inherit);
  if (!vfs::is_directory(mode())) disk_flags_ &= ~flag_project_inherit;
  project_ = parent.disk_flags_ & flag_project_inherit ? parent.project_ : 0;
  if (is_device(mode())) {
    encode_device(device(), block_);
  } else if (vfs::is_regular(mode()) || vfs::is_directory(mode())) {
    make_empty_extents();
  }
  if (vfs::is_regular(mode())) cache_ = TRY(page_cache::PageCache::create(*this));
  loaded_ = true;
  // What an earlier owner left in the record goes: also extended attributes.
  auto place = TRY(ext4().find_record(inode_number()));
  TRY(handle.access(place.buffer));
  std::memset(static_cast<void*>(place.raw()), 0, ext4().inode_size());
  return {};
}

// ---- To the disk ----

Ext4Inode::Stored Ext4Inode::now() const {
  return {mode(), uid(), gid(), link_count(), disk_size_, access_time(), modify_time(), change_time()};
}
bool Ext4Inode::has_changed() const { return !(stored_ == now()); }

Result<void> Ext4Inode::store(Handle& handle) {
  core::MutexGuard guard{record_mutex_};
  auto place = TRY(ext4().find_record(inode_number()));
  TRY(handle.access(place.buffer));
  RawInode* raw = place.raw();
  Stored fields = now();
  raw->mode = static_cast<std::uint16_t>(fields.mode);
  raw->uid_low = static_cast<std::uint16_t>(fields.uid);
  raw->uid_high = static_cast<std::uint16_t>(fields.uid >> 16);
  raw->gid_low = static_cast<std::uint16_t>(fields.gid);
  raw->gid_high = static_cast<std::uint16_t>(fields.gid >> 16);
  // More than 65000 subdirectories: a count of one says "many".
  raw->links = static_cast<std::uint16_t>(
      fields.links >= links_max && vfs::is_directory(fields.mode) ? 1 : fields.links);
  raw->size_low = static_cast<std::uint32_t>(fields.size);
  raw->size_high = static_cast<std::uint32_t>(fields.size >> 32);
  raw->flags = disk_flags_;
  raw->generation = generation_;
  raw->version = version_;
  std::uint64_t blocks = blocks_512_;
  if (blocks >= std::uint64_t{1} << 48) {
    blocks >>= ext4().block_shift() - 9;
    raw->flags |= flag_huge_file;
  } else {
    raw->flags &= ~flag_huge_file;
  }
  raw->blocks_low = static_cast<std::uint32_t>(blocks);
  raw->blocks_high = static_cast<std::uint16_t>(blocks >> 32);
  raw->xattr_block_low = static_cast<std::uint32_t>(xattr_block_);
  raw->xattr_block_high = static_cast<std::uint16_t>(xattr_block_ >> 32);
  std::memcpy(raw->block, block_, sizeof(block_));
  raw->access_time = static_cast<std::uint32_t>(fields.access.seconds);
  raw->modify_time = static_cast<std::uint32_t>(fields.modify.seconds);
  raw->change_time = static_cast<std::uint32_t>(fields.change.seconds);
  if (is_orphan || deleted_) {
    raw->delete_time =
        deleted_ ? static_cast<std::uint32_t>(core::realtime_ns() / core::ns_per_second) : next_orphan_;
  } else {
    raw->delete_time = 0;
  }
  if (ext4().inode_size() > small_inode_size) {
    raw->extra_size = extra_size_;
    if (has_field(extra_size_, 0x84)) raw->change_extra = encode_extra(fields.change);
    if (has_field(extra_size_, 0x88)) raw->modify_extra = encode_extra(fields.modify);
    if (has_field(extra_size_, 0x8c)) raw->access_extra = encode_extra(fields.access);
    if (has_field(extra_size_, 0x90)) raw->birth_time = static_cast<std::uint32_t>(birth_.seconds);
    if (has_field(extra_size_, 0x94)) raw->birth_extra = encode_extra(birth_);
    if (has_field(extra_size_, 0x9c)) raw->project = project_;
  }
  ext4().seal_record(place, inode_number());
  stored_ = fields;
  last_transaction_.store(handle.transaction(), std::memory_order_release);
  return {};
}

Result<void> Ext4Inode::store_if_changed() {
  if (!has_changed() || !ext4().is_writable() || deleted_) return {};
  Handle handle;
  TRY(handle.start(ext4().journal(), store_credits));
  return store(handle);
}

Result<void> Ext4Inode::sync(std::uint64_t from, std::uint64_t to, bool data_only) {
  Result<void> written;
  if (cache_) written = cache_->write_back(from, to);
  // Nothing will be committed any more: each fsync says so, not only the one that met the error.
  if (ext4().journal().is_aborted()) return error(Errno::eio);
  if (!ext4().is_writable()) return written;
  Stored old = stored_, fresh = now();
  // fdatasync leaves the stamps alone.
  bool only_times = old.size == fresh.size && old.mode == fresh.mode && old.links == fresh.links;
  if (!data_only || !only_times) TRY(store_if_changed());
  std::uint32_t transaction = last_transaction();
  if (transaction == 0 || ext4().journal().is_committed(transaction)) {
    TRY(ext4().volume().flush());
  } else {
    TRY(ext4().journal().commit(transaction));
  }
  return written;
}

// ---- The end ----

void Ext4Inode::evict() {
  if (cache_) {
    if (link_count() && !deleted_ && ext4().is_writable()) (void)!cache_->write_back(0, ~std::uint64_t{0});
    cache_->detach();
  }
  if (loaded_ && ext4().is_writable()) {
    Result<void> result;
    if (link_count() == 0 && !deleted_)
      result = delete_for_good();
    else
      result = store_if_changed();
    if (!result)
      core::log(core::LogLevel::error, "ext4 ({}): inode {} could not be written at its end, error {}",
                ext4().volume().name(), number(), result.error());
  }
  ext4().forget_inode(*this);
}

// If one of the two references is that of the dirty pages, and the other our caller's, then nobody has the
// file open, and without a name nobody comes to it any more.
void Ext4Inode::almost_unused() {
  if (cache_ && cache_->is_kept_for_dirty_pages() && reference_count() == 2) cache_->discard();
}

// Blocks first, in as many transactions as they need; then the inode itself, which until then is an orphan.
Result<void> Ext4Inode::delete_for_good() {
  bool has_extents = disk_flags_ & flag_extents;
  if (has_extents) TRY(truncate_blocks(0));
  Handle handle;
  TRY(handle.start(ext4().journal(), 16));
  Indivisible change(handle);
  TRY(drop_xattr_block(handle));
  TRY(ext4().remove_orphan(handle, *this));
  deleted_ = true;
  set_size(disk_size_ = 0);
  vfs::Mode old = mode();
  TRY(store(handle));
  TRY(ext4().free_inode(handle, inode_number(), vfs::is_directory(old)));
  return change.done();
}

Result<void> Ext4Inode::truncate_blocks(std::uint64_t size) {
  std::uint64_t first = (size + ext4().block_size() - 1) >> ext4().block_shift();
  if (first > 0xffffffffu) return {};
  for (;;) {
    Handle handle;
    TRY(handle.start(ext4().journal(), extent_credits + 8));
    core::WriteGuard guard{map_lock_};
    auto done = remove_extents(handle, static_cast<std::uint32_t>(first), std::uint64_t{1} << 32);
    // What is gone is gone, also before an error: the record says so.
    Indivisible change(handle);
    if (done && *done && link_count()) TRY(ext4().remove_orphan(handle, *this));
    TRY(store(handle));
    TRY(change.done());
    if (TRY(done)) return {};
  }
}

// ---- Attributes ----

Result<void> Ext4Inode::get_attributes(vfs::Attributes& out) {
  TRY(Inode::get_attributes(out));
  out.block_size = ext4().block_size();
  out.blocks_512 = blocks_512_;
  if (cache_) {
    // What is promised counts, as on Linux.
    out.blocks_512 += promised_pages_.load(std::memory_order_relaxed) * (core::page_size / 512);
    out.direct_memory_alignment = out.direct_offset_alignment = ext4().volume().disk().limits().logical_block;
  }
  out.birth_time = birth_;
  out.attributes_mask |= 0x40;  // STATX_ATTR_NODUMP
  if (disk_flags_ & flag_no_dump) out.attributes |= 0x40;
  return {};
}

Result<void> Ext4Inode::change_attributes(const vfs::AttributeChange& change) {
  TRY(Inode::change_attributes(change));
  return store_if_changed();
}

Result<void> Ext4Inode::truncate(std::uint64_t new_size) {
  if (!cache_) return error(Errno::einval);
  if (!ext4().is_writable()) return error(Errno::erofs);
  std::uint64_t old_size = size();
  bool shrinks = new_size < old_size;
  TRY(cache_->truncate(new_size));
  set_size(new_size);
  touch_modified();
  {
    // After a crash the blocks behind the new end go too.
    Handle handle;
    TRY(handle.start(ext4().journal(), store_credits + 2));
    if (shrinks) TRY(ext4().add_orphan(handle, *this));
    disk_size_ = new_size;
    TRY(store(handle));
  }
  return shrinks ? truncate_blocks(new_size) : Result<void>();
}

Result<std::uint32_t> Ext4Inode::attribute_flags() const {
  constexpr std::uint32_t shown = 0x2000ffff | flag_extents | flag_project_inherit;
  return disk_flags_ & shown;
}

Result<void> Ext4Inode::set_attribute_flags(std::uint32_t flags) {
  constexpr std::uint32_t changeable = flag_immutable | flag_append | flag_no_dump | flag_no_atime |
                                       0x8 /* sync */ | 0x10000 /* dirsync */ | flag_top_directory |
                                       flag_project_inherit;
  if ((flags ^ disk_flags_) & ~changeable & 0x2000ffff & ~(flag_index)) return error(Errno::eopnotsupp);
  Handle handle;
  TRY(handle.start(ext4().journal(), store_credits));
  disk_flags_ = (disk_flags_ & ~changeable) | (flags & changeable);
  auto apply = [&](std::uint32_t bit, Flag flag) { disk_flags_& bit ? set_flag(flag) : clear_flag(flag); };
  apply(flag_immutable, immutable);
  apply(flag_append, append_only);
  apply(flag_no_atime, no_access_time);
  touch_changed();
  return store(handle);
}

Result<vfs::LinkTarget> Ext4Inode::follow(const vfs::Credentials&) {
  if (!vfs::is_symlink(mode())) return error(Errno::einval);
  vfs::LinkTarget target;
  core::ReadGuard guard{map_lock_};
  Mapping mapping = TRY(map(0));
  if (mapping.is_hole()) return ext4().corrupted("symbolic link without text", number());
  BufferRef buffer = TRY(ext4().buffers().read(mapping.physical));
  std::string_view text{buffer->as<char>(), static_cast<std::size_t>(size())};
  if (text.find('\0') != std::string_view::npos) return ext4().corrupted("text of symbolic link", number());
  target.text = TRY(base::String::create(text));
  return target;
}

}  // namespace ext4
