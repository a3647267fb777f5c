// Ranges of the dynamic part of the kernel half. A range is in the tree from its allocation until the TLBs
// were flushed after its end; while unmapped and waiting for that it is on the list `waiting` together with
// its pages.
#include "core/memory/kernel_map.h"

#include <arch/cpu.h>

#include "core/memory/area_set.h"
#include "core/memory/slab.h"
#include "core/sync/per_cpu.h"
#include "core/sync/preempt.h"
#include "core/sync/spin_lock.h"
#include "kernel_map_internal.h"
#include "kernel_tables.h"

namespace core {
namespace {

struct VirtualRange {
  enum class Kind : std::uint8_t { pages, foreign_pages, device, stack };
  // For AreaSet; end_ includes the guard page.
  base::TreeHook tree_hook_;
  std::uintptr_t start_ = 0, end_ = 0, gap_before_ = 0, largest_gap_ = 0;
  std::uintptr_t guard_below() const { return 0; }

  Kind kind = Kind::pages;
  std::size_t offset = 0;        // of the caller's address into the first page (device registers)
  Page* pages = nullptr;         // while waiting: linked through words[0]
  VirtualRange* next = nullptr;  // while waiting
};

constinit ObjectCache<VirtualRange> range_cache{"vmap_area"};

// Protects the tree and the waiting list: a search or an insertion at a time.
constinit SpinLock lock{"kernel map"};
constinit AreaSet<VirtualRange> ranges GUARDED_BY(lock);
constinit VirtualRange* waiting GUARDED_BY(lock) = nullptr;
constinit std::uint64_t waiting_pages GUARDED_BY(lock) = 0;
constinit std::uint64_t used_bytes GUARDED_BY(lock) = 0;
constinit std::uintptr_t map_start = 0, map_end = 0;

// Freed with preemption off: linked through their first word until somebody who may sleep comes by.
constinit std::atomic<void*> deferred{nullptr};

constexpr std::uint64_t purge_threshold_pages = 4096;

struct StackCache {
  static constexpr unsigned capacity = 4;
  void* stacks[capacity] = {};
  unsigned count = 0;
};
PER_CPU constinit PerCpu<StackCache> stack_cache;

std::uintptr_t number(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address);  // SAFETY: only compared
}
void* pointer(std::uintptr_t address) {
  return reinterpret_cast<void*>(address);  // SAFETY: an address of our own range, mapped by us
}

Page*& next_waiting(Page& page) {
  return reinterpret_cast<Page*&>(page.words[0]);
}  // SAFETY: the page is ours alone

std::size_t mapped_size(const VirtualRange& range) { return range.end_ - range.start_ - page_size; }

Result<VirtualRange*> reserve(std::size_t size, VirtualRange::Kind kind) {
  if (size == 0 || size > map_end - map_start) return error(Errno::enomem);
  VirtualRange* range = TRY(range_cache.create());
  range->kind = kind;
  std::uintptr_t length = base::align_up(size, page_size) + page_size;
  for (bool purged = false;; purged = true) {
    {
      SpinGuard<PreemptOff> guard{lock};
      if (auto place = ranges.find_gap_bottom_up({length, map_start, map_end, page_size})) {
        range->start_ = *place;
        range->end_ = *place + length;
        ranges.insert(*range);
        used_bytes += length;
        return range;
      }
    }
    if (purged || !may_sleep()) break;
    purge_kernel_map();
  }
  range_cache.destroy(range);
  return error(Errno::enomem);
}

void forget(VirtualRange& range) {
  {
    SpinGuard<PreemptOff> guard{lock};
    ranges.remove(range);
    used_bytes -= range.end_ - range.start_;
  }
  range_cache.destroy(&range);
}

Result<void> map_page(std::uintptr_t address, PhysicalAddress physical, arch::PageAttributes attributes) {
  auto* entry = TRY(make_kernel_entry(address, 0, kernel_table_source));
  base::debug_verify(arch::read_entry(entry).is_empty(), "kernel address is mapped already");
  auto leaf = arch::PageTableEntry::make_leaf(physical.value(), attributes, 0);
  arch::write_entry(entry, leaf.with_accessed(true).with_dirty(true));
  return {};
}

// Takes the entries away. Pages of our own are collected in range.pages until the TLBs were flushed.
std::uint64_t unmap_pages(VirtualRange& range) {
  std::uint64_t count = 0;
  for (std::uintptr_t at = range.start_; at < range.end_ - page_size; at += page_size) {
    unsigned level;
    arch::PageTableEntry* entry = find_kernel_entry(at, level);
    if (level != 0) continue;
    arch::PageTableEntry old = arch::exchange_entry(entry, {});
    if (!old.is_present()) continue;
    ++count;
    if (range.kind != VirtualRange::Kind::pages && range.kind != VirtualRange::Kind::stack) continue;
    Page& page = page_of(PhysicalAddress(old.physical(0)));
    next_waiting(page) = range.pages;
    range.pages = &page;
  }
  return count;
}

void give_up(VirtualRange& range) {
  std::uint64_t count = unmap_pages(range);
  if (range.kind == VirtualRange::Kind::pages)
    count_memory(MemoryCounter::virtual_mappings, -static_cast<long>(count));
  if (range.kind == VirtualRange::Kind::stack)
    count_memory(MemoryCounter::kernel_stacks, -static_cast<long>(count));
  bool purge;
  {
    SpinGuard<PreemptOff> guard{lock};
    range.next = waiting;
    waiting = &range;
    waiting_pages += count + 1;
    purge = waiting_pages > purge_threshold_pages;
  }
  if (purge) purge_kernel_map();
}

VirtualRange* range_of(const void* memory) {
  SpinGuard<PreemptOff> guard{lock};
  return ranges.find(number(memory));
}

void free_deferred() {
  if (!deferred.load(std::memory_order_relaxed)) [[likely]]
    return;
  void* list = deferred.exchange(nullptr, std::memory_order_acquire);
  while (list) {
    void* memory = list;
    list = *static_cast<void**>(memory);
    VirtualRange* range = range_of(memory);
    base::verify(range, "free of a kernel mapping that does not exist");
    give_up(*range);
  }
}

Result<void*> allocate_mapped(std::size_t size, AllocationFlags flags, VirtualRange::Kind kind) {
  free_deferred();
  VirtualRange* range = TRY(reserve(size, kind));
  long mapped = 0;
  MemoryCounter counter =
      kind == VirtualRange::Kind::stack ? MemoryCounter::kernel_stacks : MemoryCounter::virtual_mappings;
  for (std::uintptr_t at = range->start_; at < range->end_ - page_size; at += page_size) {
    auto page = allocate_pages(0, flags);
    Result<void> done = page
                            ? map_page(at, physical_of(**page), {.read = true, .write = true, .global = true})
                            : Result<void>(error(page.error()));
    if (!done) {
      if (page) release_page(**page);
      count_memory(counter, mapped);
      give_up(*range);
      return error(Errno::enomem);
    }
    ++mapped;
  }
  count_memory(counter, mapped);
  return pointer(range->start_);
}

}  // namespace

void initialize_kernel_map(std::uintptr_t start, std::uintptr_t end) {
  map_start = base::align_up(start, page_size) + page_size;
  map_end = end;
}

std::uint64_t purge_kernel_map() {
  std::uint64_t freed = 0;
  VirtualRange* list;
  {
    SpinGuard<PreemptOff> guard{lock};
    list = waiting;
    waiting = nullptr;
    waiting_pages = 0;
  }
  if (!list) return 0;
  std::uintptr_t lowest = ~std::uintptr_t{0}, highest = 0;
  for (VirtualRange* range = list; range; range = range->next) {
    if (range->start_ < lowest) lowest = range->start_;
    if (range->end_ > highest) highest = range->end_;
  }
  arch::flush_tlb_kernel(lowest, highest);
  while (list) {
    VirtualRange& range = *list;
    list = range.next;
    while (range.pages) {
      Page& page = *range.pages;
      range.pages = next_waiting(page);
      release_page(page);
      ++freed;
    }
    forget(range);
  }
  return freed;
}

Result<void*> allocate_virtual(std::size_t size, AllocationFlags flags) {
  return allocate_mapped(size, flags, VirtualRange::Kind::pages);
}

void free_virtual(void* memory) {
  if (!memory) return;
  if (!may_sleep()) {
    void* head = deferred.load(std::memory_order_relaxed);
    do {
      *static_cast<void**>(memory) = head;
    } while (
        !deferred.compare_exchange_weak(head, memory, std::memory_order_release, std::memory_order_relaxed));
    return;
  }
  VirtualRange* range = range_of(memory);
  base::verify(range && number(memory) - range->start_ == range->offset,
               "free of a kernel mapping that does not exist");
  give_up(*range);
}

bool is_virtual_allocation(const void* memory) {
  return number(memory) >= map_start && number(memory) < map_end;
}

std::size_t virtual_allocation_size(const void* memory) {
  VirtualRange* range = range_of(memory);
  return range ? mapped_size(*range) - range->offset : 0;
}

Result<void*> map_kernel_pages(std::span<Page* const> pages, arch::PageAttributes attributes) {
  VirtualRange* range = TRY(reserve(pages.size() * page_size, VirtualRange::Kind::foreign_pages));
  std::uintptr_t at = range->start_;
  for (Page* page : pages) {
    if (!map_page(at, physical_of(*page), attributes)) {
      give_up(*range);
      return error(Errno::enomem);
    }
    at += page_size;
  }
  return pointer(range->start_);
}

Result<void*> map_device_memory(PhysicalAddress address, std::size_t size, arch::CacheType cache) {
  std::size_t offset = address.value() & (page_size - 1);
  if (size == 0 || size + offset < size) return error(Errno::einval);
  VirtualRange* range = TRY(reserve(size + offset, VirtualRange::Kind::device));
  range->offset = offset;
  PhysicalAddress physical(address.value() - offset);
  for (std::uintptr_t at = range->start_; at < range->end_ - page_size;
       at += page_size, physical = physical + page_size) {
    if (!map_page(at, physical, {.read = true, .write = true, .global = true, .cache = cache})) {
      give_up(*range);
      return error(Errno::enomem);
    }
  }
  return pointer(range->start_ + offset);
}

void unmap_kernel(void* memory) { free_virtual(memory); }

// --- Stacks

Result<void*> allocate_kernel_stack() {
  {
    PreemptOff pinned;
    StackCache& cache = stack_cache.local();
    if (cache.count) return cache.stacks[--cache.count];
  }
  return allocate_mapped(kernel_stack_size, AllocationFlags::none, VirtualRange::Kind::stack);
}

void free_kernel_stack(void* stack) {
  if (!stack) return;
  {
    PreemptOff pinned;
    StackCache& cache = stack_cache.local();
    if (cache.count < StackCache::capacity) {
      cache.stacks[cache.count++] = stack;
      return;
    }
  }
  free_virtual(stack);
}

bool is_stack_guard(std::uintptr_t address) {
  if (address < map_start - page_size || address >= map_end) return false;
  // For the report of a fault that is fatal: the lock may be ours already, so it is not taken.
  auto above = [&]() NO_THREAD_SAFETY_ANALYSIS {
    VirtualRange* range = ranges.find_from(address);
    // In the guard behind a range the next one counts.
    if (range && range->start_ <= address)
      range = address >= range->end_ - page_size ? ranges.next(*range) : nullptr;
    return range;
  }();
  return above && above->kind == VirtualRange::Kind::stack && above->start_ - address <= page_size;
}

KernelMapStatistics kernel_map_statistics() {
  SpinGuard<PreemptOff> guard{lock};
  VirtualRange* last = ranges.last();
  std::uint64_t total = map_end - map_start;
  return {total, used_bytes, last ? map_end - last->end_ : total};
}

// --- W^X

Result<void> protect_kernel_range(const void* start, std::size_t size, KernelProtection protection) {
  std::uintptr_t at = base::align_down(number(start), page_size),
                 end = base::align_up(number(start) + size, page_size);
  for (std::uintptr_t next; at < end; at = next) {
    unsigned level;
    arch::PageTableEntry* entry = find_kernel_entry(at, level);
    std::uintptr_t span = std::uintptr_t{1} << (page_shift + arch::bits_per_level * level);
    next = base::align_down(at, span) + span;
    arch::PageTableEntry value = arch::read_entry(entry);
    if (!value.is_present()) return error(Errno::einval);
    if (level > 0 && (base::align_down(at, span) < at || next > end)) {
      TRY(split_kernel_leaf(entry, level));
      next = at;
      continue;
    }
    arch::PageAttributes attributes = value.attributes(level);
    attributes.write = protection == KernelProtection::read_write;
    attributes.execute = protection == KernelProtection::read_execute;
    arch::write_entry(entry, value.with_attributes(attributes, level));
  }
  arch::flush_tlb_kernel(base::align_down(number(start), page_size), end);
  return {};
}

}  // namespace core
