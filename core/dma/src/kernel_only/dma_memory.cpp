#include "core/dma/dma_memory.h"

#include <bit>

#include "core/memory/page_allocator.h"

namespace core {

DmaMemory::~DmaMemory() {
  if (!memory_.empty()) free_pages(page_of_data(memory_.data()), order_);
}

base::Result<DmaMemory> DmaMemory::allocate(std::size_t size, Reach reach) {
  std::uint64_t pages = pages_for(size);
  if (pages == 0 || pages > std::uint64_t{1} << max_page_order) return base::error(base::Errno::einval);
  DmaMemory result;
  result.order_ = static_cast<unsigned>(std::bit_width(pages - 1));
  AllocationFlags flags = AllocationFlags::zero;
  if (reach == Reach::below_4g) flags = flags | AllocationFlags::below_4g;
  Page* page = TRY(allocate_pages(result.order_, flags));
  result.memory_ = std::span(data_of<std::byte>(*page), page_size << result.order_);
  result.device_address_ = physical_of(*page).value();
  return result;
}

}  // namespace core
