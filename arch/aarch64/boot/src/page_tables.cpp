#include "page_tables.h"

#include <cstring>

#include <arch/cpu.h>
#include <arch/early_console.h>
#include <arch/page_table.h>

#include "aarch64/early_console.h"
#include "aarch64/tlb.h"
#include "base/bits.h"
#include "boot/memory_map.h"

extern "C" {
extern char __kernel_start[], __rodata_start[], __data_start[], __kernel_end[];
extern std::uint64_t boot_page_tables[];
void arch_switch_kernel_root(std::uintptr_t root, std::uintptr_t physical_address_of_itself,
                             std::uintptr_t empty_root);
}

namespace arch {
namespace {

constexpr unsigned root_shift = 39;
// Below the top of the address space and above where the image can come to lie.
constexpr std::uintptr_t console_address = 0xfffffffff0000000;

[[noreturn]] void no_memory() {
  early_console_write("NOS: not enough memory to start\n");
  halt_forever();
}

class Builder {
 public:
  Builder(boot::BootInfo& info, std::uintptr_t limit) : info_(info), limit_(limit) { root_ = take_page(); }

  std::uintptr_t root() const { return root_; }

  // SAFETY: tables lie in the gigabyte of the image, mapped one to one while they are built.
  static std::uint64_t* table_at(std::uintptr_t physical) {
    return reinterpret_cast<std::uint64_t*>(physical);
  }

  std::uintptr_t take_page() {
    if (chunk_left_ == 0) {
      constexpr std::size_t chunk = 16 * page_size;
      std::uintptr_t start = boot::find_free(info_, chunk, limit_, page_size);
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
        if (size >= span && !(address & (span - 1)) && !(physical & (span - 1))) {
          level = larger;
          break;
        }
      }
      std::size_t span = page_size << (bits_per_level * level);
      std::uint64_t* entry = entry_for(address, level);
      *entry = PageTableEntry::make_leaf(physical, attributes, level).raw();
      address += span;
      physical += span;
      size -= span;
    }
  }

 private:
  boot::BootInfo& info_;
  const std::uintptr_t limit_;  // only memory below is mapped now
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
  std::uintptr_t slot = 17 + take_random(240);
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

void build_kernel_page_tables(boot::BootInfo& info, bool randomise, std::uintptr_t console) {
  choose_layout(info, randomise);
  Builder builder(info, base::align_down(info.kernel_physical.start, base::GiB) + base::GiB);

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

  if (console)
    builder.map(console_address, console & ~(page_size - 1), page_size,
                {.write = true, .global = true, .cache = CacheType::uncached});

  std::uintptr_t root = builder.root();
  builder.finish();
  // SAFETY: numbers; the image and the boot tables in it are mapped at a fixed distance.
  auto to_physical = [&](std::uintptr_t address) { return address - start + physical; };
  auto code = reinterpret_cast<std::uintptr_t>(&arch_switch_kernel_root);
  // entry.S: the last of the boot tables is an empty root.
  std::uintptr_t empty_root = to_physical(reinterpret_cast<std::uintptr_t>(boot_page_tables)) + 6 * page_size;
  set_kernel_root(root, empty_root);
  full_memory_barrier();
  arch_switch_kernel_root(root, to_physical(code), empty_root);
  if (console) set_early_console(console_address + (console & (page_size - 1)));
  // The identity map is for CPUs that start; no program runs yet, so nothing is mapped in the lower half.
  clear_user_root();
}

}  // namespace arch
