// Which blocks are free: first fit from a goal, in whole runs where there are some.
//
// A bit of the bitmap that is clear says what the next commit will say. Blocks freed in a transaction that is
// not committed yet are in freed_ as well, and are not given out: after a crash they belong to who had them
// before.
#include <bit>
#include <cstring>

#include "core/log/log.h"
#include "file_system.h"
#include "inode.h"

namespace ext4 {

namespace {

bool is_set(const std::byte* map, std::uint32_t bit) {
  return (map[bit / 8] & static_cast<std::byte>(1u << bit % 8)) != std::byte{0};
}
void set(std::byte* map, std::uint32_t bit) { map[bit / 8] |= static_cast<std::byte>(1u << bit % 8); }
void clear(std::byte* map, std::uint32_t bit) { map[bit / 8] &= static_cast<std::byte>(~(1u << bit % 8)); }

// The first clear bit in [from, to); `to` if there is none.
std::uint32_t find_clear(const std::byte* map, std::uint32_t from, std::uint32_t to) {
  for (std::uint32_t bit = from; bit < to;) {
    if (bit % 64 == 0 && to - bit >= 64) {
      std::uint64_t word;
      std::memcpy(&word, map + bit / 8, 8);
      if (word == ~std::uint64_t{0}) {
        bit += 64;
        continue;
      }
      return bit + static_cast<std::uint32_t>(std::countr_one(word));
    }
    if (!is_set(map, bit)) return bit;
    ++bit;
  }
  return to;
}

}  // namespace

std::uint64_t Ext4FileSystem::goal_for(const Ext4Inode& inode) const {
  return first_block_of((inode.inode_number() - 1) / inodes_per_group_);
}

Result<void> Ext4FileSystem::reserve_blocks(std::uint64_t count) {
  std::uint64_t promised = promised_blocks_.load();
  do {
    if (free_blocks_.load() < promised + count + blocks_for_trees + promised / 32)
      return error(Errno::enospc);
  } while (!promised_blocks_.compare_exchange_weak(promised, promised + count));
  return {};
}
void Ext4FileSystem::unreserve_blocks(std::uint64_t count) { promised_blocks_.fetch_sub(count); }

// The first run of free blocks from `from` on with at least `wanted_at_least` of them, `count` at most. An
// empty run: there is none.
Result<BlockRun> Ext4FileSystem::allocate_in_group(Handle& handle, std::uint32_t group, std::uint32_t from,
                                                   std::uint32_t count, std::uint32_t wanted_at_least) {
  std::uint32_t blocks = blocks_in(group);
  BufferRef bitmap = TRY(block_bitmap(group));
  const std::byte* map = bitmap->bytes();
  std::uint64_t base = first_block_of(group);
  BlockRun best;
  std::uint32_t best_bit = 0;
  for (std::uint32_t bit = find_clear(map, from, blocks); bit < blocks;) {
    std::uint32_t end = bit;
    while (end < blocks && end - bit < count && !is_set(map, end)) ++end;
    // Not what waits for a commit.
    std::uint32_t usable_end = end, next = end;
    for (const FreedRun& freed : freed_) {
      if (freed.run.start + freed.run.count <= base + bit || freed.run.start >= base + usable_end) continue;
      if (freed.run.start > base + bit) {
        usable_end = static_cast<std::uint32_t>(freed.run.start - base);
      } else {
        usable_end = bit;
        std::uint64_t after = freed.run.start + freed.run.count - base;
        next = after < blocks ? static_cast<std::uint32_t>(after) : blocks;
        break;
      }
    }
    if (usable_end > bit) {
      if (usable_end - bit > best.count) {
        best.count = usable_end - bit;
        best_bit = bit;
      }
      if (best.count >= wanted_at_least) break;
      next = usable_end;
    }
    bit = find_clear(map, next > bit ? next : bit + 1, blocks);
  }
  if (best.count < wanted_at_least) return BlockRun{};
  TRY(handle.access(bitmap));
  BufferRef descriptors = descriptor_buffer(group);
  TRY(handle.access(descriptors));
  if (free_blocks_of(group) < best.count) return corrupted("free blocks of group", group);
  std::byte* writable_map = bitmap->bytes();
  for (std::uint32_t bit = best_bit; bit < best_bit + best.count; ++bit) set(writable_map, bit);
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
        BufferRef bitmap = TRY(block_bitmap(group));
        std::uint32_t bit = within, run = 0;
        while (bit + run < blocks_in(group) && run < least && !is_set(bitmap->bytes(), bit + run)) ++run;
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
    TRY(freed_.try_push_back({handle.transaction(), {run.start, here}}));
    std::uint32_t cleared = 0;
    for (std::uint32_t i = 0; i < here; ++i) {
      if (!is_set(bitmap->bytes(), bit + i)) continue;
      clear(bitmap->bytes(), bit + i);
      ++cleared;
    }
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
  for (std::size_t i = 0; i < freed_.size(); ++i)
    if (static_cast<std::int32_t>(freed_[i].transaction - transaction) > 0) freed_[kept++] = freed_[i];
  while (freed_.size() > kept) freed_.pop_back();
}

}  // namespace ext4
