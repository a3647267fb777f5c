// Device registers that are I/O ports.
#pragma once

#include "core/device/register_block.h"
#include "x86_64/registers.h"

namespace platform {

class PortRegisters final : public core::RegisterBlock {
 public:
  constexpr explicit PortRegisters(std::uint16_t first) : first_(first) {}
  std::uint8_t read8(unsigned offset) override { return arch::in8(port(offset)); }
  std::uint16_t read16(unsigned offset) override { return arch::in16(port(offset)); }
  std::uint32_t read32(unsigned offset) override { return arch::in32(port(offset)); }
  void write8(unsigned offset, std::uint8_t value) override { arch::out8(port(offset), value); }
  void write16(unsigned offset, std::uint16_t value) override { arch::out16(port(offset), value); }
  void write32(unsigned offset, std::uint32_t value) override { arch::out32(port(offset), value); }

 private:
  std::uint16_t port(unsigned offset) const { return static_cast<std::uint16_t>(first_ + offset); }
  const std::uint16_t first_;
};

}  // namespace platform
