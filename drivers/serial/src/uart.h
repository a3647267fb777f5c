// A serial port: a terminal (ttyS0 ...) and a console of the kernel log. What is in its registers is the
// chip's affair (chip.h).
//
// Transmitting: what the terminal writes goes into a ring, which the interrupt thread empties into the
// device's FIFO. The log is written directly, character by character, polling, because it must get out
// whatever state the rest is in.
//
// Receiving: the interrupt thread reads the FIFO and offers the bytes to the terminal. What the terminal has
// no room for stays in refused_, and reception is off until it asks for more.
//
// Locking: port_lock_ (raw) protects registers and ring and is held for one FIFO's worth of bytes; it comes
// after the terminal's mutex. refused_ belongs to whoever holds receive_lock_, which comes before the
// terminal's mutex.
#pragma once

#include <array>
#include <atomic>

#include "chip.h"
#include "core/device/serial_port.h"
#include "core/interrupt/interrupt.h"
#include "core/log/console.h"
#include "core/sched/work_queue.h"
#include "core/sync/mutex.h"
#include "core/sync/spin_lock.h"
#include "tty/terminal_file.h"
#include "vfs/device.h"

namespace serial {

class Uart;

class SerialTerminal final : public tty::Terminal {
 public:
  SerialTerminal(tty::TerminalLine& line, vfs::DeviceNumber device, const char* name)
      : Terminal(line, device), name_(name) {}
  void put_name(base::TextSink& out) const override { out.put(name_); }

 private:
  const char* const name_;
};

class Uart final : public tty::TerminalLine,
                   public core::Console,
                   public vfs::DeviceOperations,
                   public tty::TerminalSource {
 public:
  // `chip` and `name` live for ever.
  Uart(const core::SerialPortDescription& description, Chip& chip, const char* name)
      : Console(name), description_(description), chip_(chip) {}

  base::Result<void> start();

  // ---- Console ----
  void write(std::string_view text) override;
  // Behind what programs have written before.
  void write_in_panic(std::string_view text) override;

  // ---- DeviceOperations, TerminalSource ----
  base::Result<base::RefPtr<vfs::File>> open(vfs::DeviceNumber device,
                                             const vfs::OpenRequest& request) override;
  base::Result<base::RefPtr<tty::Terminal>> terminal() override;

 private:
  static constexpr std::size_t ring_size = 4096;

  // ---- TerminalLine: with the terminal's mutex held ----
  std::size_t transmit(std::string_view text) override;
  std::size_t transmit_room() override;
  std::size_t transmit_pending() override;
  void flush_transmit() override;
  void set_stopped(bool stopped) override;
  void settings_changed(const tty::Termios& settings) override;
  void input_room() override;
  void send_break(unsigned milliseconds) override;
  bool has_modem_control() const override { return true; }
  std::uint32_t modem_lines() override;
  void set_modem_lines(std::uint32_t lines) override;

  static core::InterruptOutcome interrupted(void* context);
  void put_polling_locked(char c) REQUIRES(port_lock_);
  void fill_fifo_locked() REQUIRES(port_lock_);
  void set_receiving_locked(bool on) REQUIRES(port_lock_);
  vfs::DeviceNumber device_number() const;
  bool receive_waiting() EXCLUDES(receive_lock_);
  base::RefPtr<tty::Terminal> current_terminal() EXCLUDES(terminal_lock_);

  const core::SerialPortDescription description_;
  Chip& chip_;
  core::InterruptRegistration interrupt_;

  core::SpinLock port_lock_{"uart"};
  // Protected by port_lock_:
  std::array<char, ring_size> ring_ GUARDED_BY(port_lock_){};
  std::size_t ring_start_ GUARDED_BY(port_lock_) = 0, ring_used_ GUARDED_BY(port_lock_) = 0;
  bool receiving_ GUARDED_BY(port_lock_) = false, transmitting_ GUARDED_BY(port_lock_) = false;
  bool stopped_ GUARDED_BY(port_lock_) = false;

  core::Mutex receive_lock_{"uart receive"};
  std::array<std::uint8_t, 64> refused_ GUARDED_BY(receive_lock_){};
  std::size_t refused_count_ GUARDED_BY(receive_lock_) = 0;

  core::Mutex terminal_lock_{"uart terminal"};
  base::RefPtr<tty::Terminal> terminal_ GUARDED_BY(terminal_lock_);

  static void resume(core::Work& work);
  core::Work resume_work_{resume};
};

}  // namespace serial
