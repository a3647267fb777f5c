// Building the memory map of a BootInfo: loaders report ranges in any order, overlapping, unaligned.
#pragma once

#include <cstddef>
#include <cstdint>

#include "boot/boot_info.h"

namespace boot {

// Adds a range as reported. Where it overlaps what is there, the more restrictive kind wins (usable gives way
// to every other). Usable ranges shrink to whole pages, others grow to them. Ranges that no longer fit into
// the table are dropped if usable, else the usable memory around them is lost with them.
void add_memory(BootInfo& info, std::uintptr_t start, std::uintptr_t end, MemoryKind kind);

// Marks [start, end) as taken for `kind`, wherever it is usable; other kinds stay.
void reserve_memory(BootInfo& info, std::uintptr_t start, std::uintptr_t end, MemoryKind kind);

// Marks info.initrd as taken. Loaders run after the firmware and may place the archive's ends over what the
// map calls reserved, or beyond all memory of the map: such parts become initrd_kept, so that they are mapped
// with the rest and belong to nobody afterwards. Call it after everything else that is reserved.
void reserve_initrd(BootInfo& info);

// mem=SIZE: usable memory beyond the first `limit` bytes of the address space disappears.
void limit_memory(BootInfo& info, std::uintptr_t limit);

// A free range of `size` bytes in usable memory, below `below`, as high as possible, aligned to `alignment`;
// 0 if there is none.
std::uintptr_t find_free(const BootInfo& info, std::size_t size, std::uintptr_t below, std::size_t alignment);

}  // namespace boot
