// What is on the disk. All numbers are little-endian, as are the CPUs.
#pragma once

#include <cstdint>

namespace squashfs {

struct [[gnu::packed]] SuperBlock {
  std::uint32_t magic, inodes, made_time, block_size, fragments;
  std::uint16_t compressor, block_shift, flags, ids, major, minor;
  std::uint64_t root_inode, bytes_used, id_table, xattr_table, inode_table, directory_table, fragment_table,
      export_table;
};
static_assert(sizeof(SuperBlock) == 96);
inline constexpr std::uint32_t super_magic = 0x73717368;
inline constexpr std::uint64_t no_table = ~std::uint64_t{0};
enum class Compressor : std::uint16_t { gzip = 1, lzma, lzo, xz, lz4, zstd };

inline constexpr std::size_t metadata_size = 8192;
inline constexpr std::uint16_t metadata_plain = 0x8000;
inline constexpr std::uint32_t data_plain = 1u << 24;
inline constexpr std::uint32_t no_fragment = 0xffffffff, no_xattr = 0xffffffff;

struct [[gnu::packed]] InodeHead {
  std::uint16_t type, mode, uid, gid;
  std::uint32_t modify_time, number;
};
enum class InodeType : std::uint16_t { directory = 1, file, symlink, block, character, fifo, socket };
inline constexpr unsigned long_types = 7;  // what is added for the long form of each

struct [[gnu::packed]] ShortDirectory {
  std::uint32_t block, links;
  std::uint16_t size, offset;
  std::uint32_t parent;
};
struct [[gnu::packed]] LongDirectory {
  std::uint32_t links, size, block, parent;
  std::uint16_t index_count, offset;
  std::uint32_t xattr;
};
struct [[gnu::packed]] ShortFile {
  std::uint32_t start, fragment, offset, size;
};
struct [[gnu::packed]] LongFile {
  std::uint64_t start, size, sparse;
  std::uint32_t links, fragment, offset, xattr;
};
struct [[gnu::packed]] Fragment {
  std::uint64_t start;
  std::uint32_t size, unused;
};
struct [[gnu::packed]] DirectoryHead {
  std::uint32_t count, block, number;  // one less than the count
};
struct [[gnu::packed]] DirectoryEntry {
  std::uint16_t offset;
  std::int16_t number;
  std::uint16_t type, name_size;  // one less than the size
};
inline constexpr std::uint32_t directory_run_max = 256;
// A directory's size counts three bytes for "." and "..".
inline constexpr std::uint32_t directory_size_bias = 3;

struct [[gnu::packed]] XattrTable {
  std::uint64_t start;
  std::uint32_t ids, unused;
};
struct [[gnu::packed]] XattrId {
  std::uint64_t place;
  std::uint32_t count, size;
};
struct [[gnu::packed]] XattrKey {
  std::uint16_t type, name_size;
};
inline constexpr std::uint16_t xattr_elsewhere = 0x100;

}  // namespace squashfs
