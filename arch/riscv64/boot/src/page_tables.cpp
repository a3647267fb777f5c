#include "page_tables.h"

#include <cstring>

#include <arch/cpu.h>
#include <arch/early_console.h>
#include <arch/page_table.h>

#include "base/bits.h"
#include "boot/memory_map.h"
#include "riscv64/registers.h"
#include "riscv64/tlb.h"

extern "C" {
extern char __kernel_start[], __rodata_start[], __data_start[], __kernel_end[];
}

namespace arch {
namespace {

// What the boot page tables map one to one.
constexpr std::uintptr_t mapped_memory = std::uintptr_t{256} << 30;
// The image has the top 2 GiB: the last two entries of a root of three levels.
constexpr std::uintptr_t image_region = 0xffffffff80000000;

[[noreturn]] void no_memory() {
  early_console_write("NOS: not enough memory to start\n");
  halt_forever();
}

std::uintptr_t root_span() { return page_size << (bits_per_level * (levels() - 1)); }

class Builder {
 public:
  explicit Builder(boot::BootInfo& info) : info_(info) { root_ = take_page(); }

  std::uintptr_t root() const { return root_; }

  // SAFETY: tables lie in memory that is mapped one to one while they are built.
  static std::uint64_t* table_at(std::uintptr_t physical) {
    return reinterpret_cast<std::uint64_t*>(physical);
  }

  std::uintptr_t take_page() {
    if (chunk_left_ == 0) {
      constexpr std::size_t chunk = 16 * page_size;
      std::uintptr_t start = boot::find_free(info_, chunk, mapped_memory, page_size);
      if (!start) no_memory();
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

  // What was reserved and not needed goes back.
  void finish() {
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

  // The tables down to `level` that translate `address`; makes those that are missing.
  std::uint64_t* entry_for(std::uintptr_t address, unsigned level) {
    std::uintptr_t table = root_;
    for (unsigned at = levels() - 1; at > level; --at) {
      std::uint64_t& entry = table_at(table)[table_index(address, at)];
      if (!entry) entry = PageTableEntry::make_table(take_page()).raw();
      table = PageTableEntry::from_raw(entry).physical(at);
    }
    return &table_at(table)[table_index(address, level)];
  }

  void map(std::uintptr_t address, std::uintptr_t physical, std::size_t size, PageAttributes attributes) {
    while (size) {
      unsigned level = 0;
      for (unsigned larger = 2; larger > 0; --larger) {
        std::size_t span = page_size << (bits_per_level * larger);
        // Entries of the root are shared by copying and must never be split: always tables.
        if (larger == levels() - 1) continue;
        if (size >= span && !(address & (span - 1)) && !(physical & (span - 1))) {
          level = larger;
          break;
        }
      }
      std::size_t span = page_size << (bits_per_level * level);
      *entry_for(address, level) = PageTableEntry::make_leaf(physical, attributes, level)
                                       .with_accessed(true)
                                       .with_dirty(attributes.write)
                                       .raw();
      address += span;
      physical += span;
      size -= span;
    }
  }

 private:
  boot::BootInfo& info_;
  std::uintptr_t root_ = 0;
  std::uintptr_t chunk_ = 0;
  std::size_t chunk_left_ = 0;
};

std::uintptr_t address_of(const char* symbol) {
  return reinterpret_cast<std::uintptr_t>(symbol);
}  // SAFETY: a number

bool is_memory(boot::MemoryKind kind) {
  return kind != boot::MemoryKind::reserved && kind != boot::MemoryKind::unusable;
}

std::uintptr_t end_of_memory(const boot::BootInfo& info) {
  std::uintptr_t end = 0;
  for (const boot::MemoryRange& range : info.memory_map())
    if (is_memory(range.kind) && range.end() > end) end = range.end();
  return end;
}

// Regions of whole root entries, one after the other, with random gaps. An entry is 1 GiB with three levels,
// where the kernel's half has 256 of them; 512 GiB or more with others.
void choose_layout(boot::BootInfo& info, std::uint64_t random) {
  std::uintptr_t span = root_span();
  auto entries_for = [span](std::uintptr_t size) { return (size + span - 1) / span; };
  std::uintptr_t memory = base::align_up(end_of_memory(info), base::GiB);
  bool small = levels() == 3;
  // The direct map begins anywhere in its first entry, in steps of 1 GiB.
  std::uintptr_t memory_entries = entries_for(memory) + (small ? 0 : 1);
  std::uintptr_t array_entries = entries_for(memory / page_size * 32 + base::GiB);
  std::uintptr_t dynamic_entries = small ? 16 : 1;
  std::uintptr_t first = kernel_root_first_index(), last = table_index(image_region, levels() - 1);
  std::uintptr_t needed = memory_entries + array_entries + dynamic_entries;
  if (needed > last - first) no_memory();
  std::uintptr_t gap = (last - first - needed) / 3;
  auto take_random = [&random](std::uintptr_t limit) {
    if (!limit) return std::uintptr_t{0};
    std::uintptr_t value = random % limit;
    random /= limit;
    return value;
  };
  std::uintptr_t half = ~std::uintptr_t{0} << (page_shift + bits_per_level * levels() - 1);
  auto address = [&](std::uintptr_t slot) { return half + (slot - first) * span; };
  std::uintptr_t slot = first + take_random(gap);
  info.direct_map_base = address(slot);
  if (!small) info.direct_map_base += take_random((span - 1) / base::GiB + 1 < 128 ? 1 : 128) * base::GiB;
  info.direct_map_end = info.direct_map_base + memory;
  slot += memory_entries + take_random(gap);
  info.page_array_base = address(slot);
  info.page_array_end = address(slot + array_entries);
  slot += array_entries + take_random(gap);
  info.dynamic_map_start = address(slot);
  if (!small) info.dynamic_map_start += take_random(256) * 2 * base::MiB;
  info.dynamic_map_end = address(slot + dynamic_entries);
}

// All memory that is RAM, never executable; the image's constant part is read-only here too.
void map_memory(Builder& builder, const boot::BootInfo& info, std::uintptr_t constant_end) {
  std::uintptr_t image = info.kernel_physical.start;
  // The builder takes pages from the map while it is read, which splits ranges but does not change what is
  // RAM.
  for (std::size_t i = 0; i < info.memory_count; ++i) {
    boot::MemoryRange range = info.memory[i];
    if (!is_memory(range.kind)) continue;
    // Neighbours of other kinds are mapped in one go, so that large pages can be used across them.
    while (i + 1 < info.memory_count && info.memory[i + 1].start == range.end() &&
           is_memory(info.memory[i + 1].kind))
      range.size += info.memory[++i].size;
    auto map_part = [&](std::uintptr_t from, std::uintptr_t to, bool write) {
      if (from < range.start) from = range.start;
      if (to > range.end()) to = range.end();
      if (from < to)
        builder.map(info.direct_map_base + from, from, to - from, {.write = write, .global = true});
    };
    map_part(0, image, true);
    map_part(image, constant_end, false);
    map_part(constant_end, ~std::uintptr_t{0}, true);
  }
}

}  // namespace

void build_kernel_page_tables(boot::BootInfo& info, std::uint64_t random) {
  choose_layout(info, random);
  Builder builder(info);

  // The image, each segment with its own rights.
  std::uintptr_t start = address_of(__kernel_start), rodata = address_of(__rodata_start),
                 data = address_of(__data_start), end = address_of(__kernel_end);
  std::uintptr_t physical = info.kernel_physical.start;
  builder.map(start, physical, rodata - start, {.execute = true, .global = true});
  builder.map(rodata, physical + (rodata - start), data - rodata, {.global = true});
  builder.map(data, physical + (data - start), end - data, {.write = true, .global = true});
  map_memory(builder, info, physical + (data - start));

  // The regions that core/memory fills: their second level exists from now on, so that all address spaces
  // share it.
  auto prepare = [&](std::uintptr_t from, std::uintptr_t to) {
    for (std::uintptr_t at = base::align_down(from, root_span()); at < to; at += root_span())
      builder.entry_for(at, levels() - 2);
  };
  prepare(info.page_array_base, info.page_array_end);
  prepare(info.dynamic_map_start, info.dynamic_map_end);

  std::uintptr_t root = builder.root();
  builder.finish();
  set_kernel_root(root);
  write_satp(satp_for(root));
  flush_tlb_all_local();
}

}  // namespace arch
