// Memory that a device reads and writes by itself: rings, and the buffers of drivers that have none of their
// callers'.
//
//   DmaMemory memory = TRY(DmaMemory::allocate(8192));
//   device gets memory.device_address(), the driver memory.bytes()
//
// Physically contiguous, starts on a page boundary, zeroed; freed with its owner, who must have stopped the
// device before. The device's addresses are physical addresses: there is no IOMMU yet, and all devices are
// coherent with the caches.
//
// Context: threads that may sleep.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "base/result.h"

namespace core {

class DmaMemory {
 public:
  DmaMemory() = default;
  DmaMemory(DmaMemory&& other) noexcept
      : memory_(std::exchange(other.memory_, {})),
        device_address_(other.device_address_),
        order_(other.order_) {}
  DmaMemory& operator=(DmaMemory&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(device_address_, other.device_address_);
    std::swap(order_, other.order_);
    return *this;
  }
  ~DmaMemory();

  enum class Reach : std::uint8_t { all_memory, below_4g };
  // ENOMEM. `size` above 0; rounded up to pages.
  static base::Result<DmaMemory> allocate(std::size_t size, Reach reach = Reach::all_memory);

  std::span<std::byte> bytes() const { return memory_; }
  std::uint64_t device_address(std::size_t offset = 0) const { return device_address_ + offset; }
  explicit operator bool() const { return !memory_.empty(); }

 private:
  std::span<std::byte> memory_;
  std::uint64_t device_address_ = 0;
  unsigned order_ = 0;
};

}  // namespace core
