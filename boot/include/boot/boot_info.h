// What the loader told us, whatever its protocol: the one structure that the rest of the kernel boots from.
//
// Filled before anything can be allocated, so everything is of fixed size. Later code reads it through
// boot_info(); it never changes after arch start-up. Text and tables it refers to have been copied or lie in
// memory that the map marks as taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace boot {

enum class MemoryKind : std::uint8_t {
  usable,
  reserved,
  acpi_reclaimable,  // holds ACPI tables
  acpi_nonvolatile,
  unusable,
  persistent,
  kernel,       // the kernel's own image
  initrd,       // usable after the initial RAM disk has been unpacked
  initrd_kept,  // a part of the initial RAM disk in memory that the map does not call usable: only mapped
  boot_tables,  // page tables and what else boot allocated: stays
};

struct MemoryRange {
  std::uintptr_t start = 0;  // physical; page aligned for everything the kernel may use
  std::size_t size = 0;
  MemoryKind kind = MemoryKind::reserved;
  std::uintptr_t end() const { return start + size; }
};

struct PhysicalRange {
  std::uintptr_t start = 0;
  std::size_t size = 0;
};

struct BootInfo {
  static constexpr std::size_t max_ranges = 256;

  // Sorted, not overlapping; ranges of kind usable are free for the page allocator.
  MemoryRange memory[max_ranges];
  std::size_t memory_count = 0;
  std::span<const MemoryRange> memory_map() const { return {memory, memory_count}; }

  PhysicalRange initrd;
  std::uintptr_t acpi_rsdp = 0;    // physical address, 0: search or none
  std::uintptr_t device_tree = 0;  // physical address, 0: none
  std::string_view command_line;   // zero-terminated copy of the loader's text
  const char* protocol = "";       // "PVH", "Linux": for the log

  PhysicalRange kernel_physical;      // the image with its zeroed data
  std::uintptr_t kernel_virtual = 0;  // where it runs
  std::ptrdiff_t kernel_slide = 0;    // kernel_virtual minus the address it was linked for

  // Layout of the kernel half of every address space, chosen at boot (randomised unless nokaslr).
  std::uintptr_t direct_map_base =
      0;  // virtual = physical + direct_map_base, for all memory in the map that is RAM
  std::uintptr_t direct_map_end = 0;
  std::uintptr_t page_array_base =
      0;  // room for page descriptors of all physical memory (at most 32 bytes for 4 KiB)
  std::uintptr_t page_array_end = 0;
  std::uintptr_t dynamic_map_start = 0;  // room for kernel_map (stacks, device memory …)
  std::uintptr_t dynamic_map_end = 0;
  std::uintptr_t shadow_base = 0;  // KASAN builds: shadow(address) = (address >> 3) + shadow_base
};

const BootInfo& boot_info();

}  // namespace boot
