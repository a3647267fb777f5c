// Kernel virtual memory outside the direct map: large allocations of scattered pages, device registers,
// stacks.
//
// Every mapping is followed by an unmapped guard page, so running over its end is a fault and not a
// corruption. Freed ranges are unmapped at once but reused only after a flush of all TLBs, which is done for
// many of them together (lazily; the pages themselves are freed at that time too).
//
// Context: threads that may sleep. Kernel stacks can be freed with preemption off (they go to a per-CPU cache
// or a list).
#pragma once

#include <arch/page_attributes.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "core/memory/page_allocator.h"

namespace core {

// What was unmapped waits, with its pages, for a flush of all TLBs that does for many ranges at once. This
// flushes now, and says how many pages that freed. Threads that may sleep; called when memory runs short.
std::uint64_t purge_kernel_map();

// At least `size` bytes from single pages, contiguous only virtually.
Result<void*> allocate_virtual(std::size_t size, AllocationFlags flags = AllocationFlags::none);
void free_virtual(void* memory);
bool is_virtual_allocation(const void* memory);
std::size_t virtual_allocation_size(const void* memory);

// The given pages side by side; the caller keeps its references and must keep the pages until unmap.
Result<void*> map_kernel_pages(std::span<Page* const> pages, arch::PageAttributes attributes);
// Registers of a device (or firmware tables). `address` and `size` need no alignment.
Result<void*> map_device_memory(PhysicalAddress address, std::size_t size, arch::CacheType cache);
// What either of the two gave.
void unmap_kernel(void* memory);

inline constexpr std::size_t kernel_stack_size = 16 * 1024;
// The lowest address of a stack of kernel_stack_size bytes with a guard page below it.
Result<void*> allocate_kernel_stack();
void free_kernel_stack(void* stack);
// For the report of a fault in kernel mode: whether `address` lies in the guard page of some kernel stack.
bool is_stack_guard(std::uintptr_t address);

// W^X: changes what kernel text and data may do. The range must be mapped with small pages or end on large
// ones.
enum class KernelProtection : std::uint8_t { read_only, read_write, read_execute };
Result<void> protect_kernel_range(const void* start, std::size_t size, KernelProtection protection);

struct KernelMapStatistics {
  std::uint64_t total_bytes, used_bytes, largest_free_bytes;
};
KernelMapStatistics kernel_map_statistics();

}  // namespace core
