// What ext4 and jbd2 have on the disk. ext4 is little-endian, jbd2 big-endian; we only run on little-endian
// CPUs.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace ext4 {

static_assert(std::endian::native == std::endian::little, "ext4's numbers are used as they lie");

// ---- Super block: 1024 bytes at byte 1024 ----

inline constexpr std::uint32_t super_offset = 1024;
inline constexpr std::uint16_t super_magic = 0xef53;

struct [[gnu::packed]] SuperBlock {
  std::uint32_t inodes_count, blocks_count_low, reserved_blocks_low, free_blocks_low, free_inodes;  // 0x00
  std::uint32_t first_data_block, log_block_size, log_cluster_size, blocks_per_group;               // 0x14
  std::uint32_t clusters_per_group, inodes_per_group, mount_time, write_time;                       // 0x24
  std::uint16_t mount_count, max_mount_count, magic, state, errors, minor_revision;                 // 0x34
  std::uint32_t last_check, check_interval, creator, revision;                                      // 0x40
  std::uint16_t reserved_uid, reserved_gid;                                                         // 0x50
  std::uint32_t first_inode;                                                                        // 0x54
  std::uint16_t inode_size, this_group;                                                             // 0x58
  std::uint32_t feature_compatible, feature_incompatible, feature_read_only;                        // 0x5c
  std::uint8_t uuid[16];                                                                            // 0x68
  char label[16], last_mounted[64];                                                                 // 0x78
  std::uint32_t algorithm_bitmap;                                                                   // 0xc8
  std::uint8_t preallocate_blocks, preallocate_directory_blocks;
  std::uint16_t reserved_gdt_blocks;
  std::uint8_t journal_uuid[16];                                                         // 0xd0
  std::uint32_t journal_inode, journal_device, last_orphan, hash_seed[4];                // 0xe0
  std::uint8_t default_hash_version, journal_backup_type;                                // 0xfc
  std::uint16_t descriptor_size;                                                         // 0xfe
  std::uint32_t default_mount_options, first_meta_group, mkfs_time, journal_blocks[17];  // 0x100
  std::uint32_t blocks_count_high, reserved_blocks_high, free_blocks_high;               // 0x150
  std::uint16_t minimum_extra_size, wanted_extra_size;                                   // 0x15c
  std::uint32_t flags;                                                                   // 0x160
  std::uint16_t raid_stride, mmp_interval;
  std::uint64_t mmp_block;  // 0x168
  std::uint32_t raid_stripe_width;
  std::uint8_t log_groups_per_flex, checksum_type;  // 0x174
  std::uint16_t reserved_pad;
  std::uint64_t kilobytes_written;                                                         // 0x178
  std::uint32_t snapshot_fields[5];                                                        // 0x180
  std::uint32_t error_count;                                                               // 0x194
  std::uint8_t error_fields[104];                                                          // 0x198
  std::uint8_t mount_options[64];                                                          // 0x200
  std::uint32_t user_quota_inode, group_quota_inode, overhead_clusters, backup_groups[2];  // 0x240
  std::uint8_t encrypt_fields[20];                                                         // 0x254
  std::uint32_t lost_found_inode, project_quota_inode, checksum_seed;                      // 0x268
  std::uint8_t time_high[8];                                                               // 0x274
  std::uint16_t encoding, encoding_flags;                                                  // 0x27c
  std::uint32_t orphan_file_inode;                                                         // 0x280
  std::uint32_t reserved[94];
  std::uint32_t checksum;  // 0x3fc
};
static_assert(sizeof(SuperBlock) == 1024);
static_assert(offsetof(SuperBlock, journal_inode) == 0xe0 &&
              offsetof(SuperBlock, blocks_count_high) == 0x150 &&
              offsetof(SuperBlock, error_count) == 0x194 && offsetof(SuperBlock, user_quota_inode) == 0x240 &&
              offsetof(SuperBlock, checksum_seed) == 0x270 &&
              offsetof(SuperBlock, orphan_file_inode) == 0x280 &&
              offsetof(SuperBlock, descriptor_size) == 0xfe &&
              offsetof(SuperBlock, log_groups_per_flex) == 0x174);

inline constexpr std::uint16_t state_valid = 1, state_errors = 2, state_orphans = 4;
inline constexpr std::uint32_t flag_signed_hash = 1, flag_unsigned_hash = 2;

namespace compatible {
inline constexpr std::uint32_t has_journal = 4, extended_attributes = 8, resize_inode = 0x10,
                               directory_index = 0x20, sparse_super2 = 0x200, fast_commit = 0x400,
                               orphan_file = 0x1000;
}
namespace incompatible {
inline constexpr std::uint32_t file_type = 2, recover = 4, journal_device = 8, meta_block_groups = 0x10,
                               extents = 0x40, bits64 = 0x80, flexible_groups = 0x200, checksum_seed = 0x2000,
                               large_directory = 0x4000, inline_data = 0x8000;
inline constexpr std::uint32_t known =
    file_type | recover | extents | bits64 | flexible_groups | checksum_seed;
}  // namespace incompatible
namespace read_only {
inline constexpr std::uint32_t sparse_super = 1, large_file = 2, huge_file = 8, group_checksum = 0x10,
                               directory_links = 0x20, extra_size = 0x40, quota = 0x100,
                               metadata_checksum = 0x400, project = 0x2000, orphan_present = 0x10000;
// Features with which we may write. The others do not keep anybody from reading.
inline constexpr std::uint32_t known =
    sparse_super | large_file | huge_file | directory_links | extra_size | metadata_checksum | orphan_present;
}  // namespace read_only

// ---- Block groups ----

struct [[gnu::packed]] GroupDescriptor {
  std::uint32_t block_bitmap_low, inode_bitmap_low, inode_table_low;  // 0x00
  std::uint16_t free_blocks_low, free_inodes_low, directories_low, flags;
  std::uint32_t exclude_bitmap_low;
  std::uint16_t block_bitmap_checksum_low, inode_bitmap_checksum_low, unused_inodes_low, checksum;  // 0x18
  // With 64-bit descriptors only.
  std::uint32_t block_bitmap_high, inode_bitmap_high, inode_table_high;  // 0x20
  std::uint16_t free_blocks_high, free_inodes_high, directories_high, unused_inodes_high;
  std::uint32_t exclude_bitmap_high;
  std::uint16_t block_bitmap_checksum_high, inode_bitmap_checksum_high;  // 0x38
  std::uint32_t reserved;
};
static_assert(sizeof(GroupDescriptor) == 64);
inline constexpr std::uint16_t group_inodes_unset = 1, group_blocks_unset = 2, group_table_zeroed = 4;

// ---- Inodes ----

struct [[gnu::packed]] RawInode {
  std::uint16_t mode, uid_low;
  std::uint32_t size_low, access_time, change_time, modify_time, delete_time;               // 0x04
  std::uint16_t gid_low, links;                                                             // 0x18
  std::uint32_t blocks_low, flags, version;                                                 // 0x1c
  std::uint8_t block[60];                                                                   // 0x28
  std::uint32_t generation, xattr_block_low, size_high, fragment;                           // 0x64
  std::uint16_t blocks_high, xattr_block_high, uid_high, gid_high, checksum_low, reserved;  // 0x74
  std::uint16_t extra_size, checksum_high;                                                  // 0x80
  std::uint32_t change_extra, modify_extra, access_extra, birth_time, birth_extra, version_high, project;
};
static_assert(sizeof(RawInode) == 160 && offsetof(RawInode, checksum_low) == 0x7c &&
              offsetof(RawInode, extra_size) == 0x80);
inline constexpr std::uint32_t small_inode_size = 128;

inline constexpr std::uint32_t flag_immutable = 0x10, flag_append = 0x20, flag_no_dump = 0x40,
                               flag_no_atime = 0x80, flag_index = 0x1000, flag_journal_data = 0x4000,
                               flag_huge_file = 0x40000, flag_extents = 0x80000, flag_ea_inode = 0x200000,
                               flag_encrypted = 0x800, flag_verity = 0x100000, flag_inline_data = 0x10000000,
                               flag_casefold = 0x40000000, flag_project_inherit = 0x20000000,
                               flag_top_directory = 0x20000;
inline constexpr std::uint32_t root_inode = 2, journal_inode_number = 8;
inline constexpr std::uint32_t links_max = 65000;

// ---- Extents ----

struct [[gnu::packed]] ExtentHeader {
  std::uint16_t magic, entries, max, depth;
  std::uint32_t generation;
};
inline constexpr std::uint16_t extent_magic = 0xf30a, extent_depth_max = 5;

struct [[gnu::packed]] ExtentEntry {
  std::uint32_t block;
  std::uint16_t length;  // above 32768: unwritten, length - 32768 blocks
  std::uint16_t start_high;
  std::uint32_t start_low;
};
struct [[gnu::packed]] ExtentIndex {
  std::uint32_t block, leaf_low;
  std::uint16_t leaf_high, unused;
};
static_assert(sizeof(ExtentHeader) == 12 && sizeof(ExtentEntry) == 12 && sizeof(ExtentIndex) == 12);
inline constexpr std::uint32_t extent_written_max = 32768, extent_unwritten_max = 32767;

// ---- Directories ----

struct [[gnu::packed]] DirectoryEntry {
  std::uint32_t inode;
  std::uint16_t record_length;
  std::uint8_t name_length, type;
  char name[];
};
static_assert(sizeof(DirectoryEntry) == 8);
inline constexpr std::uint8_t tail_type = 0xde;
struct [[gnu::packed]] DirectoryTail {
  std::uint32_t inode;
  std::uint16_t record_length;
  std::uint8_t name_length, type;
  std::uint32_t checksum;
};
static_assert(sizeof(DirectoryTail) == 12);

// Hash trees. The root block holds "." and "..", then this.
struct [[gnu::packed]] HashRootInfo {
  std::uint32_t reserved;
  std::uint8_t hash_version, info_length, indirect_levels, unused_flags;
};
// The first entry of a node has limit and count where others have their hash.
struct [[gnu::packed]] HashEntry {
  std::uint32_t hash, block;
};
struct [[gnu::packed]] HashLimit {
  std::uint16_t limit, count;
};
struct [[gnu::packed]] HashTail {
  std::uint32_t reserved, checksum;
};

// ---- Extended attributes ----

inline constexpr std::uint32_t xattr_magic = 0xea020000;
struct [[gnu::packed]] XattrHeader {
  std::uint32_t magic, references, blocks, hash, checksum, reserved[3];
};
struct [[gnu::packed]] XattrEntry {
  std::uint8_t name_length, name_index;
  std::uint16_t value_offset;
  std::uint32_t value_inode, value_size, hash;
  char name[];
};
static_assert(sizeof(XattrHeader) == 32 && sizeof(XattrEntry) == 16);

// ---- Orphan file ----

inline constexpr std::uint32_t orphan_block_magic = 0x0b10ca04;
struct [[gnu::packed]] OrphanTail {
  std::uint32_t magic, checksum;
};

// ---- Journal (big-endian) ----

template <typename T>
struct [[gnu::packed]] BigEndian {
  T raw;
  operator T() const { return std::byteswap(raw); }
  BigEndian& operator=(T value) {
    raw = std::byteswap(value);
    return *this;
  }
};
using Be16 = BigEndian<std::uint16_t>;
using Be32 = BigEndian<std::uint32_t>;
using Be64 = BigEndian<std::uint64_t>;

inline constexpr std::uint32_t journal_magic = 0xc03b3998;
enum JournalBlockType : std::uint32_t {
  journal_descriptor = 1,
  journal_commit = 2,
  journal_super_v1 = 3,
  journal_super_v2 = 4,
  journal_revoke = 5
};
struct [[gnu::packed]] JournalHeader {
  Be32 magic, type, sequence;
};
struct [[gnu::packed]] JournalSuper {
  JournalHeader header;
  Be32 block_size, blocks, first, sequence, start, error;            // 0x0c
  Be32 compatible, incompatible, read_only;                          // 0x24
  std::uint8_t uuid[16];                                             // 0x30
  Be32 users, dynamic_super, max_transaction, max_transaction_data;  // 0x40
  std::uint8_t checksum_type, padding[3];                            // 0x50
  Be32 fast_commit_blocks, head;                                     // 0x54
  Be32 reserved[40];
  Be32 checksum;  // 0xfc
  std::uint8_t user_ids[768];
};
static_assert(sizeof(JournalSuper) == 1024 && offsetof(JournalSuper, checksum) == 0xfc);
namespace journal_feature {
inline constexpr std::uint32_t revoke = 1, bits64 = 2, async_commit = 4, checksum_v2 = 8, checksum_v3 = 0x10,
                               fast_commit = 0x20;
inline constexpr std::uint32_t known = revoke | bits64 | async_commit | checksum_v2 | checksum_v3;
inline constexpr std::uint32_t compatible_checksum = 1;
}  // namespace journal_feature

struct [[gnu::packed]] JournalTag3 {
  Be32 block_low, flags, block_high, checksum;
};
struct [[gnu::packed]] JournalTag {
  Be32 block_low;
  Be16 checksum, flags;
  Be32 block_high;  // with 64 bits only
};
inline constexpr std::uint32_t tag_escaped = 1, tag_same_uuid = 2, tag_deleted = 4, tag_last = 8;
struct [[gnu::packed]] JournalRevoke {
  JournalHeader header;
  Be32 bytes;  // used, this header included
};
struct [[gnu::packed]] JournalCommit {
  JournalHeader header;
  std::uint8_t checksum_type, checksum_size, padding[2];
  Be32 checksum[8];
  Be64 seconds;
  Be32 nanoseconds;
};
static_assert(sizeof(JournalCommit) == 60);

}  // namespace ext4
