// Memory for simulated devices of the unit tests: their addresses are ordinary ones.
#include <sys/mman.h>

#include "core/dma/dma_memory.h"
#include "core/memory/address.h"

namespace core {

DmaMemory::~DmaMemory() {
  if (!memory_.empty()) munmap(memory_.data(), memory_.size());
}

base::Result<DmaMemory> DmaMemory::allocate(std::size_t size, Reach) {
  if (size == 0) return base::error(base::Errno::einval);
  std::size_t rounded = pages_for(size) * page_size;
  void* memory = mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return base::error(base::Errno::enomem);
  DmaMemory result;
  result.memory_ = std::span(static_cast<std::byte*>(memory), rounded);
  // SAFETY: only a number, which the simulated device turns back.
  result.device_address_ = reinterpret_cast<std::uintptr_t>(memory);
  return result;
}

}  // namespace core
