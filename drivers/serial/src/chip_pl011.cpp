#include "chip_pl011.h"

#include <arch/cpu.h>

#include <algorithm>

namespace serial {
namespace {

enum Register : unsigned {
  data = 0x00,
  flags = 0x18,
  integer_divisor = 0x24,
  fraction_divisor = 0x28,
  line_control = 0x2c,
  control = 0x30,
  fifo_levels = 0x34,
  interrupt_mask = 0x38,
  interrupt_clear = 0x44,
  peripheral_id = 0xfe0,
};
constexpr std::uint32_t data_break = 1 << 10;
constexpr std::uint32_t flag_clear_to_send = 1 << 0, flag_set_ready = 1 << 1, flag_carrier = 1 << 2,
                        flag_busy = 1 << 3, flag_receive_empty = 1 << 4, flag_transmit_full = 1 << 5,
                        flag_transmit_empty = 1 << 7, flag_ring = 1 << 8;
constexpr std::uint32_t line_break = 1, line_parity = 2, line_even = 4, line_two_stop = 8, line_fifo = 16;
constexpr std::uint32_t control_enable = 1, control_transmit = 1 << 8, control_receive = 1 << 9,
                        control_dtr = 1 << 10, control_rts = 1 << 11;
constexpr std::uint32_t interrupt_receive = 1 << 4, interrupt_transmit = 1 << 5, interrupt_timeout = 1 << 6;
constexpr std::uint32_t part_number = 0x11;
constexpr unsigned fifo_size = 16, most_polls = 100'000;

}  // namespace

bool ChipPl011::is_present() {
  return (registers_.read32(peripheral_id) & 0xff) == part_number &&
         (registers_.read32(peripheral_id + 4) & 0x0f) == 0;
}

void ChipPl011::start() {
  registers_.write32(interrupt_mask, 0);
  registers_.write32(interrupt_clear, 0x7ff);
  registers_.write32(line_control, 3 << 5 | line_fifo);
  registers_.write32(fifo_levels, 2 << 3 | 2);  // interrupt when half full, half empty
  registers_.write32(control,
                     control_enable | control_transmit | control_receive | control_dtr | control_rts);
}

unsigned ChipPl011::transmit_room() {
  std::uint32_t now = registers_.read32(flags);
  return now & flag_transmit_empty ? fifo_size : now & flag_transmit_full ? 0 : 1;
}

void ChipPl011::put(std::uint8_t byte) { registers_.write32(data, byte); }

bool ChipPl011::has_received() { return !(registers_.read32(flags) & flag_receive_empty); }

std::optional<Received> ChipPl011::take() {
  if (!has_received()) return std::nullopt;
  std::uint32_t word = registers_.read32(data);
  return Received{static_cast<std::uint8_t>(word), (word & data_break) != 0};
}

void ChipPl011::set_interrupts(bool receive, bool transmit) {
  std::uint32_t bits =
      (receive ? interrupt_receive | interrupt_timeout : 0) | (transmit ? interrupt_transmit : 0);
  if (bits == mask_) return;
  mask_ = bits;
  registers_.write32(interrupt_mask, bits);
}

void ChipPl011::set_line(const LineSettings& settings) {
  std::uint32_t shape = (settings.data_bits - 5) << 5 | line_fifo |
                        (settings.two_stop_bits ? line_two_stop : 0) | (settings.parity ? line_parity : 0) |
                        (settings.parity && !settings.odd_parity ? line_even : 0);
  // Only while it is off, and it is off when the last character is out.
  std::uint32_t was = registers_.read32(control);
  for (unsigned i = 0; i < most_polls && registers_.read32(flags) & flag_busy; ++i) arch::relax();
  registers_.write32(control, was & ~control_enable);
  if (clock_hz_) {
    // Sixteenths of the clock, in 64ths.
    std::uint32_t divisor = std::clamp<std::uint32_t>(clock_hz_ * 4 / settings.speed, 64, 0xffff * 64);
    registers_.write32(integer_divisor, divisor / 64);
    registers_.write32(fraction_divisor, divisor % 64);
  }
  registers_.write32(line_control, shape);
  registers_.write32(control, was);
}

void ChipPl011::set_break(bool on) {
  std::uint32_t shape = registers_.read32(line_control);
  registers_.write32(line_control, on ? shape | line_break : shape & ~line_break);
}

std::uint32_t ChipPl011::modem_lines() {
  std::uint32_t out = registers_.read32(control), in = registers_.read32(flags);
  return (out & control_dtr ? tiocm_dtr : 0) | (out & control_rts ? tiocm_rts : 0) |
         (in & flag_clear_to_send ? tiocm_cts : 0) | (in & flag_set_ready ? tiocm_dsr : 0) |
         (in & flag_carrier ? tiocm_carrier : 0) | (in & flag_ring ? tiocm_ring : 0);
}

void ChipPl011::set_modem_lines(std::uint32_t lines) {
  std::uint32_t rest = registers_.read32(control) & ~(control_dtr | control_rts);
  registers_.write32(control,
                     rest | (lines & tiocm_dtr ? control_dtr : 0) | (lines & tiocm_rts ? control_rts : 0));
}

}  // namespace serial
