// Records of inodes, contents of files, extended attributes.
#include "inode.h"

#include <algorithm>
#include <cstring>

#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"

namespace squashfs {

using core::MutexGuard;
using core::page_shift;
using core::page_size;

SquashInode::SquashInode(SquashFileSystem& file_system, std::uint64_t number, const vfs::NewInode& properties)
    : Inode(file_system, number, properties) {
  file_system.inodes().count();
}

SquashInode::~SquashInode() { ::operator delete(static_cast<void*>(link_text_)); }

void SquashInode::evict() {
  if (cache_) cache_->detach();
  if (squash().inodes().forget(*this)) squash().finish();
}

// ---- Records ----

namespace {
constexpr vfs::Mode modes[] = {0,
                               vfs::mode_directory,
                               vfs::mode_regular,
                               vfs::mode_symlink,
                               vfs::mode_block,
                               vfs::mode_character,
                               vfs::mode_fifo,
                               vfs::mode_socket};
bool is_long(const InodeHead& head) { return head.type > long_types; }
InodeType kind_of(const InodeHead& head) {
  return static_cast<InodeType>(is_long(head) ? head.type - long_types : head.type);
}
}  // namespace

Result<RefPtr<SquashInode>> SquashInode::load(SquashFileSystem& squash, std::uint64_t reference) {
  std::uint64_t block = reference >> 16;
  if (block > squash.super().bytes_used) return squash.corrupted("reference of an inode", reference);
  Cursor cursor{squash.super().inode_table + block, static_cast<std::size_t>(reference & 0xffff)};
  auto head = TRY(squash.get<InodeHead>(cursor));
  if (head.type == 0 || head.type > 2 * long_types) return squash.corrupted("kind of inode", head.type);
  vfs::NewInode properties;
  InodeType kind = kind_of(head);
  properties.mode = modes[static_cast<unsigned>(kind)] | (head.mode & vfs::mode_permissions);
  properties.uid = TRY(squash.id(head.uid));
  properties.gid = TRY(squash.id(head.gid));
  std::uint32_t links = 1;
  if (kind == InodeType::block || kind == InodeType::character) {
    Cursor ahead = cursor;
    links = TRY(squash.get<std::uint32_t>(ahead));
    properties.device = vfs::DeviceNumber::decode(TRY(squash.get<std::uint32_t>(ahead)));
  }
  auto* memory = new (std::nothrow) SquashInode(squash, head.number, properties);
  if (!memory) return error(Errno::enomem);
  auto inode = RefPtr<SquashInode>::adopt(memory);
  inode->set_link_count(links);
  vfs::Timestamp time{head.modify_time, 0};
  inode->set_access_time(time);
  inode->set_modify_time(time);
  inode->set_change_time(time);
  TRY(inode->load_kind(head, cursor));
  return inode;
}

Result<void> SquashInode::load_kind(const InodeHead& head, Cursor& cursor) {
  switch (kind_of(head)) {
    case InodeType::directory:
      return load_directory(head, cursor);
    case InodeType::file:
      return load_file(head, cursor);
    case InodeType::symlink:
      return load_symlink(head, cursor);
    case InodeType::block:
    case InodeType::character:
      (void)TRY(squash().get<std::uint64_t>(cursor));  // links and number, which are known
      break;
    case InodeType::fifo:
    case InodeType::socket:
      set_link_count(TRY(squash().get<std::uint32_t>(cursor)));
      break;
  }
  if (is_long(head)) xattr_ = TRY(squash().get<std::uint32_t>(cursor));
  return {};
}

Result<void> SquashInode::load_directory(const InodeHead& head, Cursor& cursor) {
  std::uint32_t block, size;
  std::uint16_t offset;
  if (is_long(head)) {
    auto raw = TRY(squash().get<LongDirectory>(cursor));
    set_link_count(raw.links);
    block = raw.block;
    size = raw.size;
    offset = raw.offset;
    parent_ = raw.parent;
    xattr_ = raw.xattr;
  } else {
    auto raw = TRY(squash().get<ShortDirectory>(cursor));
    set_link_count(raw.links);
    block = raw.block;
    size = raw.size;
    offset = raw.offset;
    parent_ = raw.parent;
  }
  entries_ = {squash().super().directory_table + block, offset};
  entries_size_ = size > directory_size_bias ? size - directory_size_bias : 0;
  set_size(size);
  return {};
}

Result<void> SquashInode::load_file(const InodeHead& head, Cursor& cursor) {
  std::uint64_t start, bytes;
  if (is_long(head)) {
    auto raw = TRY(squash().get<LongFile>(cursor));
    set_link_count(raw.links);
    start = raw.start;
    bytes = raw.size;
    fragment_ = raw.fragment;
    fragment_offset_ = raw.offset;
    xattr_ = raw.xattr;
  } else {
    auto raw = TRY(squash().get<ShortFile>(cursor));
    start = raw.start;
    bytes = raw.size;
    fragment_ = raw.fragment;
    fragment_offset_ = raw.offset;
  }
  if (bytes > file_system().maximum_size()) return squash().corrupted("size of file", number());
  std::uint32_t block_size = squash().block_size();
  blocks_total_ = bytes / block_size + (fragment_ == no_fragment && bytes % block_size ? 1 : 0);
  if (fragment_ != no_fragment &&
      (fragment_offset_ >= block_size || bytes % block_size > block_size - fragment_offset_))
    return squash().corrupted("place in a fragment of file", number());
  {
    MutexGuard guard{blocks_mutex_};
    sizes_ = cursor;
    next_start_ = start;
  }
  set_size(bytes);
  cache_ = TRY(page_cache::PageCache::create(*this));
  cache_->set_size(bytes);
  return {};
}

Result<void> SquashInode::load_symlink(const InodeHead& head, Cursor& cursor) {
  set_link_count(TRY(squash().get<std::uint32_t>(cursor)));
  auto length = TRY(squash().get<std::uint32_t>(cursor));
  if (length == 0 || length >= vfs::path_max) return squash().corrupted("length of symbolic link", length);
  link_text_ = static_cast<char*>(::operator new(length, std::nothrow));
  if (!link_text_) return error(Errno::enomem);
  TRY(squash().read(cursor, std::as_writable_bytes(std::span(link_text_, length))));
  if (std::memchr(link_text_, 0, length)) return squash().corrupted("text of symbolic link", number());
  set_inline_link({link_text_, length});
  if (is_long(head)) xattr_ = TRY(squash().get<std::uint32_t>(cursor));
  return {};
}

Result<RefPtr<vfs::File>> SquashInode::open(const vfs::OpenRequest& request) {
  if (vfs::is_directory(mode())) return byte_cache::open_listed_directory(&SquashInode::list);
  if (cache_) return byte_cache::open_cached_file(cache_);
  return Inode::open(request);
}

Result<void> SquashInode::get_attributes(vfs::Attributes& out) {
  TRY(Inode::get_attributes(out));
  out.block_size = squash().block_size();
  out.result_mask = 0x7ff;  // no time of birth
  return {};
}

// ---- Contents ----

Result<SquashInode::Stretch> SquashInode::block_at(std::uint64_t index) {
  MutexGuard guard{blocks_mutex_};
  while (blocks_.size() <= index) {
    auto size = TRY(squash().get<std::uint32_t>(sizes_));
    std::uint32_t stored = size & (data_plain - 1);
    TRY(blocks_.try_push_back({next_start_, size}));
    next_start_ += stored;
  }
  return blocks_[static_cast<std::size_t>(index)];
}

Result<RefPtr<Block>> SquashInode::content(std::uint64_t index, std::size_t& offset, std::size_t& length) {
  std::uint32_t block_size = squash().block_size();
  std::uint64_t left = size() - index * block_size;
  length = left < block_size ? static_cast<std::size_t>(left) : block_size;
  offset = 0;
  RefPtr<Block> block;
  if (index >= blocks_total_) {
    Fragment fragment = TRY(squash().fragment(fragment_));
    block = TRY(squash().data_block(fragment.start, fragment.size));
    offset = fragment_offset_;
  } else {
    Stretch stretch = TRY(block_at(index));
    if (stretch.size == 0) return block;
    block = TRY(squash().data_block(stretch.start, stretch.size));
  }
  if (offset > block->bytes.size() || length > block->bytes.size() - offset)
    return squash().corrupted("a block that is too short for file", number());
  return block;
}

Result<void> SquashInode::read_pages(std::uint64_t first, std::span<core::Page* const> pages) {
  std::uint64_t at = first << page_shift, end = (first + pages.size()) << page_shift;
  if (end > size()) end = size();
  std::uint32_t block_size = squash().block_size();
  while (at < end) {
    std::uint64_t index = at / block_size;
    std::size_t offset, length, within = static_cast<std::size_t>(at % block_size);
    RefPtr<Block> block = TRY(content(index, offset, length));
    std::size_t count = std::min<std::uint64_t>(length - within, end - at);
    for (std::size_t done = 0; block && done < count;) {
      std::uint64_t position = at + done;
      std::size_t in_page = position & (page_size - 1), piece = std::min(page_size - in_page, count - done);
      std::memcpy(core::data_of<std::byte>(*pages[(position >> page_shift) - first]) + in_page,
                  block->bytes.data() + offset + within + done, piece);
      done += piece;
    }
    at += count;
  }
  return {};
}

// ---- Extended attributes ----

Result<void> SquashInode::for_each_xattr(
    base::FunctionRef<Result<bool>(std::string_view, std::string_view, Cursor&, bool)> use) {
  if (xattr_ == no_xattr || !squash().has_xattrs()) return {};
  constexpr std::string_view prefixes[] = {"user.", "trusted.", "security."};
  XattrId id = TRY(squash().xattr_id(xattr_));
  Cursor cursor{squash().xattr_start() + (id.place >> 16), static_cast<std::size_t>(id.place & 0xffff)};
  for (std::uint32_t i = 0; i < id.count; ++i) {
    auto key = TRY(squash().get<XattrKey>(cursor));
    char name[256];
    if (key.name_size > 255)
      return squash().corrupted("name of an extended attribute, length", key.name_size);
    TRY(squash().read(cursor, std::as_writable_bytes(std::span(name).first(key.name_size))));
    unsigned prefix = key.type & 0xff;
    Cursor value = cursor;
    if (prefix < std::size(prefixes) &&
        !TRY(use(prefixes[prefix], {name, key.name_size}, value, key.type & xattr_elsewhere)))
      return {};
    // Past the value, or the place of the value.
    auto size = TRY(squash().get<std::uint32_t>(cursor));
    if (size > 65536) return squash().corrupted("value of an extended attribute, length", size);
    while (size) {
      std::byte skipped[64];
      std::size_t count = std::min<std::size_t>(size, sizeof(skipped));
      TRY(squash().read(cursor, std::span(skipped).first(count)));
      size -= static_cast<std::uint32_t>(count);
    }
  }
  return {};
}

Result<base::Vector<char>> SquashInode::get_xattr(std::string_view name) {
  base::Vector<char> bytes;
  bool found = false;
  TRY(for_each_xattr(
      [&](std::string_view prefix, std::string_view rest, Cursor& value, bool elsewhere) -> Result<bool> {
        if (!name.starts_with(prefix) || name.substr(prefix.size()) != rest) return true;
        auto size = TRY(squash().get<std::uint32_t>(value));
        if (elsewhere) {
          auto place = TRY(squash().get<std::uint64_t>(value));
          value = {squash().xattr_start() + (place >> 16), static_cast<std::size_t>(place & 0xffff)};
          size = TRY(squash().get<std::uint32_t>(value));
        }
        if (size > 65536) return squash().corrupted("value of an extended attribute, length", size);
        TRY(bytes.try_resize(size));
        TRY(squash().read(value, std::as_writable_bytes(bytes.span())));
        found = true;
        return false;
      }));
  if (!found) return error(Errno::enodata);
  return bytes;
}

void SquashInode::list_xattrs(base::TextSink& out) {
  (void)!for_each_xattr([&](std::string_view prefix, std::string_view rest, Cursor&, bool) -> Result<bool> {
    out.put(prefix);
    out.put(rest);
    out.put(std::string_view("\0", 1));
    return true;
  });
}

}  // namespace squashfs
