// Which inodes are free. Directories are spread over the groups, files stay near their directory.
#include <cstring>

#include "file_system.h"
#include "inode.h"

namespace ext4 {

namespace {
bool is_set(const std::byte* map, std::uint32_t bit) {
  return (map[bit / 8] & static_cast<std::byte>(1u << bit % 8)) != std::byte{0};
}
}  // namespace

Result<std::uint32_t> Ext4FileSystem::allocate_inode(Handle& handle, const Ext4Inode& parent,
                                                     bool directory) {
  core::MutexGuard guard{allocation_mutex_};
  std::uint32_t start = (parent.inode_number() - 1) / inodes_per_group_;
  if (directory && parent.inode_number() == root_inode) {
    // Top-level directories go where most is free.
    std::uint64_t best = 0;
    for (std::uint32_t group = 0; group < group_count_; ++group) {
      std::uint64_t merit =
          free_inodes_of(group) ? std::uint64_t{free_blocks_of(group)} + free_inodes_of(group) : 0;
      if (merit > best) {
        best = merit;
        start = group;
      }
    }
  }
  for (std::uint32_t i = 0; i < group_count_; ++i) {
    std::uint32_t group = start + i < group_count_ ? start + i : start + i - group_count_;
    if (free_inodes_of(group) == 0) continue;
    BufferRef bitmap = TRY(inode_bitmap(group));
    std::uint32_t bit = group == 0 ? first_inode_ - 1 : 0;
    while (bit < inodes_per_group_ && is_set(bitmap->bytes(), bit)) ++bit;
    if (bit == inodes_per_group_) continue;  // the count counts reserved ones, or lies
    TRY(handle.access(bitmap));
    BufferRef descriptors = descriptor_buffer(group);
    TRY(handle.access(descriptors));
    bitmap->bytes()[bit / 8] |= static_cast<std::byte>(1u << bit % 8);
    GroupDescriptor* d = descriptor(group);
    set_free_inodes(group, free_inodes_of(group) - 1);
    if (directory) set_directories(group, directories_of(group) + 1);
    // How many records at the end of the table were never used: e2fsck does not look at them.
    std::uint32_t unused = d->unused_inodes_low;
    if (descriptor_size_ >= 64) unused |= static_cast<std::uint32_t>(d->unused_inodes_high) << 16;
    if (d->flags & group_inodes_unset) unused = inodes_per_group_;
    std::uint32_t behind = inodes_per_group_ - bit - 1;
    if (unused > behind) {
      d->unused_inodes_low = static_cast<std::uint16_t>(behind);
      if (descriptor_size_ >= 64) d->unused_inodes_high = static_cast<std::uint16_t>(behind >> 16);
    }
    seal_inode_bitmap(group, *bitmap);
    // A group with an inode in use has a block bitmap that counts, too.
    if (d->flags & group_blocks_unset) {
      BufferRef blocks = TRY(block_bitmap(group));
      TRY(handle.access(blocks));
      seal_block_bitmap(group, *blocks);
    }
    seal_descriptor(group);
    free_inodes_.fetch_sub(1);
    return group * inodes_per_group_ + bit + 1;
  }
  return error(Errno::enospc);
}

Result<void> Ext4FileSystem::free_inode(Handle& handle, std::uint32_t number, bool directory) {
  if (number < first_inode_ || number > inodes_count_) return corrupted("freed inode", number);
  core::MutexGuard guard{allocation_mutex_};
  std::uint32_t group = (number - 1) / inodes_per_group_, bit = (number - 1) % inodes_per_group_;
  BufferRef bitmap = TRY(inode_bitmap(group));
  TRY(handle.access(bitmap));
  BufferRef descriptors = descriptor_buffer(group);
  TRY(handle.access(descriptors));
  if (!is_set(bitmap->bytes(), bit)) return corrupted("inode freed twice", number);
  bitmap->bytes()[bit / 8] &= static_cast<std::byte>(~(1u << bit % 8));
  set_free_inodes(group, free_inodes_of(group) + 1);
  if (directory && directories_of(group)) set_directories(group, directories_of(group) - 1);
  seal_inode_bitmap(group, *bitmap);
  seal_descriptor(group);
  free_inodes_.fetch_add(1);
  return {};
}

}  // namespace ext4
