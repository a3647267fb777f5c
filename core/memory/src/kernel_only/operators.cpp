// operator new and delete of the kernel. There is no throwing form: who uses one fails to link.
#include <new>

#include "core/memory/slab.h"

namespace std {
const nothrow_t nothrow{};
}

void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return core::kernel_allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return core::kernel_allocate(size); }
// More than 16: a power of two as the size is aligned to itself, up to a page.
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  auto wanted = static_cast<std::size_t>(alignment);
  if (wanted > core::page_size) return nullptr;
  std::size_t rounded = wanted;
  while (rounded < size) rounded *= 2;
  return core::kernel_allocate(rounded);
}
void operator delete(void* memory) noexcept { core::kernel_free(memory); }
void operator delete[](void* memory) noexcept { core::kernel_free(memory); }
void operator delete(void* memory, std::size_t) noexcept { core::kernel_free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { core::kernel_free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { core::kernel_free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { core::kernel_free(memory); }
