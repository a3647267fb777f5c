#include "early_memory.h"

#include <cstring>

#include "base/check.h"

namespace core {

EarlyMemory::EarlyMemory(const boot::BootInfo& info) {
  for (const boot::MemoryRange& range : info.memory_map()) {
    if (range.kind != boot::MemoryKind::usable) continue;
    std::uint64_t start = base::align_up<std::uint64_t>(range.start, page_size);
    std::uint64_t end = base::align_down<std::uint64_t>(range.end(), page_size);
    // The first page stays unused: its physical address is 0, which reads like "none".
    if (start == 0) start = page_size;
    if (start < end) ranges_[count_++] = {start, end};
  }
}

PhysicalAddress EarlyMemory::allocate(std::size_t size, std::size_t alignment) {
  size = base::align_up(size, page_size);
  for (std::size_t i = count_; i-- > 0;) {
    Range& range = ranges_[i];
    if (range.end - range.start < size) continue;
    std::uint64_t start = base::align_down<std::uint64_t>(range.end - size, alignment);
    if (start < range.start) continue;
    std::uint64_t tail_start = start + size, tail_end = range.end;
    range.end = start;
    if (tail_start < tail_end && count_ < most_ranges) {
      std::memmove(&ranges_[i + 2], &ranges_[i + 1], (count_ - i - 1) * sizeof(Range));
      ranges_[i + 1] = {tail_start, tail_end};
      ++count_;
    }
    std::memset(to_virtual(PhysicalAddress(start)), 0, size);
    return PhysicalAddress(start);
  }
  base::unreachable("no memory for the page descriptors");
}

}  // namespace core
