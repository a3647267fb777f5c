// The registers of one device, handed to its driver by the platform or a bus: the driver reaches nothing
// else, and does not know whether they are I/O ports or memory.
//
//   MemoryRegisters registers(memory, size);        what map_device_memory() gave; ports: platform/
//   registers.write32(queue_select, 0);
//
// Accesses reach the device in program order, and each is one access of that width (devices care). What was
// written to memory before a register write is visible to the device when the write arrives. Offsets are in
// bytes from the start of the block and are the driver's responsibility; blocks of memory check them in debug
// builds. Values have the byte order of this CPU; all buses we have are little-endian, and so are all CPUs.
#pragma once

#include <arch/cpu.h>

#include <cstddef>
#include <cstdint>

#include "base/check.h"

namespace core {

class RegisterBlock {
 public:
  virtual std::uint8_t read8(unsigned offset) = 0;
  virtual std::uint16_t read16(unsigned offset) = 0;
  virtual std::uint32_t read32(unsigned offset) = 0;
  virtual void write8(unsigned offset, std::uint8_t value) = 0;
  virtual void write16(unsigned offset, std::uint16_t value) = 0;
  virtual void write32(unsigned offset, std::uint32_t value) = 0;

 protected:
  ~RegisterBlock() = default;
};

class MemoryRegisters final : public RegisterBlock {
 public:
  constexpr MemoryRegisters() = default;
  constexpr MemoryRegisters(volatile void* memory, std::size_t size) : memory_(memory), size_(size) {}

  std::uint8_t read8(unsigned offset) override { return read<std::uint8_t>(offset); }
  std::uint16_t read16(unsigned offset) override { return read<std::uint16_t>(offset); }
  std::uint32_t read32(unsigned offset) override { return read<std::uint32_t>(offset); }
  void write8(unsigned offset, std::uint8_t value) override { write(offset, value); }
  void write16(unsigned offset, std::uint16_t value) override { write(offset, value); }
  void write32(unsigned offset, std::uint32_t value) override { write(offset, value); }
  std::size_t size() const { return size_; }

 private:
  template <typename T>
  volatile T* place(unsigned offset) {
    base::debug_verify(offset <= size_ && size_ - offset >= sizeof(T) && offset % sizeof(T) == 0,
                       "register outside of its block");
    return static_cast<volatile T*>(
        static_cast<volatile void*>(static_cast<volatile char*>(memory_) + offset));
  }
  template <typename T>
  T read(unsigned offset) {
    T value = *place<T>(offset);
    arch::full_memory_barrier();
    return value;
  }
  template <typename T>
  void write(unsigned offset, T value) {
    arch::full_memory_barrier();
    *place<T>(offset) = value;
  }

  volatile void* memory_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace core
