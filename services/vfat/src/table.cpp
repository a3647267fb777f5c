// The file allocation table: chains, and finding what is free.
#include <cstring>

#include "core/memory/slab.h"
#include "file_system.h"

namespace vfat {

using core::MutexGuard;

Result<std::uint32_t> VfatFileSystem::get_entry(std::uint32_t cluster) {
  std::uint64_t start = table_start_;
  if (bits_ == 32) return TRY(bytes_.get<std::uint32_t>(start + std::uint64_t{cluster} * 4)) & 0x0fffffff;
  if (bits_ == 16) return TRY(bytes_.get<std::uint16_t>(start + std::uint64_t{cluster} * 2));
  std::uint16_t pair = TRY(bytes_.get<std::uint16_t>(start + cluster + cluster / 2));
  return cluster & 1 ? pair >> 4 : pair & 0xfff;
}

Result<void> VfatFileSystem::set_entry(std::uint32_t cluster, std::uint32_t value) {
  for (unsigned i = 0; i < tables_; ++i) {
    std::uint64_t start = table_start_ + i * table_bytes_;
    if (bits_ == 32) {
      std::uint64_t place = start + std::uint64_t{cluster} * 4;
      std::uint32_t kept = TRY(bytes_.get<std::uint32_t>(place)) & 0xf0000000;
      TRY(bytes_.put(place, kept | (value & 0x0fffffff)));
    } else if (bits_ == 16) {
      TRY(bytes_.put(start + std::uint64_t{cluster} * 2, static_cast<std::uint16_t>(value)));
    } else {
      std::uint64_t place = start + cluster + cluster / 2;
      std::uint16_t pair = TRY(bytes_.get<std::uint16_t>(place));
      pair = static_cast<std::uint16_t>(cluster & 1 ? (pair & 0xf) | value << 4
                                                    : (pair & 0xf000) | (value & 0xfff));
      TRY(bytes_.put(place, pair));
    }
  }
  return {};
}

Result<std::uint32_t> VfatFileSystem::next_of(std::uint32_t cluster) {
  if (!is_cluster(cluster)) return corrupted("number of a cluster", cluster);
  MutexGuard guard{table_mutex_};
  std::uint32_t value = TRY(get_entry(cluster));
  std::uint32_t last = bits_ == 32 ? 0x0ffffff8 : bits_ == 16 ? 0xfff8 : 0xff8;
  if (value >= last) return end_of_chain;
  if (!is_cluster(value))
    return corrupted("chain leads to a cluster that is free, bad or not there", cluster);
  return value;
}

Result<void> VfatFileSystem::scan(std::uint32_t from, std::uint32_t to,
                                  base::FunctionRef<bool(std::uint32_t, std::uint32_t)> use) {
  if (bits_ == 12) {
    for (std::uint32_t cluster = from; cluster < to; ++cluster)
      if (!use(cluster, TRY(get_entry(cluster)))) return {};
    return {};
  }
  constexpr std::uint32_t at_once = 256;
  std::byte memory[at_once * 4];
  std::uint32_t size = bits_ / 8;
  for (std::uint32_t cluster = from; cluster < to;) {
    std::uint32_t count = to - cluster < at_once ? to - cluster : at_once;
    TRY(bytes_.read(table_start_ + std::uint64_t{cluster} * size, std::span(memory).first(count * size)));
    for (std::uint32_t i = 0; i < count; ++i) {
      std::uint32_t value = 0;
      std::memcpy(&value, memory + i * size, size);
      if (!use(cluster + i, bits_ == 32 ? value & 0x0fffffff : value)) return {};
    }
    cluster += count;
  }
  return {};
}

Result<void> VfatFileSystem::count_free() {
  if (free_is_known_) return {};
  std::uint32_t count = 0;
  TRY(scan(first_cluster, cluster_end_, [&](std::uint32_t, std::uint32_t value) {
    count += value == 0;
    return true;
  }));
  free_count_ = count;
  free_is_known_ = true;
  return {};
}

Result<std::uint32_t> VfatFileSystem::find_free(std::uint32_t from, std::uint32_t to) {
  std::uint32_t found = 0;
  TRY(scan(from, to, [&](std::uint32_t cluster, std::uint32_t value) {
    if (value == 0) found = cluster;
    return value != 0;
  }));
  return found;
}

Result<std::uint32_t> VfatFileSystem::allocate(std::uint32_t after) {
  if (!is_writable()) return error(Errno::erofs);
  MutexGuard guard{table_mutex_};
  TRY(count_free());
  if (free_count_ == 0) return error(Errno::enospc);
  std::uint32_t from = after ? after + 1 : next_free_;
  if (!is_cluster(from)) from = first_cluster;
  std::uint32_t found = TRY(find_free(from, cluster_end_));
  if (!found) found = TRY(find_free(first_cluster, from));
  if (!found) {
    free_count_ = 0;  // the count was wrong
    return error(Errno::enospc);
  }
  TRY(set_entry(found, 0x0fffffff));
  if (after) TRY(set_entry(after, found));
  --free_count_;
  next_free_ = found + 1;
  return found;
}

Result<void> VfatFileSystem::cut(std::uint32_t last, std::uint32_t first) {
  {
    MutexGuard guard{table_mutex_};
    // Who only frees has to know the count, too: the one in the information sector would be wrong afterwards.
    TRY(count_free());
    if (last) TRY(set_entry(last, 0x0fffffff));
  }
  // A loop ends at its start, which is free by then: that is damage, and next_of() says so.
  while (first != end_of_chain) {
    std::uint32_t next = TRY(next_of(first));
    // What was a directory may be a file's next, whose contents go past the byte cache.
    bytes_.forget(place_of(first), cluster_bytes_);
    MutexGuard guard{table_mutex_};
    TRY(set_entry(first, 0));
    ++free_count_;
    if (first < next_free_) next_free_ = first;
    first = next;
  }
  return {};
}

}  // namespace vfat
