// One kind of serial port hardware. The rest of the driver (uart.h) is the same for all.
//
// Every operation touches registers and returns; the port's raw lock is held.
#pragma once

#include <cstdint>
#include <optional>

namespace serial {

struct LineSettings {
  std::uint32_t speed = 115200;  // bits per second, not 0
  unsigned data_bits = 8;        // 5 to 8
  bool two_stop_bits = false, parity = false, odd_parity = false;
};

struct Received {
  std::uint8_t byte = 0;
  bool line_break = false;  // the line was held low: no byte
};

class Chip {
 public:
  // ttyS or ttyAMA, its name in the log, and its devices' major number.
  virtual const char* device_prefix() const = 0;
  virtual const char* name() const = 0;
  virtual unsigned device_major() const = 0;

  // Whether such a chip answers at its registers.
  virtual bool is_present() = 0;
  // Eight bits, FIFOs on and empty, no interrupts.
  virtual void start() = 0;
  // How many characters can be written now.
  virtual unsigned transmit_room() = 0;
  virtual void put(std::uint8_t byte) = 0;
  virtual bool has_received() = 0;
  virtual std::optional<Received> take() = 0;
  virtual void set_interrupts(bool receive, bool transmit) = 0;
  virtual void set_line(const LineSettings& settings) = 0;
  virtual void set_break(bool on) = 0;
  // Modem lines as TIOCM_* bits of ioctl_tty(2).
  virtual std::uint32_t modem_lines() = 0;
  virtual void set_modem_lines(std::uint32_t lines) = 0;

 protected:
  ~Chip() = default;
};

// TIOCM_* of ioctl_tty(2).
inline constexpr std::uint32_t tiocm_dtr = 2, tiocm_rts = 4, tiocm_cts = 0x20, tiocm_carrier = 0x40,
                               tiocm_ring = 0x80, tiocm_dsr = 0x100;

}  // namespace serial
