#include <arch/cpu.h>
#include <arch/page_attributes.h>

#include <new>

#include "board/board.h"
#include "core/memory/kernel_map.h"

namespace board {
namespace {

// Registers that lie `1 << shift` bytes apart and may want accesses of 32 bits, for drivers of 8-bit devices.
class SpreadRegisters final : public core::RegisterBlock {
 public:
  SpreadRegisters(void* memory, std::size_t size, unsigned shift, bool wide)
      : memory_(memory, size), shift_(shift), wide_(wide) {}

  std::uint8_t read8(unsigned offset) override {
    return wide_ ? static_cast<std::uint8_t>(memory_.read32(offset << shift_))
                 : memory_.read8(offset << shift_);
  }
  void write8(unsigned offset, std::uint8_t value) override {
    if (wide_)
      memory_.write32(offset << shift_, value);
    else
      memory_.write8(offset << shift_, value);
  }
  std::uint16_t read16(unsigned offset) override { return memory_.read16(offset << shift_); }
  std::uint32_t read32(unsigned offset) override { return memory_.read32(offset << shift_); }
  void write16(unsigned offset, std::uint16_t value) override { memory_.write16(offset << shift_, value); }
  void write32(unsigned offset, std::uint32_t value) override { memory_.write32(offset << shift_, value); }

 private:
  core::MemoryRegisters memory_;
  const unsigned shift_;
  const bool wide_;
};

}  // namespace

base::Result<core::RegisterBlock*> map_registers(const device_tree::Node& node, std::size_t index) {
  auto range = node.registers(index);
  unsigned shift = node.cell("reg-shift").value_or(0), width = node.cell("reg-io-width").value_or(1);
  if (!range || !range->size || shift > 4) return base::error(base::Errno::enxio);
  void* memory = TRY(
      core::map_device_memory(core::PhysicalAddress(range->address), range->size, arch::CacheType::uncached));
  core::RegisterBlock* block;
  if (shift == 0 && width != 4)
    block = new (std::nothrow) core::MemoryRegisters(memory, range->size);
  else
    block = new (std::nothrow) SpreadRegisters(memory, range->size, shift, width == 4);
  if (!block) return base::error(base::Errno::enomem);
  return block;
}

}  // namespace board
