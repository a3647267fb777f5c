// Page tables of the kernel half: walking, mapping, changing. The tables above the last level never go away.
#pragma once

#include <arch/page_table.h>

#include <cstdint>

#include "base/function_ref.h"
#include "core/memory/page_allocator.h"

namespace core {

// Where tables come from: the allocator, or early memory during start-up. Gives a zeroed page.
using TableSource = base::FunctionRef<Result<PhysicalAddress>()>;
Result<PhysicalAddress> allocate_kernel_table();
inline constexpr auto kernel_table_source = [] { return allocate_kernel_table(); };

inline arch::PageTableEntry* table_at(PhysicalAddress address) {
  return to_virtual<arch::PageTableEntry>(address);
}

// The entry of `level` for `address`, with the tables above it made if need be. EEXIST if a larger leaf is in
// the way. Several threads may do this at once for neighbouring addresses.
Result<arch::PageTableEntry*> make_kernel_entry(std::uintptr_t address, unsigned level, TableSource source);
// The lowest entry that decides about `address`: a leaf, or the empty one; its level in `level`.
arch::PageTableEntry* find_kernel_entry(std::uintptr_t address, unsigned& level);
// Replaces a large leaf by a table of leaves that say the same.
Result<void> split_kernel_leaf(arch::PageTableEntry* entry, unsigned level);

}  // namespace core
