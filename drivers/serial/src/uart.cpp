#include "uart.h"

#include <algorithm>
#include <cstring>

#include "core/log/log.h"
#include "core/sched/scheduler.h"
#include "core/sync/break_lock.h"
#include "core/time/clock.h"

namespace serial {

using base::Errno;
using base::RefPtr;
using base::Result;
using core::IrqSave;
using core::MutexGuard;
using core::SpinGuard;

namespace {

constexpr unsigned polls_per_character = 100'000;

}  // namespace

Result<void> Uart::start() {
  vfs::DeviceNumber number = device_number();
  device_major = number.major;
  device_minor = number.minor;
  {
    SpinGuard<IrqSave> guard{port_lock_};
    chip_.start();
  }
  interrupt_ = TRY(core::InterruptRegistration::request(
      description_.interrupt, {.name = name(), .thread = &Uart::interrupted, .context = this}));
  {
    SpinGuard<IrqSave> guard{port_lock_};
    set_receiving_locked(true);
  }
  TRY(vfs::register_devices(vfs::DeviceKind::character, number, 1, *this, chip_.device_prefix()));
  TRY(vfs::create_device_node(name(), vfs::mode_character | 0600, number));
  core::register_console(*this);
  if (preferred()) tty::set_console_terminal(*this);
  return {};
}

vfs::DeviceNumber Uart::device_number() const { return {chip_.device_major(), 64 + description_.line}; }

void Uart::set_receiving_locked(bool on) {
  receiving_ = on;
  chip_.set_interrupts(receiving_, transmitting_);
}

// ---- The kernel's log ----

void Uart::put_polling_locked(char c) {
  for (unsigned i = 0; i < polls_per_character && !chip_.transmit_room(); ++i) arch::relax();
  chip_.put(static_cast<std::uint8_t>(c));
}

void Uart::write(std::string_view text) {
  auto put = [this](char c) {
    SpinGuard<IrqSave> guard{port_lock_};
    put_polling_locked(c);
  };
  for (char c : text) {
    if (c == '\n') put('\r');
    put(c);
  }
}

void Uart::write_in_panic(std::string_view text) {
  core::break_lock_in_panic(port_lock_);
  {
    // No interrupt will empty the ring any more.
    SpinGuard<IrqSave> guard{port_lock_};
    for (; ring_used_ != 0; --ring_used_) {
      put_polling_locked(ring_[ring_start_]);
      ring_start_ = (ring_start_ + 1) % ring_size;
    }
  }
  write(text);
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
  for (unsigned room = chip_.transmit_room(); room && ring_used_; --room) {
    chip_.put(static_cast<std::uint8_t>(ring_[ring_start_]));
    ring_start_ = (ring_start_ + 1) % ring_size;
    --ring_used_;
  }
  transmitting_ = ring_used_ > 0 && !stopped_;
  chip_.set_interrupts(receiving_, transmitting_);
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
  constexpr std::uint32_t odd_parity = 01000;
  LineSettings line;
  line.speed = settings.output_speed;
  line.data_bits = 5 + ((settings.control_modes & tty::cs8) >> 4);
  line.two_stop_bits = settings.control_modes & tty::cstopb;
  line.parity = settings.control_modes & tty::parenb;
  line.odd_parity = settings.control_modes & odd_parity;
  SpinGuard<IrqSave> guard{port_lock_};
  // B0 hangs up: the lines drop, the speed stays.
  chip_.set_modem_lines(line.speed ? tiocm_dtr | tiocm_rts : 0);
  if (!line.speed) return;
  chip_.set_line(line);
  chip_.set_interrupts(receiving_, transmitting_);
}

void Uart::send_break(unsigned milliseconds) {
  {
    SpinGuard<IrqSave> guard{port_lock_};
    chip_.set_break(true);
  }
  core::sleep_for(milliseconds * core::ns_per_ms);
  SpinGuard<IrqSave> guard{port_lock_};
  chip_.set_break(false);
}

std::uint32_t Uart::modem_lines() {
  SpinGuard<IrqSave> guard{port_lock_};
  return chip_.modem_lines();
}

void Uart::set_modem_lines(std::uint32_t lines) {
  SpinGuard<IrqSave> guard{port_lock_};
  chip_.set_modem_lines(lines);
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
        auto received = chip_.take();
        if (!received) break;
        any = true;
        if (received->line_break) {
          broken = true;
          break;
        }
        refused_[refused_count_++] = received->byte;
      }
    }
    if (!terminal) refused_count_ = 0;  // nobody has ever opened the line
    std::size_t taken = refused_count_ ? terminal->receive({refused_.data(), refused_count_}) : 0;
    refused_count_ -= taken;
    std::memmove(refused_.data(), refused_.data() + taken, refused_count_);
    if (broken && terminal) terminal->receive_break();
    SpinGuard<IrqSave> port_guard{port_lock_};
    bool full = refused_count_ > 0;
    set_receiving_locked(!full);
    if (full || !chip_.has_received()) return any;
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
    terminal_ = TRY(base::try_make_ref<SerialTerminal>(*this, device_number(), name()));
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
