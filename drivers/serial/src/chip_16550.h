// The 16550 of PCs and of many boards (data sheet PC16550D).
#pragma once

#include "chip.h"
#include "core/device/serial_port.h"

namespace serial {

class Chip16550 final : public Chip {
 public:
  explicit Chip16550(const core::SerialPortDescription& description)
      : registers_(*description.registers), clock_hz_(description.clock_hz) {}

  const char* device_prefix() const override { return "ttyS"; }
  const char* name() const override { return "16550"; }
  unsigned device_major() const override { return 4; }
  bool is_present() override;
  void start() override;
  unsigned transmit_room() override;
  void put(std::uint8_t byte) override;
  bool has_received() override;
  std::optional<Received> take() override;
  void set_interrupts(bool receive, bool transmit) override;
  void set_line(const LineSettings& settings) override;
  void set_break(bool on) override;
  std::uint32_t modem_lines() override;
  void set_modem_lines(std::uint32_t lines) override;

 private:
  core::RegisterBlock& registers_;
  const std::uint32_t clock_hz_;
  std::uint8_t interrupt_bits_ = 0;
};

}  // namespace serial
