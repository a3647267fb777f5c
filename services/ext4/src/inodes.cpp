// Records of inodes on the disk, and the table of those in memory.
#include <cstring>

#include "core/memory/slab.h"
#include "crc32c.h"
#include "inode_table.h"

namespace ext4 {

// ---- Records ----

Result<Ext4FileSystem::InodePlace> Ext4FileSystem::find_record(std::uint32_t number) {
  if (number == 0 || number > inodes_count_) return corrupted("inode number", number);
  std::uint32_t group = (number - 1) / inodes_per_group_, index = (number - 1) % inodes_per_group_;
  std::uint64_t offset = std::uint64_t{index} * inode_size_;
  InodePlace place;
  place.buffer = TRY(buffers_.read(inode_table_of(group) + (offset >> block_shift_)));
  place.offset = static_cast<std::uint32_t>(offset & (block_size_ - 1));
  return place;
}

std::uint32_t Ext4FileSystem::inode_seed(std::uint32_t number, std::uint32_t generation) const {
  return crc32c_of(crc32c_of(seed_, number), generation);
}

namespace {
std::uint32_t record_checksum(const RawInode* raw, std::uint32_t inode_size, std::uint32_t seed,
                              bool& has_high) {
  const auto* bytes = reinterpret_cast<const std::byte*>(raw);  // SAFETY: bytes of a packed structure
  constexpr std::size_t low = offsetof(RawInode, checksum_low), high = offsetof(RawInode, checksum_high);
  std::uint32_t state = crc32c(seed, {bytes, low});
  state = crc32c_of(state, std::uint16_t{0});
  state = crc32c(state, {bytes + low + 2, small_inode_size - low - 2});
  has_high = false;
  if (inode_size > small_inode_size) {
    state = crc32c(state, {bytes + small_inode_size, high - small_inode_size});
    has_high = raw->extra_size >= 4;
    if (has_high)
      state = crc32c_of(state, std::uint16_t{0});
    else
      state = crc32c(state, {bytes + high, 2});
    state = crc32c(state, {bytes + high + 2, inode_size - high - 2});
  }
  return state;
}
}  // namespace

bool Ext4FileSystem::record_is_right(const InodePlace& place, std::uint32_t number) const {
  if (!has_checksums_) return true;
  const RawInode* raw = place.raw();
  bool has_high;
  std::uint32_t computed = record_checksum(raw, inode_size_, inode_seed(number, raw->generation), has_high);
  if ((computed & 0xffff) != raw->checksum_low) return false;
  return !has_high || computed >> 16 == raw->checksum_high;
}

void Ext4FileSystem::seal_record(const InodePlace& place, std::uint32_t number) const {
  if (!has_checksums_) return;
  RawInode* raw = place.raw();
  bool has_high;
  std::uint32_t computed = record_checksum(raw, inode_size_, inode_seed(number, raw->generation), has_high);
  raw->checksum_low = static_cast<std::uint16_t>(computed);
  if (has_high) raw->checksum_high = static_cast<std::uint16_t>(computed >> 16);
}

// ---- In memory ----

Result<RefPtr<Ext4Inode>> Ext4FileSystem::get_inode(std::uint32_t number) {
  if (number == 0 || number > inodes_count_) return corrupted("inode number", number);
  RefPtr<Ext4Inode> fresh;
  for (;;) {
    {
      core::MutexGuard guard{inodes_mutex_};
      if (Ext4Inode* existing = inodes_->tree.find(number)) {
        if (existing->try_acquire_reference()) {
          guard.unlock();
          auto found = RefPtr<Ext4Inode>::adopt(existing);
          fresh = nullptr;
          guard.lock();
          return found;
        }
        // On its way out: it may still write itself.
        TRY(inode_gone_.wait(guard, core::WaitMode::uninterruptible,
                             [&] { return inodes_->tree.find(number) != existing; }));
        continue;
      }
      if (fresh) {
        inodes_->tree.insert(*fresh);
        return fresh;
      }
    }
    InodePlace place = TRY(find_record(number));
    NewInode properties{place.raw()->mode, 0, 0, {}};
    if (vfs::is_character(properties.mode) || vfs::is_block(properties.mode))
      properties.device = Ext4Inode::decode_device(place.raw()->block);
    auto* memory = new (std::nothrow) Ext4Inode(*this, number, properties);
    if (!memory) return error(Errno::enomem);
    fresh = RefPtr<Ext4Inode>::adopt(memory);
    TRY(fresh->load());
  }
}

Result<void> Ext4FileSystem::insert_inode(Ext4Inode& inode) {
  {
    core::MutexGuard guard{inodes_mutex_};
    // The number was free: at most its last owner is still leaving. One that stays may be our caller's own.
    Ext4Inode* other = nullptr;
    TRY(inode_gone_.wait(guard, core::WaitMode::uninterruptible, [&] {
      other = inodes_->tree.find(inode.table_key);
      return !other || !other->is_leaving();
    }));
    if (!other) {
      inodes_->tree.insert(inode);
      return {};
    }
  }
  return corrupted("bitmap that calls an inode in use free", inode.table_key);
}

void Ext4FileSystem::forget_inode(Ext4Inode& inode) {
  bool last;
  {
    core::MutexGuard guard{inodes_mutex_};
    if (inode.table_hook.is_linked()) inodes_->tree.remove(inode);
    last = gone_ && inodes_->tree.empty();
  }
  inode_gone_.wake_all();
  if (last) finish();
}

Ext4Inode* Ext4FileSystem::find_loaded(std::uint32_t number) {
  core::MutexGuard guard{inodes_mutex_};
  return inodes_->tree.find(number);
}

void Ext4FileSystem::for_each_inode(base::FunctionRef<void(Ext4Inode&)> visit) {
  for (std::uint32_t next = 0;;) {
    RefPtr<Ext4Inode> inode;
    {
      core::MutexGuard guard{inodes_mutex_};
      Ext4Inode* at = inodes_->tree.lower_bound(next);
      while (at && !at->try_acquire_reference()) at = inodes_->tree.upper_bound(at->table_key);
      if (!at) return;
      inode = RefPtr<Ext4Inode>::adopt(at);
      next = at->table_key + 1;
    }
    visit(*inode);
    if (next == 0) return;
  }
}

}  // namespace ext4
