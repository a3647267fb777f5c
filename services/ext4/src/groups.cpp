// Group descriptors and bitmaps: fields in two halves, checksums, bitmaps that were never written.
#include <cstring>

#include "crc32c.h"
#include "file_system.h"

namespace ext4 {

namespace {
template <typename Low, typename High>
std::uint64_t join(Low low, High high, unsigned shift) {
  return low | static_cast<std::uint64_t>(high) << shift;
}
}  // namespace

GroupDescriptor* Ext4FileSystem::descriptor(std::uint32_t group) const {
  std::uint32_t per_block = block_size_ / descriptor_size_;
  return descriptors_[group / per_block]->as<GroupDescriptor>(std::size_t{group % per_block} *
                                                              descriptor_size_);
}
BufferRef Ext4FileSystem::descriptor_buffer(std::uint32_t group) const {
  return descriptors_[group / (block_size_ / descriptor_size_)];
}

std::uint16_t Ext4FileSystem::descriptor_checksum(std::uint32_t group) const {
  // The descriptor with its checksum taken as zero.
  const auto* bytes =
      reinterpret_cast<const std::byte*>(descriptor(group));  // SAFETY: bytes of a packed structure
  constexpr std::size_t at = offsetof(GroupDescriptor, checksum);
  std::uint32_t state = crc32c_of(seed_, group);
  state = crc32c(state, {bytes, at});
  state = crc32c_of(state, std::uint16_t{0});
  if (descriptor_size_ > at + 2) state = crc32c(state, {bytes + at + 2, descriptor_size_ - at - 2});
  return static_cast<std::uint16_t>(state);
}
void Ext4FileSystem::seal_descriptor(std::uint32_t group) {
  if (has_checksums_) descriptor(group)->checksum = descriptor_checksum(group);
}

std::uint64_t Ext4FileSystem::block_bitmap_of(std::uint32_t group) const {
  const GroupDescriptor* d = descriptor(group);
  return join(d->block_bitmap_low, descriptor_size_ >= 64 ? d->block_bitmap_high : 0, 32);
}
std::uint64_t Ext4FileSystem::inode_bitmap_of(std::uint32_t group) const {
  const GroupDescriptor* d = descriptor(group);
  return join(d->inode_bitmap_low, descriptor_size_ >= 64 ? d->inode_bitmap_high : 0, 32);
}
std::uint64_t Ext4FileSystem::inode_table_of(std::uint32_t group) const {
  const GroupDescriptor* d = descriptor(group);
  return join(d->inode_table_low, descriptor_size_ >= 64 ? d->inode_table_high : 0, 32);
}
std::uint32_t Ext4FileSystem::free_blocks_of(std::uint32_t group) const {
  const GroupDescriptor* d = descriptor(group);
  return static_cast<std::uint32_t>(
      join(d->free_blocks_low, descriptor_size_ >= 64 ? d->free_blocks_high : 0, 16));
}
std::uint32_t Ext4FileSystem::free_inodes_of(std::uint32_t group) const {
  const GroupDescriptor* d = descriptor(group);
  return static_cast<std::uint32_t>(
      join(d->free_inodes_low, descriptor_size_ >= 64 ? d->free_inodes_high : 0, 16));
}
std::uint32_t Ext4FileSystem::directories_of(std::uint32_t group) const {
  const GroupDescriptor* d = descriptor(group);
  return static_cast<std::uint32_t>(
      join(d->directories_low, descriptor_size_ >= 64 ? d->directories_high : 0, 16));
}
void Ext4FileSystem::set_free_blocks(std::uint32_t group, std::uint32_t count) {
  GroupDescriptor* d = descriptor(group);
  d->free_blocks_low = static_cast<std::uint16_t>(count);
  if (descriptor_size_ >= 64) d->free_blocks_high = static_cast<std::uint16_t>(count >> 16);
}
void Ext4FileSystem::set_free_inodes(std::uint32_t group, std::uint32_t count) {
  GroupDescriptor* d = descriptor(group);
  d->free_inodes_low = static_cast<std::uint16_t>(count);
  if (descriptor_size_ >= 64) d->free_inodes_high = static_cast<std::uint16_t>(count >> 16);
}
void Ext4FileSystem::set_directories(std::uint32_t group, std::uint32_t count) {
  GroupDescriptor* d = descriptor(group);
  d->directories_low = static_cast<std::uint16_t>(count);
  if (descriptor_size_ >= 64) d->directories_high = static_cast<std::uint16_t>(count >> 16);
}

std::uint32_t Ext4FileSystem::blocks_in(std::uint32_t group) const {
  std::uint64_t left = block_count_ - first_block_of(group);
  return left < blocks_per_group_ ? static_cast<std::uint32_t>(left) : blocks_per_group_;
}

bool Ext4FileSystem::has_super_copy(std::uint32_t group) const {
  if (group == 0) return true;
  if (feature_compatible_ & compatible::sparse_super2)
    return group == super().backup_groups[0] || group == super().backup_groups[1];
  if (group == 1 || !(feature_read_only_ & read_only::sparse_super)) return true;
  for (std::uint32_t base : {3u, 5u, 7u}) {
    std::uint64_t power = base;
    while (power < group) power *= base;
    if (power == group) return true;
  }
  return false;
}

// ---- Bitmaps ----

namespace {
void set_bits(std::byte* map, std::uint32_t from, std::uint32_t to) {
  for (std::uint32_t bit = from; bit < to; ++bit) map[bit / 8] |= static_cast<std::byte>(1u << bit % 8);
}
}  // namespace

// What the bitmap of a group in which nothing was allocated yet would say.
void Ext4FileSystem::fill_unset_block_bitmap(std::uint32_t group, Buffer& bitmap) const {
  std::byte* map = bitmap.bytes();
  std::memset(map, 0, block_size_);
  std::uint64_t first = first_block_of(group), end = first + blocks_in(group);
  if (has_super_copy(group)) {
    std::uint32_t count = 1 + static_cast<std::uint32_t>(descriptors_.size()) + super().reserved_gdt_blocks;
    set_bits(map, 0, count < blocks_in(group) ? count : blocks_in(group));
  }
  auto mark = [&](std::uint64_t block, std::uint64_t count) {
    for (std::uint64_t at = block; at < block + count; ++at)
      if (at >= first && at < end)
        set_bits(map, static_cast<std::uint32_t>(at - first), static_cast<std::uint32_t>(at - first) + 1);
  };
  mark(block_bitmap_of(group), 1);
  mark(inode_bitmap_of(group), 1);
  mark(inode_table_of(group), std::uint64_t{inodes_per_group_} * inode_size_ / block_size_);
  set_bits(map, blocks_in(group), block_size_ * 8);
}

Result<BufferRef> Ext4FileSystem::block_bitmap(std::uint32_t group) {
  if (descriptor(group)->flags & group_blocks_unset) {
    BufferRef bitmap = buffers_.find(block_bitmap_of(group));
    if (bitmap && bitmap->verified.load(std::memory_order_relaxed)) return bitmap;
    bitmap = TRY(buffers_.make(block_bitmap_of(group)));
    fill_unset_block_bitmap(group, *bitmap);
    return bitmap;
  }
  BufferRef bitmap = TRY(buffers_.read(block_bitmap_of(group)));
  if (bitmap->verified.load(std::memory_order_relaxed)) return bitmap;
  if (has_checksums_) {
    const GroupDescriptor* d = descriptor(group);
    std::uint32_t computed = crc32c(seed_, {bitmap->bytes(), blocks_per_group_ / 8});
    bool right = (computed & 0xffff) == d->block_bitmap_checksum_low &&
                 (descriptor_size_ < 64 || computed >> 16 == d->block_bitmap_checksum_high);
    if (!right) return corrupted("checksum of block bitmap", group);
  }
  bitmap->verified.store(true, std::memory_order_relaxed);
  return bitmap;
}

Result<BufferRef> Ext4FileSystem::inode_bitmap(std::uint32_t group) {
  if (descriptor(group)->flags & group_inodes_unset) {
    BufferRef bitmap = buffers_.find(inode_bitmap_of(group));
    if (bitmap && bitmap->verified.load(std::memory_order_relaxed)) return bitmap;
    bitmap = TRY(buffers_.make(inode_bitmap_of(group)));
    set_bits(bitmap->bytes(), inodes_per_group_, block_size_ * 8);
    return bitmap;
  }
  BufferRef bitmap = TRY(buffers_.read(inode_bitmap_of(group)));
  if (bitmap->verified.load(std::memory_order_relaxed)) return bitmap;
  if (has_checksums_) {
    const GroupDescriptor* d = descriptor(group);
    std::uint32_t computed = crc32c(seed_, {bitmap->bytes(), inodes_per_group_ / 8});
    bool right = (computed & 0xffff) == d->inode_bitmap_checksum_low &&
                 (descriptor_size_ < 64 || computed >> 16 == d->inode_bitmap_checksum_high);
    if (!right) return corrupted("checksum of inode bitmap", group);
  }
  bitmap->verified.store(true, std::memory_order_relaxed);
  return bitmap;
}

void Ext4FileSystem::seal_block_bitmap(std::uint32_t group, Buffer& bitmap) {
  GroupDescriptor* d = descriptor(group);
  d->flags &= static_cast<std::uint16_t>(~group_blocks_unset);
  if (!has_checksums_) return;
  std::uint32_t computed = crc32c(seed_, {bitmap.bytes(), blocks_per_group_ / 8});
  d->block_bitmap_checksum_low = static_cast<std::uint16_t>(computed);
  if (descriptor_size_ >= 64) d->block_bitmap_checksum_high = static_cast<std::uint16_t>(computed >> 16);
}

void Ext4FileSystem::seal_inode_bitmap(std::uint32_t group, Buffer& bitmap) {
  GroupDescriptor* d = descriptor(group);
  d->flags &= static_cast<std::uint16_t>(~group_inodes_unset);
  if (!has_checksums_) return;
  std::uint32_t computed = crc32c(seed_, {bitmap.bytes(), inodes_per_group_ / 8});
  d->inode_bitmap_checksum_low = static_cast<std::uint16_t>(computed);
  if (descriptor_size_ >= 64) d->inode_bitmap_checksum_high = static_cast<std::uint16_t>(computed >> 16);
}

bool Ext4FileSystem::is_system_block(std::uint64_t block) const {
  if (block < first_data_block_ + 1 + descriptors_.size() || block >= block_count_) return true;
  auto group = static_cast<std::uint32_t>((block - first_data_block_) / blocks_per_group_);
  std::uint64_t table_blocks = std::uint64_t{inodes_per_group_} * inode_size_ / block_size_;
  // With flexible groups a group's own structures may lie elsewhere; those of its whole flex group are looked
  // at.
  std::uint32_t flex =
      feature_incompatible_ & incompatible::flexible_groups && super().log_groups_per_flex < 16
          ? 1u << super().log_groups_per_flex
          : 1;
  std::uint32_t first = group / flex * flex, last = first + flex < group_count_ ? first + flex : group_count_;
  for (std::uint32_t at = first; at < last; ++at) {
    if (block == block_bitmap_of(at) || block == inode_bitmap_of(at)) return true;
    if (block >= inode_table_of(at) && block - inode_table_of(at) < table_blocks) return true;
  }
  return false;
}

}  // namespace ext4
