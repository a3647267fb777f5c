// Compressed blocks: of metadata, of data, and the tables that are made of the former.
#include <algorithm>
#include <cstring>

#include "core/memory/slab.h"
#include "decompress/decompress.h"
#include "file_system.h"

namespace squashfs {

using core::MutexGuard;

template <std::size_t count>
RefPtr<Block> SquashFileSystem::find_block(std::array<RefPtr<Block>, count>& blocks, std::uint64_t place) {
  MutexGuard guard{blocks_mutex_};
  for (std::size_t i = 0; i < count && blocks[i]; ++i) {
    if (blocks[i]->place != place) continue;
    std::rotate(blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(i),
                blocks.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    return blocks[0];
  }
  return nullptr;
}

template <std::size_t count>
void SquashFileSystem::keep_block(std::array<RefPtr<Block>, count>& blocks, RefPtr<Block> block) {
  RefPtr<Block> dropped;  // with the mutex open
  MutexGuard guard{blocks_mutex_};
  dropped = std::move(blocks[count - 1]);
  std::move_backward(blocks.begin(), blocks.end() - 1, blocks.end());
  blocks[0] = std::move(block);
}

Result<void> SquashFileSystem::unpack(std::span<const std::byte> packed, std::size_t limit,
                                      base::Vector<std::byte>& out) {
  // SAFETY: bytes as bytes.
  std::span<const std::uint8_t> input{reinterpret_cast<const std::uint8_t*>(packed.data()), packed.size()};
  auto take = [&](std::span<const std::uint8_t> piece) -> Result<void> {
    if (piece.size() > limit - out.size()) return error(Errno::euclean);
    return out.try_append(std::as_bytes(piece));
  };
  TRY(out.try_reserve(limit));
  using decompress::Format;
  switch (static_cast<Compressor>(super_.compressor)) {
    case Compressor::gzip:
      (void)TRY(decompress::decompress(Format::zlib, input, take));
      return {};
    case Compressor::xz:
      (void)TRY(decompress::decompress(Format::xz, input, take));
      return {};
    case Compressor::zstd:
      (void)TRY(decompress::decompress(Format::zstd, input, take));
      return {};
    case Compressor::lz4:
      return decompress::lz4_block(input, limit, take);
    default:
      return error(Errno::einval);
  }
}

// ---- Metadata ----

Result<RefPtr<Block>> SquashFileSystem::metadata_block(std::uint64_t place) {
  if (auto found = find_block(metadata_, place)) return found;
  if (place > super_.bytes_used || super_.bytes_used - place < 2)
    return corrupted("place of metadata", place);
  auto head = TRY(bytes_.get<std::uint16_t>(place));
  std::size_t size = head & ~metadata_plain;
  if (size == 0) size = metadata_plain;
  if (size > metadata_size || size > super_.bytes_used - place - 2)
    return corrupted("size of metadata at", place);
  auto block = TRY(base::try_make_ref<Block>());
  block->place = place;
  block->next = place + 2 + size;
  base::Vector<std::byte> packed;
  TRY(packed.try_resize(size));
  TRY(bytes_.read(place + 2, packed.span()));
  if (head & metadata_plain) {
    block->bytes = std::move(packed);
  } else if (auto unpacked = unpack(packed.span(), metadata_size, block->bytes); !unpacked) {
    if (unpacked.error() == Errno::enomem) return error(Errno::enomem);
    return corrupted("compressed metadata at", place);
  }
  keep_block(metadata_, block);
  return block;
}

Result<void> SquashFileSystem::read(Cursor& cursor, std::span<std::byte> out) {
  while (!out.empty()) {
    RefPtr<Block> block = TRY(metadata_block(cursor.block));
    if (cursor.offset >= block->bytes.size()) {
      // Only a full block is followed by another.
      if (cursor.offset != block->bytes.size() || block->bytes.empty())
        return corrupted("place in metadata at", cursor.block);
      cursor = {block->next, 0};
      continue;
    }
    std::size_t count = std::min(out.size(), block->bytes.size() - cursor.offset);
    std::memcpy(out.data(), block->bytes.data() + cursor.offset, count);
    cursor.offset += count;
    out = out.subspan(count);
  }
  return {};
}

Result<void> SquashFileSystem::read_table(std::uint64_t index, std::uint64_t offset,
                                          std::span<std::byte> out) {
  std::uint64_t place = index + offset / metadata_size * 8;
  if (place > super_.bytes_used || super_.bytes_used - place < 8) return corrupted("place in a table", place);
  Cursor cursor{TRY(bytes_.get<std::uint64_t>(place)), static_cast<std::size_t>(offset % metadata_size)};
  return read(cursor, out);
}

Result<std::uint32_t> SquashFileSystem::id(std::uint16_t index) {
  if (index >= super_.ids) return corrupted("number of an owner", index);
  return table_element<std::uint32_t>(super_.id_table, index);
}

Result<Fragment> SquashFileSystem::fragment(std::uint32_t index) {
  if (index >= super_.fragments || super_.fragment_table == no_table)
    return corrupted("number of a fragment", index);
  return table_element<Fragment>(super_.fragment_table, index);
}

Result<XattrId> SquashFileSystem::xattr_id(std::uint32_t index) {
  if (index >= xattr_ids_) return corrupted("number of extended attributes", index);
  return table_element<XattrId>(super_.xattr_table + sizeof(XattrTable), index);
}

// ---- Data ----

Result<RefPtr<Block>> SquashFileSystem::data_block(std::uint64_t place, std::uint32_t size) {
  if (auto found = find_block(data_, place)) return found;
  std::uint32_t stored = size & (data_plain - 1);
  if (size >= data_plain * 2 || stored > block_size() || stored == 0) return corrupted("size of data", size);
  if (place > super_.bytes_used || stored > super_.bytes_used - place)
    return corrupted("place of data", place);
  auto block = TRY(base::try_make_ref<Block>());
  block->place = place;
  base::Vector<std::byte> packed;
  TRY(packed.try_resize(stored));
  TRY(byte_cache::read_directly(*volume_, place, packed.span()));
  if (size & data_plain) {
    block->bytes = std::move(packed);
  } else if (auto unpacked = unpack(packed.span(), block_size(), block->bytes); !unpacked) {
    if (unpacked.error() == Errno::enomem) return error(Errno::enomem);
    return corrupted("compressed data at", place);
  }
  keep_block(data_, block);
  return block;
}

}  // namespace squashfs
