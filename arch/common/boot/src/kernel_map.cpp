#include "arch_common/kernel_map.h"

#include <cstring>

#include <arch/cpu.h>
#include <arch/early_console.h>

#include "base/bits.h"
#include "boot/memory_map.h"

extern "C" char __kernel_start[], __rodata_start[], __data_start[], __kernel_end[];

namespace arch {
namespace {

std::uintptr_t root_span() { return page_size << (bits_per_level * (levels() - 1)); }

bool is_memory(const boot::MemoryRange& range) {
  return range.kind != boot::MemoryKind::reserved && range.kind != boot::MemoryKind::unusable;
}

std::uintptr_t address_of(const char* symbol) {
  return reinterpret_cast<std::uintptr_t>(symbol);
}  // SAFETY: a number

}  // namespace

void no_memory_to_start() {
  early_console_write("NOS: not enough memory to start\n");
  halt_forever();
}

std::uintptr_t end_of_memory(const boot::BootInfo& info) {
  std::uintptr_t end = 0;
  for (const boot::MemoryRange& range : info.memory_map())
    if (is_memory(range) && range.end() > end) end = range.end();
  return end;
}

void choose_kernel_layout(boot::BootInfo& info, unsigned first_entry, unsigned choices,
                          std::uint64_t random) {
  constexpr unsigned root_shift = 39;
  auto take_random = [&random](unsigned limit) {
    unsigned value = static_cast<unsigned>(random % limit);
    random /= limit;
    return value;
  };
  std::uintptr_t slot = first_entry + take_random(choices);
  auto address = [](std::uintptr_t s) { return ~std::uintptr_t{0} << 48 | s << root_shift; };
  std::size_t span = base::align_up(end_of_memory(info), base::GiB);
  info.direct_map_base = address(slot) + take_random(128) * base::GiB;
  info.direct_map_end = info.direct_map_base + span;
  slot = ((info.direct_map_end - 1) >> root_shift & 511) + 1 + take_random(24);
  info.page_array_base = address(slot);
  info.page_array_end = address(slot + 1);
  slot += 1 + take_random(24);
  info.dynamic_map_start = address(slot) + take_random(256) * 2 * base::MiB;
  info.dynamic_map_end = address(slot + 1);
}

KernelMap::KernelMap(boot::BootInfo& info, std::uintptr_t limit) : info_(info), limit_(limit) {
  root_ = take_page();
}

// SAFETY: tables lie below limit_, mapped one to one while they are built.
std::uint64_t* KernelMap::table_at(std::uintptr_t physical) {
  return reinterpret_cast<std::uint64_t*>(physical);
}

std::uintptr_t KernelMap::take_page() {
  if (chunk_left_ == 0) {
    constexpr std::size_t chunk = 16 * page_size;
    std::uintptr_t start = boot::find_free(info_, chunk, limit_, page_size);
    if (!start) no_memory_to_start();
    boot::reserve_memory(info_, start, start + chunk, boot::MemoryKind::boot_tables);
    chunk_ = start;
    chunk_left_ = chunk / page_size;
  }
  std::uintptr_t page = chunk_;
  chunk_ += page_size;
  --chunk_left_;
  std::memset(table_at(page), 0, page_size);
  return page;
}

void KernelMap::finish() {
  for (std::size_t i = 0; i < info_.memory_count && chunk_left_; ++i) {
    boot::MemoryRange& range = info_.memory[i];
    if (range.kind != boot::MemoryKind::boot_tables || chunk_ < range.start || chunk_ >= range.end())
      continue;
    std::uintptr_t free_end = chunk_ + chunk_left_ * page_size;
    if (free_end != range.end()) break;
    range.size = chunk_ - range.start;
    boot::add_memory(info_, chunk_, free_end, boot::MemoryKind::usable);
    chunk_left_ = 0;
  }
}

std::uint64_t* KernelMap::entry_for(std::uintptr_t address, unsigned level) {
  std::uintptr_t table = root_;
  for (unsigned at = levels() - 1; at > level; --at) {
    std::uint64_t& entry = table_at(table)[table_index(address, at)];
    if (!entry) entry = PageTableEntry::make_table(take_page()).raw();
    table = PageTableEntry::from_raw(entry).physical(at);
  }
  return &table_at(table)[table_index(address, level)];
}

void KernelMap::map(std::uintptr_t address, std::uintptr_t physical, std::size_t size,
                    PageAttributes attributes) {
  while (size) {
    unsigned level = 0;
    for (unsigned larger = 2; larger > 0; --larger) {
      // Entries of the root are shared by copying and must never be split: always tables.
      if (!is_leaf_level_supported(larger) || larger == levels() - 1) continue;
      std::size_t span = page_size << (bits_per_level * larger);
      if (size >= span && !(address & (span - 1)) && !(physical & (span - 1))) {
        level = larger;
        break;
      }
    }
    std::size_t span = page_size << (bits_per_level * level);
    *entry_for(address, level) = make_boot_leaf(physical, attributes, level).raw();
    address += span;
    physical += span;
    size -= span;
  }
}

void KernelMap::add_image() {
  std::uintptr_t start = address_of(__kernel_start), rodata = address_of(__rodata_start),
                 data = address_of(__data_start), end = address_of(__kernel_end);
  std::uintptr_t physical = info_.kernel_physical.start;
  map(start, physical, rodata - start, {.execute = true, .global = true});
  map(rodata, physical + (rodata - start), data - rodata, {.global = true});
  map(data, physical + (data - start), end - data, {.write = true, .global = true});
}

void KernelMap::add_memory() {
  std::uintptr_t image = info_.kernel_physical.start;
  std::uintptr_t constant_end = image + (address_of(__data_start) - address_of(__kernel_start));
  // Pages for tables come out of the map while it is read, which splits ranges but does not change what is
  // RAM.
  for (std::size_t i = 0; i < info_.memory_count; ++i) {
    boot::MemoryRange range = info_.memory[i];
    if (!is_memory(range)) continue;
    // Neighbours of other kinds are mapped in one go, so that large pages can be used across them.
    while (i + 1 < info_.memory_count && info_.memory[i + 1].start == range.end() &&
           is_memory(info_.memory[i + 1]))
      range.size += info_.memory[++i].size;
    auto map_part = [&](std::uintptr_t from, std::uintptr_t to, bool write) {
      if (from < range.start) from = range.start;
      if (to > range.end()) to = range.end();
      if (from < to) map(info_.direct_map_base + from, from, to - from, {.write = write, .global = true});
    };
    map_part(0, image, true);
    map_part(image, constant_end, false);
    map_part(constant_end, ~std::uintptr_t{0}, true);
  }
}

void KernelMap::prepare_regions() {
  auto prepare = [&](std::uintptr_t from, std::uintptr_t to) {
    for (std::uintptr_t at = base::align_down(from, root_span()); at < to; at += root_span())
      entry_for(at, levels() - 2);
  };
  prepare(info_.page_array_base, info_.page_array_end);
  prepare(info_.dynamic_map_start, info_.dynamic_map_end);
}

}  // namespace arch
