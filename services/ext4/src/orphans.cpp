// Inodes without a name that are still open, or whose truncation is under way: they are in a list on the
// disk, through the field for the time of deletion, so that the next mount finishes what we began. An orphan
// file (which Linux writes instead) is read, and emptied.
#include <cstring>

#include "core/log/log.h"
#include "crc32c.h"
#include "inode.h"

namespace ext4 {

Result<void> Ext4FileSystem::add_orphan(Handle& handle, Ext4Inode& inode) {
  core::MutexGuard guard{orphan_mutex_};
  if (inode.is_orphan) return {};
  TRY(handle.access(super_buffer_));
  TRY(orphans_.try_push_back(inode.inode_number()));
  inode.is_orphan = true;
  inode.next_orphan_ = super().last_orphan;
  writable_super()->last_orphan = inode.inode_number();
  return {};  // the caller stores the inode
}

Result<void> Ext4FileSystem::remove_orphan(Handle& handle, Ext4Inode& inode) {
  core::MutexGuard guard{orphan_mutex_};
  if (!inode.is_orphan) return {};
  std::size_t at = 0;
  while (at < orphans_.size() && orphans_[at] != inode.inode_number()) ++at;
  if (at == orphans_.size()) return corrupted("orphan list", inode.inode_number());
  std::uint32_t next = at ? orphans_[at - 1] : 0;
  if (at + 1 == orphans_.size()) {
    TRY(handle.access(super_buffer_));
    writable_super()->last_orphan = next;
  } else {
    // The one before it in the list on the disk now leads past it.
    InodePlace place = TRY(find_record(orphans_[at + 1]));
    TRY(handle.access(place.buffer));
    place.raw()->delete_time = next;
    seal_record(place, orphans_[at + 1]);
    if (Ext4Inode* newer = find_loaded(orphans_[at + 1])) newer->next_orphan_ = next;
  }
  orphans_.erase(at);
  inode.is_orphan = false;
  inode.next_orphan_ = 0;
  return {};
}

namespace {

// Deletes it, or cuts off what lies behind its end.
Result<void> finish_orphan(Ext4FileSystem& file_system, std::uint32_t number) {
  auto inode = file_system.get_inode(number);
  if (!inode) return error(inode.error());
  if ((*inode)->link_count() == 0) return {};  // goes with the last reference: now
  return (*inode)->truncate_blocks((*inode)->size());
}

}  // namespace

Result<void> Ext4FileSystem::process_orphans() {
  // ---- The list ----
  std::uint32_t steps = 0, number = super().last_orphan;
  base::Vector<std::uint32_t> found;
  while (number) {
    if (number < first_inode_ || number > inodes_count_ || ++steps > inodes_count_) {
      core::log(core::LogLevel::error, "ext4 ({}): the list of orphans is damaged at inode {}",
                volume_->name(), number);
      break;
    }
    InodePlace place = TRY(find_record(number));
    if (!record_is_right(place, number)) break;
    TRY(found.try_push_back(number));
    number = place.raw()->delete_time;
    for (std::uint32_t other : found)
      if (other == number) number = 0;  // a circle
  }
  if (!found.empty()) {
    Handle handle;
    TRY(handle.start(journal_, 1));
    TRY(handle.access(super_buffer_));
    writable_super()->last_orphan = 0;
  }
  // ---- The orphan file ----
  if (has_read_only(read_only::orphan_present) && has_compatible(compatible::orphan_file))
    TRY(read_orphan_file(found));
  for (std::uint32_t one : found) {
    auto done = finish_orphan(*this, one);
    if (!done && done.error() != Errno::estale && done.error() != Errno::euclean) return done;
  }
  if (!found.empty())
    core::log(core::LogLevel::info, "ext4 ({}): {} orphans deleted or truncated", volume_->name(),
              found.size());
  return {};
}

// Takes the inodes out of the file's blocks.
Result<void> Ext4FileSystem::read_orphan_file(base::Vector<std::uint32_t>& found) {
  auto file = TRY(get_inode(super().orphan_file_inode));
  std::uint64_t blocks = file->size() >> block_shift_;
  std::uint32_t per_block = (block_size_ - sizeof(OrphanTail)) / 4;
  if (blocks > 8192) return corrupted("size of the orphan file", blocks);
  for (std::uint32_t at = 0; at < blocks; ++at) {
    Mapping mapping;
    {
      core::ReadGuard guard{file->map_lock()};
      mapping = TRY(file->map(at));
    }
    if (mapping.is_hole()) return corrupted("hole in the orphan file", at);
    BufferRef buffer = TRY(buffers_.read(mapping.physical));
    auto* tail = buffer->as<OrphanTail>(block_size_ - sizeof(OrphanTail));
    if (tail->magic != orphan_block_magic) return corrupted("block of the orphan file", at);
    Handle handle;
    TRY(handle.start(journal_, 2));
    TRY(handle.access(buffer));
    for (std::uint32_t i = 0; i < per_block; ++i) {
      auto* entry = buffer->as<std::uint32_t>(std::size_t{i} * 4);
      if (*entry >= first_inode_ && *entry <= inodes_count_) TRY(found.try_push_back(*entry));
      *entry = 0;
    }
    if (has_checksums_) {
      std::uint32_t state = crc32c_of(file->checksum_seed(), mapping.physical);
      tail->checksum = crc32c(state, {buffer->bytes(), std::size_t{per_block} * 4});
    }
  }
  Handle handle;
  TRY(handle.start(journal_, 1));
  TRY(handle.access(super_buffer_));
  writable_super()->feature_read_only &= ~read_only::orphan_present;
  feature_read_only_ &= ~read_only::orphan_present;
  return {};
}

}  // namespace ext4
