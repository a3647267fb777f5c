// MSI-X, MSI and line interrupts of a function (PCI Local Bus 3.0, section 6.8).
#include "pci/device.h"

namespace pci {

using base::Errno;
using base::Result;

namespace {

constexpr unsigned control = 2;  // offset of the message control register in both capabilities
constexpr std::uint16_t msi_enable = 1, msi_64_bit = 1u << 7, msi_can_mask = 1u << 8,
                        msi_count_mask = 7u << 4;
constexpr std::uint16_t msix_enable = 1u << 15, msix_mask_all = 1u << 14, msix_size_mask = 0x7ff;
constexpr unsigned msix_entry_size = 16, msix_entry_data = 8, msix_entry_control = 12;

}  // namespace

// One vector in its device: an entry of the MSI-X table, or the registers of the MSI capability.
struct InterruptVectors::Vector final : core::MessageInterruptSource {
  void set_message(const core::InterruptMessage& message) override {
    if (table) {
      table->write32(offset, static_cast<std::uint32_t>(message.address));
      table->write32(offset + 4, static_cast<std::uint32_t>(message.address >> 32));
      table->write32(offset + msix_entry_data, message.data);
      return;
    }
    std::uint16_t flags = device->read16(offset + control);
    device->write32(offset + 4, static_cast<std::uint32_t>(message.address));
    if (flags & msi_64_bit) device->write32(offset + 8, static_cast<std::uint32_t>(message.address >> 32));
    device->write16(offset + (flags & msi_64_bit ? 12 : 8), static_cast<std::uint16_t>(message.data));
  }

  void mask() override { set_mask(1); }
  void unmask() override { set_mask(0); }

  void set_mask(std::uint32_t bit) {
    if (table) {
      table->write32(offset + msix_entry_control, bit);
      (void)table->read32(offset + msix_entry_control);  // arrived, before we go on
      return;
    }
    std::uint16_t flags = device->read16(offset + control);
    if (flags & msi_can_mask) {
      unsigned place = offset + (flags & msi_64_bit ? 16 : 12);
      device->write32(place, (device->read32(place) & ~1u) | bit);
    } else {
      // Without mask bits the capability as a whole is the switch; what comes meanwhile may be lost, so
      // handlers look at their device when they are connected.
      device->write16(offset + control,
                      static_cast<std::uint16_t>(bit ? flags & ~msi_enable : flags | msi_enable));
    }
  }

  Device* device = nullptr;
  core::MemoryRegisters* table = nullptr;
  unsigned offset = 0;
  core::MessageInterrupt interrupt;
};

InterruptVectors::InterruptVectors() = default;
InterruptVectors::InterruptVectors(InterruptVectors&& other) noexcept { *this = std::move(other); }

InterruptVectors& InterruptVectors::operator=(InterruptVectors&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(kind_, other.kind_);
  std::swap(line_, other.line_);
  std::swap(table_, other.table_);
  std::swap(vectors_, other.vectors_);
  // The vectors point at the mapping inside of their owner.
  for (auto& vector : vectors_)
    if (vector->table) vector->table = &table_.registers();
  for (auto& vector : other.vectors_)
    if (vector->table) vector->table = &other.table_.registers();
  return *this;
}

InterruptVectors::~InterruptVectors() {
  if (!device_) return;
  if (kind_ == Kind::msix || kind_ == Kind::msi) {
    if (auto at = device_->find_capability(kind_ == Kind::msix ? capability_msix : capability_msi)) {
      std::uint16_t flags = device_->read16(*at + control);
      device_->write16(*at + control,
                       static_cast<std::uint16_t>(flags & ~(kind_ == Kind::msix ? msix_enable : msi_enable)));
    }
  }
}

unsigned InterruptVectors::number(unsigned vector) const {
  return kind_ == Kind::line ? line_ : vectors_[vector]->interrupt.number();
}

Result<bool> Device::allocate_msix(unsigned wanted, InterruptVectors& vectors) {
  auto at = find_capability(capability_msix);
  if (!at) return false;
  std::uint16_t flags = read16(*at + control);
  unsigned size = (flags & msix_size_mask) + 1u;
  if (wanted > size) wanted = size;
  std::uint32_t place = read32(*at + 4);
  unsigned bar = place & 7;
  auto table = map(bar, place & ~7u, std::uint64_t{size} * msix_entry_size);
  if (!table) return false;  // its registers have no address: the next kind
  vectors.table_ = std::move(*table);
  core::MemoryRegisters& registers = vectors.table_.registers();
  // Masked as a whole while the entries are nobody's.
  write16(*at + control, static_cast<std::uint16_t>(flags | msix_enable | msix_mask_all));
  vectors.device_ = this;
  vectors.kind_ = InterruptVectors::Kind::msix;
  for (unsigned i = 0; i < size; ++i) registers.write32(i * msix_entry_size + msix_entry_control, 1);
  for (unsigned i = 0; i < wanted; ++i) {
    auto vector = TRY(base::try_make_unique<InterruptVectors::Vector>());
    vector->device = this;
    vector->table = &registers;
    vector->offset = i * msix_entry_size;
    auto interrupt = core::MessageInterrupt::allocate(*vector);
    if (!interrupt) {
      if (i == 0) return base::error(interrupt.error());
      break;  // fewer than wanted will do
    }
    vector->interrupt = std::move(*interrupt);
    TRY(vectors.vectors_.try_push_back(std::move(vector)));
  }
  write16(Register::command, read16(Register::command) | command_no_line_interrupt);
  write16(*at + control, static_cast<std::uint16_t>((flags | msix_enable) & ~msix_mask_all));
  return true;
}

Result<bool> Device::allocate_msi(InterruptVectors& vectors) {
  auto at = find_capability(capability_msi);
  if (!at) return false;
  vectors.device_ = this;
  vectors.kind_ = InterruptVectors::Kind::msi;
  auto vector = TRY(base::try_make_unique<InterruptVectors::Vector>());
  vector->device = this;
  vector->offset = *at;
  vector->interrupt = TRY(core::MessageInterrupt::allocate(*vector));
  std::uint16_t flags = static_cast<std::uint16_t>(read16(*at + control) & ~(msi_count_mask | msi_enable));
  vector->mask();
  TRY(vectors.vectors_.try_push_back(std::move(vector)));
  write16(Register::command, read16(Register::command) | command_no_line_interrupt);
  if (flags & msi_can_mask) write16(*at + control, flags | msi_enable);
  return true;
}

Result<InterruptVectors> Device::allocate_interrupts(unsigned wanted) {
  if (wanted == 0) return base::error(Errno::einval);
  if (core::has_message_interrupts()) {
    InterruptVectors vectors;
    if (TRY(allocate_msix(wanted, vectors))) return vectors;
    InterruptVectors single;
    if (TRY(allocate_msi(single))) return single;
  }
  unsigned pin = read8(interrupt_pin);
  if (pin == 0 || pin > 4 || !host_ || !host_->line_interrupt) return base::error(Errno::enxio);
  // Bridges turn the four wires by the number of the device behind them.
  core::PciAddress at = address_;
  for (const Device* bridge = parent_; bridge; bridge = bridge->parent_) {
    pin = (pin - 1 + at.device) % 4 + 1;
    at = bridge->address_;
  }
  InterruptVectors line;
  line.line_ = TRY(host_->line_interrupt(at, pin, read8(interrupt_line)));
  line.kind_ = InterruptVectors::Kind::line;
  line.device_ = this;
  write16(Register::command,
          static_cast<std::uint16_t>(read16(Register::command) & ~command_no_line_interrupt));
  return line;
}

}  // namespace pci
