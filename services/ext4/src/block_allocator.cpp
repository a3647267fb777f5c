// Which blocks are free: first fit from a goal, in whole runs where there are some.
//
// A bit of the bitmap that is clear says what the next commit will say. Blocks freed in a transaction that is
// not committed yet are in waiting_ as well, and are not given out: after a crash they belong to who had them
// before.
#include <algorithm>
#include <bit>
#include <cstring>

#include "core/log/log.h"
#include "file_system.h"
#include "inode.h"
#include "vfs/operations.h"

namespace ext4 {

namespace {

// Calls f(word of the map, its bits that lie in [from, to)) for every word that has some.
template <typename F>
void for_each_word(std::uint32_t from, std::uint32_t to, F f) {
  for (std::uint32_t bit = from; bit < to;) {
    std::uint32_t end = std::min(to, (bit / 64 + 1) * 64);
    std::uint64_t mask = ~std::uint64_t{0} << bit % 64;
    if (end % 64) mask &= ~(~std::uint64_t{0} << end % 64);
    f(bit / 64, mask);
    bit = end;
  }
}
void set_range(std::byte* map, std::uint32_t from, std::uint32_t to) {
  for_each_word(from, to, [map](std::uint32_t at, std::uint64_t mask) {
    std::uint64_t word;
    std::memcpy(&word, map + at * std::size_t{8}, 8);
    word |= mask;
    std::memcpy(map + at * std::size_t{8}, &word, 8);
  });
}
// Gives how many were set.
std::uint32_t clear_range(std::byte* map, std::uint32_t from, std::uint32_t to) {
  std::uint32_t were_set = 0;
  for_each_word(from, to, [&](std::uint32_t at, std::uint64_t mask) {
    std::uint64_t word;
    std::memcpy(&word, map + at * std::size_t{8}, 8);
    were_set += static_cast<std::uint32_t>(std::popcount(word & mask));
    word &= ~mask;
    std::memcpy(map + at * std::size_t{8}, &word, 8);
  });
  return were_set;
}

}  // namespace

// What may be given out of a group: what is clear in its bitmap and does not wait for a commit. Words: a
// bitmap is a whole block.
class Ext4FileSystem::FreeMap {
 public:
  FreeMap(const Buffer& bitmap, const std::uint64_t* waiting) : map_(bitmap.bytes()), waiting_(waiting) {}
  // The first one in [from, to), or `to`.
  std::uint32_t find(std::uint32_t from, std::uint32_t to) const {
    return search(from, to, ~std::uint64_t{0});
  }
  // Where those that begin at `from` end, `to` at the latest.
  std::uint32_t end_of_run(std::uint32_t from, std::uint32_t to) const { return search(from, to, 0); }

 private:
  std::uint64_t taken(std::uint32_t at) const {
    std::uint64_t word;
    std::memcpy(&word, map_ + at * std::size_t{8}, 8);
    return waiting_ ? word | waiting_[at] : word;
  }
  // The first bit in [from, to) whose being taken differs from that of `skipped`.
  std::uint32_t search(std::uint32_t from, std::uint32_t to, std::uint64_t skipped) const {
    if (from >= to) return to;
    std::uint32_t at = from / 64;
    std::uint64_t differs = (taken(at) ^ skipped) & ~std::uint64_t{0} << from % 64;
    while (!differs) {
      if (++at * std::uint64_t{64} >= to) return to;
      differs = taken(at) ^ skipped;
    }
    return std::min(to, at * 64 + static_cast<std::uint32_t>(std::countr_zero(differs)));
  }

  const std::byte* map_;
  const std::uint64_t* waiting_;
};

std::uint64_t Ext4FileSystem::goal_for(const Ext4Inode& inode) const {
  return first_block_of((inode.inode_number() - 1) / inodes_per_group_);
}

// The last blocks (mke2fs -m) are for root, and for whom tune2fs -u and -g name.
bool Ext4FileSystem::may_use_reserved() const {
  auto who = vfs::acting_credentials();
  if (!who) return true;
  if (who->fsuid == super().reserved_uid || who->can(vfs::Capability::sys_resource)) return true;
  return super().reserved_gid && who->in_group(super().reserved_gid);
}

Result<void> Ext4FileSystem::reserve_blocks(std::uint64_t count) {
  std::uint64_t promised = promised_blocks_.load();
  do {
    std::uint64_t free = free_blocks_.load(), needed = promised + count + blocks_for_trees + promised / 32;
    if (free < needed) return error(Errno::enospc);
    if (free < needed + reserved_for_root_ && !may_use_reserved()) return error(Errno::enospc);
  } while (!promised_blocks_.compare_exchange_weak(promised, promised + count));
  return {};
}
void Ext4FileSystem::unreserve_blocks(std::uint64_t count) { promised_blocks_.fetch_sub(count); }

Result<Ext4FileSystem::FreeMap> Ext4FileSystem::free_map(std::uint32_t group, BufferRef& bitmap) {
  bitmap = TRY(block_bitmap(group));
  bool waits = group < waiting_.size() && !waiting_[group].blocks.empty();
  return FreeMap(*bitmap, waits ? &waiting_[group].blocks[0] : nullptr);
}

// The first run of free blocks from `from` on with at least `wanted_at_least` of them, `count` at most. An
// empty run: there is none.
Result<BlockRun> Ext4FileSystem::allocate_in_group(Handle& handle, std::uint32_t group, std::uint32_t from,
                                                   std::uint32_t count, std::uint32_t wanted_at_least) {
  std::uint32_t blocks = blocks_in(group);
  BufferRef bitmap;
  FreeMap map = TRY(free_map(group, bitmap));
  std::uint64_t base = first_block_of(group);
  BlockRun best;
  std::uint32_t best_bit = 0;
  for (std::uint32_t bit = map.find(from, blocks); bit < blocks && best.count < wanted_at_least;) {
    std::uint32_t end = map.end_of_run(bit, std::min(blocks, bit + std::min(count, blocks)));
    if (end - bit > best.count) {
      best.count = end - bit;
      best_bit = bit;
    }
    bit = map.find(end, blocks);
  }
  if (best.count < wanted_at_least) return BlockRun{};
  TRY(handle.access(bitmap));
  BufferRef descriptors = descriptor_buffer(group);
  TRY(handle.access(descriptors));
  if (free_blocks_of(group) < best.count) return corrupted("free blocks of group", group);
  std::byte* writable_map = bitmap->bytes();
  set_range(writable_map, best_bit, best_bit + static_cast<std::uint32_t>(best.count));
  set_free_blocks(group, free_blocks_of(group) - best.count);
  seal_block_bitmap(group, *bitmap);
  seal_descriptor(group);
  free_blocks_.fetch_sub(best.count);
  best.start = base + best_bit;
  // The last line of defence against a bitmap that lies.
  for (std::uint64_t block : {best.start, best.start + best.count - 1})
    if (is_system_block(block)) return corrupted("metadata block marked as free", block);
  return best;
}

// Blocks stay free while the device is told: the mutex is held for one run at a time.
Result<std::uint64_t> Ext4FileSystem::trim_group(std::uint32_t group, std::uint32_t from, std::uint32_t to,
                                                 std::uint64_t minimum) {
  std::uint64_t trimmed = 0;
  for (std::uint32_t bit = from; bit < to;) {
    core::MutexGuard guard{allocation_mutex_};
    BufferRef bitmap;
    FreeMap map = TRY(free_map(group, bitmap));
    bit = map.find(bit, to);
    std::uint32_t end = map.end_of_run(bit, to);
    if (end > bit && end - bit >= minimum) {
      std::uint64_t block = first_block_of(group) + bit, count = end - bit;
      TRY(volume_->discard(buffers_.sector_of(block), buffers_.sector_of(count)));
      trimmed += count;
    }
    bit = end;
  }
  return trimmed;
}

Result<std::uint64_t> Ext4FileSystem::trim(std::uint64_t start, std::uint64_t length, std::uint64_t minimum) {
  if (!volume_->disk().limits().discard_sectors_max) return error(Errno::eopnotsupp);
  std::uint64_t first = start >> block_shift_, count = length >> block_shift_;
  minimum >>= block_shift_;
  if (minimum > blocks_per_group_ || first >= block_count_ || count == 0) return error(Errno::einval);
  std::uint64_t end = count < block_count_ - first ? first + count : block_count_;
  if (first < first_data_block_) first = first_data_block_;
  std::uint64_t trimmed = 0;
  while (first < end) {
    auto group = static_cast<std::uint32_t>((first - first_data_block_) / blocks_per_group_);
    auto from = static_cast<std::uint32_t>(first - first_block_of(group));
    std::uint64_t left = end - first_block_of(group);
    std::uint32_t to = left < blocks_in(group) ? static_cast<std::uint32_t>(left) : blocks_in(group);
    trimmed += TRY(trim_group(group, from, to, minimum));
    first = first_block_of(group) + to;
  }
  return trimmed << block_shift_;
}

bool Ext4FileSystem::has_blocks_to_come() {
  core::MutexGuard guard{allocation_mutex_};
  return !freed_.empty();
}

bool Ext4FileSystem::make_room() {
  if (!writable_ || journal_.is_aborted()) return false;
  if (promised_blocks_.load() == 0) return has_blocks_to_come() && journal_.commit_running();
  (void)sync();  // whose data could not be written hears of it from his own fsync
  return true;
}

Result<BlockRun> Ext4FileSystem::allocate_blocks(Handle& handle, std::uint64_t goal, std::uint32_t count) {
  if (goal <= first_data_block_ || goal >= block_count_) goal = first_data_block_ + 1;
  auto goal_group = static_cast<std::uint32_t>((goal - first_data_block_) / blocks_per_group_);
  auto within = static_cast<std::uint32_t>((goal - first_data_block_) % blocks_per_group_);
  core::MutexGuard guard{allocation_mutex_};
  // First for the whole of what is wanted (or a good part), then for anything.
  for (std::uint32_t least : {count < 64 ? count : count / 2, std::uint32_t{1}}) {
    for (std::uint32_t i = 0; i < group_count_; ++i) {
      std::uint32_t group = goal_group + i < group_count_ ? goal_group + i : goal_group + i - group_count_;
      if (free_blocks_of(group) < least) continue;
      // Exactly at the goal is best, however little it is: it continues an extent.
      if (i == 0 && least > 1 && within < blocks_in(group)) {
        BufferRef bitmap;
        FreeMap map = TRY(free_map(group, bitmap));
        std::uint32_t run = map.end_of_run(within, std::min(blocks_in(group), within + least)) - within;
        if (run == least || run >= 16) {
          BlockRun found = TRY(allocate_in_group(handle, group, within, count, run));
          if (found.count) return found;
        }
      }
      for (std::uint32_t from : {i == 0 ? within : 0u, 0u}) {
        BlockRun found = TRY(allocate_in_group(handle, group, from, count, least));
        if (found.count) return found;
        if (from == 0) break;
      }
    }
    if (least == 1) break;
  }
  return error(Errno::enospc);
}

Result<std::uint64_t> Ext4FileSystem::allocate_tree_block(Handle& handle, std::uint64_t goal) {
  return TRY(allocate_blocks(handle, goal, 1)).start;
}
Result<std::uint64_t> Ext4FileSystem::allocate_name_block(Handle& handle, std::uint64_t goal) {
  TRY(reserve_blocks(1));
  auto run = allocate_blocks(handle, goal, 1);
  unreserve_blocks(1);
  return TRY(run).start;
}

// Freed blocks of a group are not given out until their transaction is committed.
Result<void> Ext4FileSystem::wait_for_commit(std::uint32_t transaction, std::uint32_t group,
                                             std::uint32_t bit, std::uint32_t count) {
  if (waiting_.size() < group_count_) TRY(waiting_.try_resize(group_count_));
  WaitingBlocks& waiting = waiting_[group];
  if (waiting.blocks.empty()) TRY(waiting.blocks.try_resize(blocks_per_group_ / 64 + 1));
  FreedRun* last = freed_.empty() ? nullptr : &freed_.back();
  if (last && last->transaction == transaction && last->group == group && last->bit + last->count == bit) {
    last->count += count;
  } else {
    TRY(freed_.try_push_back({transaction, group, bit, count}));
    ++waiting.runs;
  }
  for_each_word(bit, bit + count, [&](std::uint32_t at, std::uint64_t mask) { waiting.blocks[at] |= mask; });
  return {};
}

Result<void> Ext4FileSystem::free_blocks(Handle& handle, BlockRun run) {
  if (run.count == 0) return {};
  if (run.start <= first_data_block_ || run.start >= block_count_ || run.count > block_count_ - run.start)
    return corrupted("freed blocks lie outside", run.start);
  core::MutexGuard guard{allocation_mutex_};
  while (run.count) {
    auto group = static_cast<std::uint32_t>((run.start - first_data_block_) / blocks_per_group_);
    auto bit = static_cast<std::uint32_t>((run.start - first_data_block_) % blocks_per_group_);
    std::uint32_t here = blocks_per_group_ - bit < run.count ? blocks_per_group_ - bit : run.count;
    if (is_system_block(run.start) || is_system_block(run.start + here - 1))
      return corrupted("metadata blocks used by a file", run.start);
    BufferRef bitmap = TRY(block_bitmap(group));
    TRY(handle.access(bitmap));
    BufferRef descriptors = descriptor_buffer(group);
    TRY(handle.access(descriptors));
    TRY(wait_for_commit(handle.transaction(), group, bit, here));
    std::uint32_t cleared = clear_range(bitmap->bytes(), bit, bit + here);
    set_free_blocks(group, free_blocks_of(group) + cleared);
    seal_block_bitmap(group, *bitmap);
    seal_descriptor(group);
    free_blocks_.fetch_add(cleared);
    if (cleared != here) return corrupted("blocks freed twice in group", group);
    run.start += here;
    run.count -= here;
  }
  return {};
}

void Ext4FileSystem::after_commit(std::uint32_t transaction) {
  core::MutexGuard guard{allocation_mutex_};
  std::size_t kept = 0;
  for (const FreedRun& freed : freed_) {
    if (static_cast<std::int32_t>(freed.transaction - transaction) > 0) {
      freed_[kept++] = freed;
      continue;
    }
    WaitingBlocks& waiting = waiting_[freed.group];
    if (--waiting.runs == 0) {
      waiting.blocks = {};
      continue;
    }
    for_each_word(freed.bit, freed.bit + freed.count,
                  [&](std::uint32_t at, std::uint64_t mask) { waiting.blocks[at] &= ~mask; });
  }
  while (freed_.size() > kept) freed_.pop_back();
}

}  // namespace ext4
