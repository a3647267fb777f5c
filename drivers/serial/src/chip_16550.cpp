#include "chip_16550.h"

#include <algorithm>

namespace serial {
namespace {

enum Register : unsigned {
  data = 0,
  interrupt_enable = 1,
  fifo_control = 2,
  line_control = 3,
  modem_control = 4,
  line_status = 5,
  modem_status = 6,
  scratch = 7
};
constexpr std::uint8_t enable_receive = 1, enable_transmit = 2, enable_line_status = 4;
constexpr std::uint8_t fifo_enable_and_clear = 0x07;
constexpr std::uint8_t status_data_ready = 0x01, status_break = 0x10, status_transmit_empty = 0x20;
constexpr std::uint8_t control_stop = 0x04, control_parity = 0x08, control_even = 0x10, control_break = 0x40,
                       control_divisor = 0x80;
constexpr std::uint8_t modem_dtr = 1, modem_rts = 2, modem_out2 = 8;
constexpr unsigned fifo_size = 16;

}  // namespace

bool Chip16550::is_present() {
  // The scratch register keeps what is written; where nothing is, reads give all ones.
  for (std::uint8_t probe : {std::uint8_t{0x5a}, std::uint8_t{0xa5}}) {
    registers_.write8(scratch, probe);
    if (registers_.read8(scratch) != probe) return false;
  }
  return true;
}

void Chip16550::start() {
  registers_.write8(fifo_control, fifo_enable_and_clear);
  registers_.write8(line_control, 0x03);  // eight bits, no parity
  registers_.write8(modem_control, modem_dtr | modem_rts | modem_out2);
}

unsigned Chip16550::transmit_room() {
  return registers_.read8(line_status) & status_transmit_empty ? fifo_size : 0;
}

void Chip16550::put(std::uint8_t byte) { registers_.write8(data, byte); }

bool Chip16550::has_received() { return registers_.read8(line_status) & status_data_ready; }

std::optional<Received> Chip16550::take() {
  std::uint8_t status = registers_.read8(line_status);
  if (!(status & status_data_ready)) return std::nullopt;
  return Received{registers_.read8(data), (status & status_break) != 0};
}

void Chip16550::set_interrupts(bool receive, bool transmit) {
  auto bits = static_cast<std::uint8_t>(enable_line_status | (receive ? enable_receive : 0) |
                                        (transmit ? enable_transmit : 0));
  if (bits == interrupt_bits_) return;
  interrupt_bits_ = bits;
  registers_.write8(interrupt_enable, bits);
}

void Chip16550::set_line(const LineSettings& settings) {
  auto control = static_cast<std::uint8_t>(
      (settings.data_bits - 5) | (settings.two_stop_bits ? control_stop : 0) |
      (settings.parity ? control_parity : 0) | (settings.parity && !settings.odd_parity ? control_even : 0));
  std::uint32_t divisor = std::clamp<std::uint32_t>(clock_hz_ / 16 / settings.speed, 1, 0xffff);
  registers_.write8(line_control, control | control_divisor);
  registers_.write8(data, static_cast<std::uint8_t>(divisor));
  registers_.write8(interrupt_enable, static_cast<std::uint8_t>(divisor >> 8));
  registers_.write8(line_control, control);
}

void Chip16550::set_break(bool on) {
  std::uint8_t control = registers_.read8(line_control);
  registers_.write8(line_control,
                    static_cast<std::uint8_t>(on ? control | control_break : control & ~control_break));
}

std::uint32_t Chip16550::modem_lines() {
  std::uint8_t out = registers_.read8(modem_control), in = registers_.read8(modem_status);
  return (out & modem_dtr ? tiocm_dtr : 0) | (out & modem_rts ? tiocm_rts : 0) | (in & 0x10 ? tiocm_cts : 0) |
         (in & 0x20 ? tiocm_dsr : 0) | (in & 0x40 ? tiocm_ring : 0) | (in & 0x80 ? tiocm_carrier : 0);
}

void Chip16550::set_modem_lines(std::uint32_t lines) {
  registers_.write8(modem_control,
                    static_cast<std::uint8_t>((lines & tiocm_dtr ? modem_dtr : 0) |
                                              (lines & tiocm_rts ? modem_rts : 0) | modem_out2));
}

}  // namespace serial
