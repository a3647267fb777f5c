// The PL011 of boards with an ARM PrimeCell serial port (DDI 0183).
#pragma once

#include "chip.h"
#include "core/device/serial_port.h"

namespace serial {

class ChipPl011 final : public Chip {
 public:
  explicit ChipPl011(const core::SerialPortDescription& description)
      : registers_(*description.registers), clock_hz_(description.clock_hz) {}

  const char* device_prefix() const override { return "ttyAMA"; }
  const char* name() const override { return "PL011"; }
  unsigned device_major() const override { return 204; }
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
  const std::uint32_t clock_hz_;  // 0: unknown, the speed stays as firmware has set it
  std::uint32_t mask_ = 0;
};

}  // namespace serial
