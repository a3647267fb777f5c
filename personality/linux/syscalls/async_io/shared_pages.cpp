#include "syscalls/async_io/shared_pages.h"

#include "arch/page_attributes.h"
#include "core/memory/kernel_map.h"
#include "core/memory/page_allocator.h"

namespace linux_abi {

using base::Errno;
using base::error;

Result<RefPtr<SharedPages>> SharedPages::create(std::size_t size) {
  auto object = TRY(base::try_make_ref<SharedPages>());
  std::size_t count = (size + core::page_size - 1) / core::page_size;
  TRY(object->pages_.try_reserve(count));
  base::Vector<core::Page*> raw;
  TRY(raw.try_reserve(count));
  for (std::size_t i = 0; i < count; ++i) {
    core::PageRef page = TRY(core::allocate_page(core::AllocationFlags::zero | core::AllocationFlags::user));
    raw.push_back_reserved(page.get());
    object->pages_.push_back_reserved(std::move(page));
  }
  object->memory_ = TRY(
      core::map_kernel_pages(raw.span(), arch::PageAttributes{.read = true, .write = true, .global = true}));
  return object;
}

SharedPages::~SharedPages() {
  if (memory_) core::unmap_kernel(memory_);
}

Result<core::PageRef> SharedPages::page_for(std::uint64_t index, core::FaultAccess) {
  if (index >= pages_.size()) return error(Errno::enxio);
  return pages_[index].clone();
}

Result<core::MemoryObject::Frame> SharedPages::frame_for(std::uint64_t index) {
  if (index >= pages_.size()) return error(Errno::enxio);
  return Frame{.address = core::physical_of(*pages_[index])};
}

}  // namespace linux_abi
