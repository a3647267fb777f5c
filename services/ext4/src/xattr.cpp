// Extended attributes: behind the fields of the inode, and in one block of their own. A change reads all of
// them, and writes all of them anew: those that fit into the inode there, the rest into the block.
#include <algorithm>
#include <cstring>

#include "core/memory/slab.h"
#include "crc32c.h"
#include "inode.h"

namespace ext4 {

namespace {

struct Prefix {
  std::uint8_t index;
  std::string_view text;
};
// POSIX ACLs (2, 3) have a form of their own on the disk; what does not enforce them does not show them.
constexpr Prefix prefixes[] = {{1, "user."}, {4, "trusted."}, {6, "security."}};

struct Attribute {
  std::uint8_t index = 0;
  base::String name;  // without the prefix
  base::Vector<char> value;
  std::size_t room() const {
    return ((sizeof(XattrEntry) + name.size() + 3) & ~std::size_t{3}) +
           ((value.size() + 3) & ~std::size_t{3});
  }
};

Result<Prefix> split(std::string_view full, std::string_view& rest) {
  for (const Prefix& prefix : prefixes) {
    if (!full.starts_with(prefix.text)) continue;
    rest = full.substr(prefix.text.size());
    if (rest.empty()) return error(Errno::einval);
    return prefix;
  }
  return error(Errno::eopnotsupp);
}

std::uint32_t entry_hash(const Attribute& attribute) {
  std::uint32_t hash = 0;
  for (char c : attribute.name.view()) hash = hash << 5 ^ hash >> 27 ^ static_cast<unsigned char>(c);
  for (std::size_t at = 0; at < attribute.value.size(); at += 4) {
    std::uint32_t word = 0;
    std::size_t count = attribute.value.size() - at < 4 ? attribute.value.size() - at : 4;
    std::memcpy(&word, attribute.value.data() + at, count);
    hash = hash << 16 ^ hash >> 16 ^ word;
  }
  return hash;
}

}  // namespace

class XattrAccess {
 public:
  explicit XattrAccess(Ext4Inode& inode) : inode_(inode), file_system_(inode.ext4()) {}
  base::Vector<Attribute> all;

  Result<void> load() {
    auto place = TRY(file_system_.find_record(inode_.inode_number()));
    std::uint32_t start = small_inode_size + inode_.extra_size_, size = file_system_.inode_size();
    if (inode_.extra_size_ && start + 4 + sizeof(XattrEntry) <= size) {
      std::byte* area = place.buffer->bytes() + place.offset + start;
      std::uint32_t magic;
      std::memcpy(&magic, area, 4);
      if (magic == xattr_magic) TRY(parse({area + 4, size - start - 4}, 0));
    }
    if (!inode_.xattr_block_) return {};
    BufferRef block = TRY(read_block());
    return parse({block->bytes(), file_system_.block_size()}, sizeof(XattrHeader));
  }

  Result<BufferRef> read_block() {
    BufferRef block = TRY(file_system_.buffers().read(inode_.xattr_block_));
    auto* header = block->as<XattrHeader>();
    if (header->magic != xattr_magic || header->blocks != 1 || header->references == 0 ||
        (file_system_.has_checksums() && header->checksum != checksum(*block)))
      return file_system_.corrupted("block of extended attributes", inode_.xattr_block_);
    return block;
  }

  Attribute* find(std::uint8_t index, std::string_view name) {
    for (Attribute& attribute : all)
      if (attribute.index == index && attribute.name.view() == name) return &attribute;
    return nullptr;
  }

  void seal(Buffer& block) {
    if (file_system_.has_checksums()) block.as<XattrHeader>()->checksum = checksum(block);
  }
  Result<void> save(Handle& handle);

 private:
  // Entries from `first` on; values at offsets from the start of `area`.
  Result<void> parse(std::span<const std::byte> area, std::size_t first) {
    for (std::size_t at = first;;) {
      if (at + 4 > area.size()) return broken();
      std::uint32_t end;
      std::memcpy(&end, area.data() + at, 4);
      if (end == 0) return {};
      if (at + sizeof(XattrEntry) > area.size()) return broken();
      XattrEntry entry;
      std::memcpy(static_cast<void*>(&entry), area.data() + at, sizeof(entry));
      std::size_t length = (sizeof(XattrEntry) + entry.name_length + 3) & ~std::size_t{3};
      if (at + length > area.size() || entry.value_size > area.size() ||
          (entry.value_size && entry.value_offset > area.size() - entry.value_size))
        return broken();
      if (entry.value_inode) return error(Errno::eopnotsupp);
      Attribute attribute;
      attribute.index = entry.name_index;
      // SAFETY: bytes as text, inside the area.
      const char* bytes = reinterpret_cast<const char*>(area.data());
      attribute.name = TRY(base::String::create({bytes + at + sizeof(XattrEntry), entry.name_length}));
      TRY(attribute.value.try_append({bytes + entry.value_offset, entry.value_size}));
      TRY(all.try_push_back(std::move(attribute)));
      at += length;
    }
  }
  Result<void> broken() { return file_system_.corrupted("extended attributes of inode", inode_.number()); }

  std::uint32_t checksum(Buffer& block) const {
    constexpr std::size_t at = offsetof(XattrHeader, checksum);
    std::uint32_t state = crc32c_of(file_system_.seed(), block.block());
    state = crc32c(state, {block.bytes(), at});
    state = crc32c_of(state, std::uint32_t{0});
    return crc32c(state, {block.bytes() + at + 4, file_system_.block_size() - at - 4});
  }

  // Writes attributes [from, to) as entries at `first`, values from the end down; the area is zeroed before.
  void put(std::span<std::byte> area, std::size_t first, std::size_t from, std::size_t to, bool hashes) {
    std::size_t at = first, end = area.size();
    for (std::size_t i = from; i < to; ++i) {
      const Attribute& attribute = all[i];
      std::size_t padded = (attribute.value.size() + 3) & ~std::size_t{3};
      end -= padded;
      if (!attribute.value.empty())
        std::memcpy(area.data() + end, attribute.value.data(), attribute.value.size());
      XattrEntry entry{};
      entry.name_length = static_cast<std::uint8_t>(attribute.name.size());
      entry.name_index = attribute.index;
      entry.value_offset = static_cast<std::uint16_t>(attribute.value.empty() ? 0 : end);
      entry.value_size = static_cast<std::uint32_t>(attribute.value.size());
      entry.hash = hashes ? entry_hash(attribute) : 0;
      std::memcpy(area.data() + at, static_cast<const void*>(&entry), sizeof(entry));
      std::memcpy(area.data() + at + sizeof(entry), attribute.name.view().data(), attribute.name.size());
      at += (sizeof(XattrEntry) + attribute.name.size() + 3) & ~std::size_t{3};
    }
  }

  Ext4Inode& inode_;
  Ext4FileSystem& file_system_;
};

Result<void> XattrAccess::save(Handle& handle) {
  auto place = TRY(file_system_.find_record(inode_.inode_number()));
  std::uint32_t start = small_inode_size + inode_.extra_size_, size = file_system_.inode_size();
  bool has_area = inode_.extra_size_ && start + 4 + sizeof(XattrEntry) <= size;
  std::size_t area_room = has_area ? size - start - 4 - 4 : 0, used = 0, inside = 0;
  // In the order that the block wants.
  std::sort(all.begin(), all.end(), [](const Attribute& a, const Attribute& b) {
    if (a.index != b.index) return a.index < b.index;
    if (a.name.size() != b.name.size()) return a.name.size() < b.name.size();
    return a.name.view() < b.name.view();
  });
  while (inside < all.size() && used + all[inside].room() <= area_room) used += all[inside++].room();
  std::size_t rest = 0;
  for (std::size_t i = inside; i < all.size(); ++i) rest += all[i].room();
  if (rest > file_system_.block_size() - sizeof(XattrHeader) - 4) return error(Errno::enospc);
  // A block that others share stays as it is.
  BufferRef block;
  if (inode_.xattr_block_) block = TRY(read_block());
  bool shared = block && block->as<XattrHeader>()->references > 1;
  if (block && (shared || !rest)) {
    TRY(inode_.drop_xattr_block(handle));
    block = {};
  }
  if (rest && !block) {
    std::uint64_t number = TRY(file_system_.allocate_name_block(handle, file_system_.goal_for(inode_)));
    block = TRY(file_system_.buffers().make(number));
    inode_.xattr_block_ = number;
    inode_.add_blocks(1);
  }
  TRY(handle.access(place.buffer));
  if (block) TRY(handle.access(block));
  if (has_area) {
    std::byte* area = place.buffer->bytes() + place.offset + start;
    std::memset(area, 0, size - start);
    if (inside) {
      std::memcpy(area, &xattr_magic, 4);
      put({area + 4, size - start - 4}, 0, 0, inside, false);
    }
  }
  if (block) {
    std::memset(block->bytes(), 0, file_system_.block_size());
    auto* header = block->as<XattrHeader>();
    header->magic = xattr_magic;
    header->references = header->blocks = 1;
    put({block->bytes(), file_system_.block_size()}, sizeof(XattrHeader), inside, all.size(), true);
    std::uint32_t hash = 0;
    for (std::size_t i = inside; i < all.size(); ++i) {
      std::uint32_t one = entry_hash(all[i]);
      if (!one) {
        hash = 0;
        break;
      }
      hash = hash << 16 ^ hash >> 16 ^ one;
    }
    header->hash = hash;
    if (file_system_.has_checksums()) header->checksum = checksum(*block);
  }
  return {};
}

// One user less; the last frees it.
Result<void> Ext4Inode::drop_xattr_block(Handle& handle) {
  if (!xattr_block_) return {};
  XattrAccess access(*this);
  BufferRef block = TRY(access.read_block());
  auto* header = block->as<XattrHeader>();
  if (header->references > 1) {
    TRY(handle.access(block));
    --header->references;
    access.seal(*block);
  } else {
    block->verified.store(false, std::memory_order_relaxed);
    TRY(handle.forget(xattr_block_));
    TRY(ext4().free_blocks(handle, {xattr_block_, 1}));
  }
  xattr_block_ = 0;
  add_blocks(-1);
  return {};
}

Result<base::Vector<char>> Ext4Inode::get_xattr(std::string_view full) {
  std::string_view name;
  Prefix prefix = TRY(split(full, name));
  XattrAccess access(*this);
  TRY(access.load());
  Attribute* found = access.find(prefix.index, name);
  if (!found) return error(Errno::enodata);
  return std::move(found->value);
}

Result<void> Ext4Inode::set_xattr(std::string_view full, std::span<const char> value, vfs::XattrMode mode) {
  std::string_view name;
  Prefix prefix = TRY(split(full, name));
  if (name.size() > 255) return error(Errno::erange);
  XattrAccess access(*this);
  TRY(access.load());
  Attribute* found = access.find(prefix.index, name);
  if (found && mode == vfs::XattrMode::create_only) return error(Errno::eexist);
  if (!found && mode == vfs::XattrMode::replace_only) return error(Errno::enodata);
  if (!found) {
    Attribute fresh;
    fresh.index = prefix.index;
    fresh.name = TRY(base::String::create(name));
    TRY(access.all.try_push_back(std::move(fresh)));
    found = &access.all.back();
  }
  base::Vector<char> copy;
  TRY(copy.try_append(value));
  found->value = std::move(copy);
  Handle handle;
  TRY(handle.start(ext4().journal(), 12));
  TRY(access.save(handle));
  Indivisible change(handle);
  touch_changed();
  TRY(store(handle));
  return change.done();
}

Result<void> Ext4Inode::remove_xattr(std::string_view full) {
  std::string_view name;
  Prefix prefix = TRY(split(full, name));
  XattrAccess access(*this);
  TRY(access.load());
  Attribute* found = access.find(prefix.index, name);
  if (!found) return error(Errno::enodata);
  access.all.erase(static_cast<std::size_t>(found - access.all.begin()));
  Handle handle;
  TRY(handle.start(ext4().journal(), 12));
  TRY(access.save(handle));
  Indivisible change(handle);
  touch_changed();
  TRY(store(handle));
  return change.done();
}

void Ext4Inode::list_xattrs(base::TextSink& out) {
  XattrAccess access(*this);
  if (!access.load()) return;
  for (const Attribute& attribute : access.all) {
    for (const Prefix& prefix : prefixes) {
      if (prefix.index != attribute.index) continue;
      out.put(prefix.text);
      out.put(attribute.name.view());
      out.put(std::string_view("\0", 1));
    }
  }
}

}  // namespace ext4
