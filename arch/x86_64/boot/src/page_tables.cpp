#include "page_tables.h"

#include <cstring>

#include <arch/cpu.h>
#include <arch/early_console.h>
#include <arch/page_table.h>

#include "base/bits.h"
#include "boot/memory_map.h"
#include "x86_64/features.h"
#include "x86_64/registers.h"
#include "x86_64/smp.h"
#include "x86_64/tlb.h"

extern "C" {
extern char __kernel_start[], __rodata_start[], __data_start[], __kernel_end[];
}

namespace arch {
namespace {

constexpr std::uintptr_t four_gigabytes = std::uintptr_t{4} << 30;
constexpr unsigned root_shift = 39;

[[noreturn]] void no_memory() {
  early_console_write("NOS: not enough memory to start\n");
  halt_forever();
}

class Builder {
 public:
  explicit Builder(boot::BootInfo& info) : info_(info) { root_ = take_page(); }

  std::uintptr_t root() const { return root_; }

  // SAFETY: tables lie below 4 GiB, mapped one to one while they are built.
  static std::uint64_t* table_at(std::uintptr_t physical) {
    return reinterpret_cast<std::uint64_t*>(physical);
  }

  std::uintptr_t take_page() {
    if (chunk_left_ == 0) {
      constexpr std::size_t chunk = 16 * page_size;
      std::uintptr_t start = boot::find_free(info_, chunk, four_gigabytes, page_size);
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
        if (larger == 2 && !gigabyte_pages_supported()) continue;
        if (size >= span && !(address & (span - 1)) && !(physical & (span - 1))) {
          level = larger;
          break;
        }
      }
      std::size_t span = page_size << (bits_per_level * level);
      std::uint64_t* entry = entry_for(address, level);
      auto leaf = PageTableEntry::make_leaf(physical, attributes, level)
                      .with_accessed(true)
                      .with_dirty(attributes.write);
      if (!cpu_features().no_execute) leaf = PageTableEntry::from_raw(leaf.raw() & ~(std::uint64_t{1} << 63));
      *entry = leaf.raw();
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

std::uintptr_t end_of_memory(const boot::BootInfo& info) {
  std::uintptr_t end = 0;
  for (const boot::MemoryRange& range : info.memory_map()) {
    bool is_memory = range.kind != boot::MemoryKind::reserved && range.kind != boot::MemoryKind::unusable;
    if (is_memory && range.end() > end) end = range.end();
  }
  return end;
}

// Regions of whole root entries (512 GiB each), one after the other, with random gaps.
void choose_layout(boot::BootInfo& info, bool randomise) {
  std::uint64_t random = randomise ? random_seed() : 0;
  auto take_random = [&random](unsigned limit) {
    unsigned value = static_cast<unsigned>(random % limit);
    random /= limit;
    return value;
  };
  std::uintptr_t slot = 273 + take_random(48);
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

}  // namespace

void build_kernel_page_tables(boot::BootInfo& info, bool randomise) {
  choose_layout(info, randomise);
  Builder builder(info);

  // A page below 1 MiB and tables for CPUs that start later.
  TrampolineMemory trampoline;
  trampoline.page = boot::find_free(info, page_size, 0x9f000, page_size);
  if (trampoline.page) {
    boot::reserve_memory(info, trampoline.page, trampoline.page + page_size, boot::MemoryKind::boot_tables);
    trampoline.root = builder.take_page();
    std::uintptr_t pointers = builder.take_page(), directory = builder.take_page();
    Builder::table_at(trampoline.root)[0] = PageTableEntry::make_table(pointers).raw();
    Builder::table_at(pointers)[0] = PageTableEntry::make_table(directory).raw();
    Builder::table_at(directory)[0] = PageTableEntry::make_leaf(0, {.write = true, .execute = true}, 1)
                                          .with_accessed(true)
                                          .with_dirty(true)
                                          .raw();
  }

  // The image, each segment with its own rights.
  std::uintptr_t start = address_of(__kernel_start), rodata = address_of(__rodata_start),
                 data = address_of(__data_start), end = address_of(__kernel_end);
  std::uintptr_t physical = info.kernel_physical.start;
  builder.map(start, physical, rodata - start, {.execute = true, .global = true});
  builder.map(rodata, physical + (rodata - start), data - rodata, {.global = true});
  builder.map(data, physical + (data - start), end - data, {.write = true, .global = true});

  // All memory that is RAM, never executable; the image's constant part is read-only here too.
  std::uintptr_t constant_end = physical + (data - start);
  for (std::size_t i = 0; i < info.memory_count; ++i) {
    boot::MemoryRange range = info.memory[i];
    if (range.kind == boot::MemoryKind::reserved || range.kind == boot::MemoryKind::unusable) continue;
    // Neighbours of other kinds are mapped in one go, so that large pages can be used across them.
    while (i + 1 < info.memory_count && info.memory[i + 1].start == range.end() &&
           info.memory[i + 1].kind != boot::MemoryKind::reserved &&
           info.memory[i + 1].kind != boot::MemoryKind::unusable)
      range.size += info.memory[++i].size;
    auto map_part = [&](std::uintptr_t from, std::uintptr_t to, bool write) {
      if (from < range.start) from = range.start;
      if (to > range.end()) to = range.end();
      if (from < to)
        builder.map(info.direct_map_base + from, from, to - from, {.write = write, .global = true});
    };
    map_part(0, physical, true);
    map_part(physical, constant_end, false);
    map_part(constant_end, ~std::uintptr_t{0}, true);
  }

  // The regions that core/memory fills: their second level exists from now on, so that all address spaces
  // share it.
  for (std::uintptr_t region : {info.page_array_base, info.dynamic_map_start})
    builder.entry_for(region, levels() - 2);

  std::uintptr_t root = builder.root();
  builder.finish();
  set_kernel_root(root);
  set_trampoline_memory(trampoline);
  write_cr3(root);
  flush_tlb_all_local();
  enable_address_space_identifiers();
}

}  // namespace arch
