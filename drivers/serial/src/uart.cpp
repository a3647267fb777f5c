#include "uart.h"

#include <algorithm>
#include <cstring>

#include "core/log/log.h"
#include "core/sched/scheduler.h"
#include "core/time/clock.h"

namespace serial {

using base::Errno;
using base::RefPtr;
using base::Result;
using core::IrqSave;
using core::MutexGuard;
using core::SpinGuard;

namespace {

// Registers of the 16550 (data sheet PC16550D).
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
constexpr std::uint8_t control_divisor = 0x80, control_break = 0x40;
constexpr std::uint8_t modem_dtr = 1, modem_rts = 2, modem_out2 = 8;
// TIOCM_* of ioctl_tty(2).
constexpr std::uint32_t tiocm_dtr = 2, tiocm_rts = 4, tiocm_cts = 0x20, tiocm_carrier = 0x40,
                        tiocm_ring = 0x80, tiocm_dsr = 0x100;
constexpr unsigned polls_per_character = 100'000;

}  // namespace

bool Uart::is_present(core::RegisterBlock& registers) {
  // The scratch register keeps what is written; where nothing is, reads give all ones.
  for (std::uint8_t probe : {std::uint8_t{0x5a}, std::uint8_t{0xa5}}) {
    registers.write8(scratch, probe);
    if (registers.read8(scratch) != probe) return false;
  }
  return true;
}

Result<void> Uart::start() {
  vfs::DeviceNumber number{4, 64 + description_.line};
  device_major = number.major;
  device_minor = number.minor;
  {
    SpinGuard<IrqSave> guard{port_lock_};
    registers_.write8(fifo_control, fifo_enable_and_clear);
    registers_.write8(line_control, 0x03);  // eight bits, no parity
    registers_.write8(modem_control, modem_dtr | modem_rts | modem_out2);
  }
  interrupt_ = TRY(core::InterruptRegistration::request(
      description_.interrupt, {.name = name(), .thread = &Uart::interrupted, .context = this}));
  {
    SpinGuard<IrqSave> guard{port_lock_};
    set_interrupts_locked(enable_receive | enable_line_status);
  }
  TRY(vfs::register_devices(vfs::DeviceKind::character, number, 1, *this, "ttyS"));
  TRY(vfs::create_device_node(name(), vfs::mode_character | 0600, number));
  core::register_console(*this);
  if (preferred()) tty::set_console_terminal(*this);
  return {};
}

void Uart::set_interrupts_locked(std::uint8_t bits) {
  if (bits == interrupt_bits_) return;
  interrupt_bits_ = bits;
  registers_.write8(interrupt_enable, bits);
}

// ---- The kernel's log ----

void Uart::write(std::string_view text) {
  auto put = [this](char c) {
    SpinGuard<IrqSave> guard{port_lock_};
    for (unsigned i = 0; i < polls_per_character && !(registers_.read8(line_status) & status_transmit_empty);
         ++i)
      arch::relax();
    registers_.write8(data, static_cast<std::uint8_t>(c));
  };
  for (char c : text) {
    if (c == '\n') put('\r');
    put(c);
  }
}

// ---- The terminal's line ----

std::size_t Uart::transmit(std::string_view text) {
  SpinGuard<IrqSave> guard{port_lock_};
  std::size_t count = std::min(text.size(), ring_size - ring_used_);
  for (std::size_t done = 0; done < count;) {
    std::size_t at = (ring_start_ + ring_used_) % ring_size;
    std::size_t piece = std::min(count - done, ring_size - at);
    std::memcpy(ring_.data() + at, text.data() + done, piece);
    ring_used_ += piece;
    done += piece;
  }
  if (!stopped_ && count) fill_fifo_locked();
  return count;
}

// Gives the device what it takes at once, and asks for an interrupt while more waits.
void Uart::fill_fifo_locked() {
  if (registers_.read8(line_status) & status_transmit_empty) {
    for (std::size_t i = 0; i < fifo_size && ring_used_; ++i) {
      registers_.write8(data, static_cast<std::uint8_t>(ring_[ring_start_]));
      ring_start_ = (ring_start_ + 1) % ring_size;
      --ring_used_;
    }
  }
  bool more = ring_used_ > 0 && !stopped_;
  set_interrupts_locked(static_cast<std::uint8_t>(more ? interrupt_bits_ | enable_transmit
                                                       : interrupt_bits_ & ~enable_transmit));
}

std::size_t Uart::transmit_room() {
  SpinGuard<IrqSave> guard{port_lock_};
  return ring_size - ring_used_;
}

std::size_t Uart::transmit_pending() {
  SpinGuard<IrqSave> guard{port_lock_};
  return ring_used_;
}

void Uart::flush_transmit() {
  SpinGuard<IrqSave> guard{port_lock_};
  ring_used_ = 0;
}

void Uart::set_stopped(bool stopped) {
  SpinGuard<IrqSave> guard{port_lock_};
  stopped_ = stopped;
  fill_fifo_locked();
}

void Uart::settings_changed(const tty::Termios& settings) {
  std::uint32_t speed = settings.output_speed;
  std::uint8_t control = static_cast<std::uint8_t>((settings.control_modes & tty::cs8) >> 4);
  if (settings.control_modes & tty::cstopb) control |= 0x04;
  if (settings.control_modes & tty::parenb) control |= 0x08;
  constexpr std::uint32_t odd_parity = 01000;
  if ((settings.control_modes & tty::parenb) && !(settings.control_modes & odd_parity)) control |= 0x10;
  SpinGuard<IrqSave> guard{port_lock_};
  // B0 hangs up: the lines drop, the speed stays.
  std::uint8_t lines = speed ? modem_dtr | modem_rts | modem_out2 : modem_out2;
  registers_.write8(modem_control, lines);
  if (!speed) return;
  std::uint32_t divisor = std::clamp<std::uint32_t>(description_.clock_hz / 16 / speed, 1, 0xffff);
  registers_.write8(line_control, control | control_divisor);
  registers_.write8(data, static_cast<std::uint8_t>(divisor));
  registers_.write8(interrupt_enable, static_cast<std::uint8_t>(divisor >> 8));
  registers_.write8(line_control, control);
}

void Uart::send_break(unsigned milliseconds) {
  std::uint8_t control;
  {
    SpinGuard<IrqSave> guard{port_lock_};
    control = registers_.read8(line_control);
    registers_.write8(line_control, control | control_break);
  }
  core::sleep_for(milliseconds * core::ns_per_ms);
  SpinGuard<IrqSave> guard{port_lock_};
  registers_.write8(line_control, control);
}

std::uint32_t Uart::modem_lines() {
  SpinGuard<IrqSave> guard{port_lock_};
  std::uint8_t out = registers_.read8(modem_control), in = registers_.read8(modem_status);
  return (out & modem_dtr ? tiocm_dtr : 0) | (out & modem_rts ? tiocm_rts : 0) | (in & 0x10 ? tiocm_cts : 0) |
         (in & 0x20 ? tiocm_dsr : 0) | (in & 0x40 ? tiocm_ring : 0) | (in & 0x80 ? tiocm_carrier : 0);
}

void Uart::set_modem_lines(std::uint32_t lines) {
  SpinGuard<IrqSave> guard{port_lock_};
  registers_.write8(modem_control,
                    static_cast<std::uint8_t>((lines & tiocm_dtr ? modem_dtr : 0) |
                                              (lines & tiocm_rts ? modem_rts : 0) | modem_out2));
}

// ---- Receiving ----

core::InterruptOutcome Uart::interrupted(void* context) {
  auto& self = *static_cast<Uart*>(context);
  bool received = self.receive_waiting();
  bool room;
  {
    SpinGuard<IrqSave> guard{self.port_lock_};
    if (!self.stopped_) self.fill_fifo_locked();
    room = self.ring_used_ < ring_size / 2;
  }
  if (auto terminal = self.current_terminal(); terminal && room) terminal->transmit_ready();
  return received || room ? core::InterruptOutcome::handled : core::InterruptOutcome::not_mine;
}

// Reads what has come in and offers it, after what was refused before. True if there was anything.
bool Uart::receive_waiting() {
  RefPtr<tty::Terminal> terminal = current_terminal();
  MutexGuard guard{receive_lock_};
  bool any = false;
  for (;;) {
    bool broken = false;
    {
      SpinGuard<IrqSave> port_guard{port_lock_};
      while (refused_count_ < refused_.size()) {
        std::uint8_t status = registers_.read8(line_status);
        if (!(status & status_data_ready)) break;
        std::uint8_t byte = registers_.read8(data);
        any = true;
        if (status & status_break) {
          broken = true;
          break;
        }
        refused_[refused_count_++] = byte;
      }
    }
    if (!terminal) refused_count_ = 0;  // nobody has ever opened the line
    std::size_t taken = refused_count_ ? terminal->receive({refused_.data(), refused_count_}) : 0;
    refused_count_ -= taken;
    std::memmove(refused_.data(), refused_.data() + taken, refused_count_);
    if (broken && terminal) terminal->receive_break();
    SpinGuard<IrqSave> port_guard{port_lock_};
    bool full = refused_count_ > 0;
    set_interrupts_locked(static_cast<std::uint8_t>(full ? interrupt_bits_ & ~enable_receive
                                                         : interrupt_bits_ | enable_receive));
    if (full || !(registers_.read8(line_status) & status_data_ready)) return any;
  }
}

// The terminal's mutex is held, and offering bytes takes it: a worker does that.
void Uart::resume(core::Work& work) { base::container_of(&work, &Uart::resume_work_)->receive_waiting(); }

void Uart::input_room() { core::WorkQueue::system().post(resume_work_); }

// ---- The terminal ----

RefPtr<tty::Terminal> Uart::current_terminal() {
  MutexGuard guard{terminal_lock_};
  return terminal_;
}

Result<RefPtr<tty::Terminal>> Uart::terminal() {
  MutexGuard guard{terminal_lock_};
  if (!terminal_ || terminal_->is_hung_up()) {
    vfs::DeviceNumber number{4, 64 + description_.line};
    terminal_ = TRY(base::try_make_ref<SerialTerminal>(*this, number, description_.line));
    tty::Termios settings;
    settings.control_modes = tty::cs8 | tty::cread | tty::hupcl | tty::clocal | 0010002;  // B115200
    settings.input_speed = settings.output_speed = 115200;
    guard.unlock();
    auto fresh = current_terminal();
    TRY(fresh->set_settings(settings, tty::Terminal::ApplySettings::now));
    return fresh;
  }
  return terminal_;
}

Result<RefPtr<vfs::File>> Uart::open(vfs::DeviceNumber, const vfs::OpenRequest& request) {
  return tty::TerminalFile::open(TRY(terminal()), request);
}

}  // namespace serial
