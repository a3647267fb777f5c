#include "chain.h"

#include "core/memory/slab.h"

namespace vfat {

Result<void> Chain::note(std::uint32_t cluster) {
  if (!runs_.empty() && runs_.back().cluster + runs_.back().count == cluster) {
    ++runs_.back().count;
  } else {
    TRY(runs_.try_push_back({known_, cluster, 1}));
  }
  ++known_;
  return {};
}

// Until `index` is known, or the end is.
Result<void> Chain::load_to(std::uint32_t index) {
  if (start_ == 0) is_complete_ = true;
  while (!is_complete_ && known_ <= index) {
    std::uint32_t next = start_;
    if (known_) {
      const Run& last = runs_.back();
      next = TRY(file_system_.next_of(last.cluster + last.count - 1));
      if (next == VfatFileSystem::end_of_chain) {
        is_complete_ = true;
        break;
      }
    } else if (!file_system_.is_cluster(start_)) {
      return file_system_.corrupted("first cluster of a file", start_);
    }
    if (known_ >= file_system_.cluster_end()) return file_system_.corrupted("chain without an end", start_);
    TRY(note(next));
  }
  return {};
}

Result<Chain::Mapping> Chain::map(std::uint32_t index) {
  TRY(load_to(index));
  if (index >= known_) return Mapping{};
  std::size_t low = 0, high = runs_.size();
  while (high - low > 1) {
    std::size_t middle = (low + high) / 2;
    (runs_[middle].index <= index ? low : high) = middle;
  }
  std::uint32_t within = index - runs_[low].index;
  return Mapping{runs_[low].cluster + within, runs_[low].count - within};
}

Result<std::uint32_t> Chain::length() {
  TRY(load_to(0xfffffffe));
  return known_;
}

Result<void> Chain::append() {
  (void)TRY(length());
  // Room to remember it: what the table says cannot be taken back for want of memory.
  TRY(runs_.try_reserve(runs_.size() + 1 > runs_.capacity() ? runs_.size() * 2 + 1 : runs_.capacity()));
  std::uint32_t last = runs_.empty() ? 0 : runs_.back().cluster + runs_.back().count - 1;
  std::uint32_t fresh = TRY(file_system_.allocate(last));
  if (start_ == 0) start_ = fresh;
  return note(fresh);
}

Result<void> Chain::truncate(std::uint32_t wanted) {
  (void)TRY(length());
  if (wanted >= known_) return {};
  std::uint32_t first = TRY(map(wanted)).cluster, last = wanted ? TRY(map(wanted - 1)).cluster : 0;
  while (!runs_.empty() && runs_.back().index >= wanted) runs_.pop_back();
  if (!runs_.empty()) runs_.back().count = wanted - runs_.back().index;
  known_ = wanted;
  if (wanted == 0) start_ = 0;
  return file_system_.cut(last, first);
}

}  // namespace vfat
