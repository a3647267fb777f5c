#include "boot/memory_map.h"

#include "base/bits.h"

namespace boot {
namespace {

constexpr std::uintptr_t page = 4096;

void erase_at(BootInfo& info, std::size_t index) {
  for (std::size_t i = index + 1; i < info.memory_count; ++i) info.memory[i - 1] = info.memory[i];
  --info.memory_count;
}

bool insert_at(BootInfo& info, std::size_t index, MemoryRange range) {
  if (range.size == 0) return true;
  if (info.memory_count == BootInfo::max_ranges) return false;
  for (std::size_t i = info.memory_count; i > index; --i) info.memory[i] = info.memory[i - 1];
  info.memory[index] = range;
  ++info.memory_count;
  return true;
}

// Cuts [start, end) out of every range for which `gives_way` says so.
template <typename Predicate>
void cut(BootInfo& info, std::uintptr_t start, std::uintptr_t end, Predicate gives_way) {
  for (std::size_t i = 0; i < info.memory_count;) {
    MemoryRange range = info.memory[i];
    if (range.end() <= start || range.start >= end || !gives_way(range.kind)) {
      ++i;
      continue;
    }
    erase_at(info, i);
    if (range.start < start && insert_at(info, i, {range.start, start - range.start, range.kind})) ++i;
    if (range.end() > end && insert_at(info, i, {end, range.end() - end, range.kind})) ++i;
  }
}

// Adds the parts of [start, end) that no range covers yet.
void fill_gaps(BootInfo& info, std::uintptr_t start, std::uintptr_t end, MemoryKind kind) {
  std::size_t i = 0;
  while (start < end) {
    while (i < info.memory_count && info.memory[i].end() <= start) ++i;
    std::uintptr_t stop = i < info.memory_count && info.memory[i].start < end ? info.memory[i].start : end;
    if (stop > start && insert_at(info, i, {start, stop - start, kind})) ++i;
    if (i >= info.memory_count || stop == end) break;
    start = info.memory[i].end();
  }
}

void merge_neighbours(BootInfo& info) {
  for (std::size_t i = 1; i < info.memory_count;) {
    MemoryRange& before = info.memory[i - 1];
    if (before.end() == info.memory[i].start && before.kind == info.memory[i].kind) {
      before.size += info.memory[i].size;
      erase_at(info, i);
    } else {
      ++i;
    }
  }
}

}  // namespace

void add_memory(BootInfo& info, std::uintptr_t start, std::uintptr_t end, MemoryKind kind) {
  if (end <= start) return;
  if (kind == MemoryKind::usable) {
    if (start > ~page) return;
    start = base::align_up(start, page);
    end = base::align_down(end, page);
    if (end <= start) return;
  } else {
    start = base::align_down(start, page);
    end = end > ~page ? base::align_down(end, page) : base::align_up(end, page);
    cut(info, start, end, [](MemoryKind other) { return other == MemoryKind::usable; });
  }
  fill_gaps(info, start, end, kind);
  merge_neighbours(info);
}

void reserve_memory(BootInfo& info, std::uintptr_t start, std::uintptr_t end, MemoryKind kind) {
  start = base::align_down(start, page);
  end = base::align_up(end, page);
  for (std::size_t i = 0; i < info.memory_count; ++i) {
    MemoryRange range = info.memory[i];
    if (range.kind != MemoryKind::usable || range.end() <= start || range.start >= end) continue;
    std::uintptr_t from = range.start > start ? range.start : start,
                   to = range.end() < end ? range.end() : end;
    cut(info, from, to, [](MemoryKind other) { return other == MemoryKind::usable; });
    fill_gaps(info, from, to, kind);
  }
  merge_neighbours(info);
}

void reserve_initrd(BootInfo& info) {
  if (info.initrd.size == 0) return;
  std::uintptr_t start = base::align_down(info.initrd.start, page),
                 end = base::align_up(info.initrd.start + info.initrd.size, page);
  reserve_memory(info, start, end, MemoryKind::initrd);
  cut(info, start, end, [](MemoryKind kind) {
    return kind != MemoryKind::initrd && kind != MemoryKind::kernel && kind != MemoryKind::boot_tables;
  });
  fill_gaps(info, start, end, MemoryKind::initrd_kept);
  merge_neighbours(info);
}

void limit_memory(BootInfo& info, std::uintptr_t limit) {
  cut(info, base::align_down(limit, page), ~std::uintptr_t{0},
      [](MemoryKind kind) { return kind == MemoryKind::usable; });
}

std::uintptr_t find_free(const BootInfo& info, std::size_t size, std::uintptr_t below,
                         std::size_t alignment) {
  for (std::size_t i = info.memory_count; i-- > 0;) {
    const MemoryRange& range = info.memory[i];
    if (range.kind != MemoryKind::usable) continue;
    std::uintptr_t end = range.end() < below ? range.end() : below;
    if (end < size) continue;
    std::uintptr_t start = base::align_down(end - size, alignment);
    if (start >= range.start && start != 0) return start;
  }
  return 0;
}

}  // namespace boot
