// Settings of a terminal: ioctl_tty(2).
#include <algorithm>
#include <cstring>

#include "core/memory/user_pointer.h"
#include "ioctl_numbers.h"
#include "tty/terminal.h"
#include "vfs/types.h"

namespace tty {

using base::Errno;
using base::error;
using base::Result;
using core::MutexGuard;
using core::UserIn;
using core::UserOut;
using core::WaitMode;

namespace {

// struct termios of the ioctls, without the speeds of termios2.
struct ShortTermios {
  std::uint32_t input, output, control_modes, local;
  std::uint8_t line;
  std::array<std::uint8_t, control_character_count> control;
};
static_assert(sizeof(ShortTermios) == 36);

// struct termio, of TCGETA.
struct OldTermio {
  std::uint16_t input, output, control_modes, local;
  std::uint8_t line;
  std::array<std::uint8_t, 8> control;
  std::uint8_t padding = 0;
};
static_assert(sizeof(OldTermio) == 18);

constexpr std::uint32_t bother = 0010000;  // the speed stands in the structure
constexpr std::uint32_t extended_speed = 0010000;
constexpr std::uint32_t speeds[] = {0,   50,   75,   110,  134,  150,  200,   300,
                                    600, 1200, 1800, 2400, 4800, 9600, 19200, 38400};
constexpr std::uint32_t extended_speeds[] = {0,       57600,   115200,  230400,  460800,  500000,
                                             576000,  921600,  1000000, 1152000, 1500000, 2000000,
                                             2500000, 3000000, 3500000, 4000000};

std::uint32_t speed_of(std::uint32_t control_modes, std::uint32_t given) {
  std::uint32_t code = control_modes & cbaud;
  if (code == bother) return given;
  return code & extended_speed ? extended_speeds[code & 017] : speeds[code & 017];
}

Result<Termios> read_settings(std::uintptr_t argument, const Termios& old, bool with_speeds) {
  Termios settings = old;
  if (with_speeds) {
    settings = TRY(UserIn<Termios>(argument).read());
  } else {
    ShortTermios given = TRY(UserIn<ShortTermios>(argument).read());
    std::memcpy(static_cast<void*>(&settings), &given, sizeof(given));
  }
  std::uint32_t input_code = settings.control_modes >> 16 & cbaud;
  settings.output_speed = speed_of(settings.control_modes, settings.output_speed);
  settings.input_speed =
      input_code ? speed_of(settings.control_modes >> 16, settings.input_speed) : settings.output_speed;
  return settings;
}

}  // namespace

Result<void> Terminal::drain(bool non_blocking) {
  MutexGuard guard{mutex_};
  auto drained = [&]() NO_THREAD_SAFETY_ANALYSIS {
    return hung_up_ || (pending_echo_size_ == 0 && line_->transmit_pending() == 0);
  };
  if (non_blocking && !drained()) return error(Errno::eagain);
  auto waited = output_queue_.wait(guard, WaitMode::interruptible, drained);
  if (!waited) return error(waited.error() == Errno::eintr ? Errno::restart_always : waited.error());
  return {};
}

Termios Terminal::settings() {
  MutexGuard guard{mutex_};
  return discipline_.settings();
}

Result<void> Terminal::set_settings(const Termios& settings, ApplySettings when, bool non_blocking) {
  if (when != ApplySettings::now) TRY(drain(non_blocking));
  bool readable;
  {
    MutexGuard guard{mutex_};
    if (hung_up_) return error(Errno::eio);
    if (when == ApplySettings::after_output_flush_input) flush_locked(0);
    const Termios old = discipline_.settings();
    discipline_.set_settings(settings);
    line_->settings_changed(settings);
    bool had_flow_control = old.input & ixon, has_flow_control = settings.input & ixon;
    bool usual_characters = settings.control[vstart] == 17 && settings.control[vstop] == 19;
    if (had_flow_control != has_flow_control || old.control[vstart] != settings.control[vstart] ||
        old.control[vstop] != settings.control[vstop]) {
      line_->packet_event(has_flow_control && usual_characters ? packet_do_stop : packet_no_stop);
    }
    if ((old.local ^ settings.local) & extproc) line_->packet_event(packet_ioctl);
    readable = discipline_.readable();
  }
  // Readers wait by the rules of the old mode: they look again.
  input_queue_.wake_all(readable ? vfs::poll_readable : 0);
  return {};
}

WindowSize Terminal::window_size() {
  MutexGuard guard{mutex_};
  return window_size_;
}

void Terminal::set_window_size(const WindowSize& size) {
  MutexGuard guard{mutex_};
  if (window_size_ == size) return;
  window_size_ = size;
  if (foreground_) foreground_->signal(signal_window_change);
}

void Terminal::flush_input() {
  MutexGuard guard{mutex_};
  if (!hung_up_) flush_locked(0);
}

// queue: TCIFLUSH 0, TCOFLUSH 1, TCIOFLUSH 2
void Terminal::flush_locked(int queue) {
  if (queue == 0 || queue == 2) {
    discipline_.flush_input();
    line_->packet_event(packet_flush_read);
    if (input_refused_) {
      input_refused_ = false;
      line_->input_room();
    }
  }
  if (queue == 1 || queue == 2) {
    pending_echo_size_ = 0;
    line_->flush_transmit();
    line_->packet_event(packet_flush_write);
    output_queue_.wake_all(vfs::poll_writable);
  }
}

Result<long> Terminal::ioctl(unsigned command, std::uintptr_t argument, bool non_blocking) {
  if (is_hung_up()) return error(command == tiocspgrp ? Errno::enotty : Errno::eio);
  switch (command) {
    case tcgets:
    case tcgets2:
    case tcgeta:
    case tcsets:
    case tcsetsw:
    case tcsetsf:
    case tcsets2:
    case tcsetsw2:
    case tcsetsf2:
    case tcseta:
    case tcsetaw:
    case tcsetaf:
      return ioctl_settings(command, argument, non_blocking);
    case tcsbrk:
    case tcsbrkp:
    case tcxonc:
    case tcflsh:
    case tiocsbrk:
    case tioccbrk:
      return ioctl_flow(command, argument, non_blocking);
    case tiocmget:
    case tiocmset:
    case tiocmbis:
    case tiocmbic:
      return ioctl_modem(command, argument);
    case tiocsctty:
    case tiocnotty:
    case tiocspgrp:
    case tiocgpgrp:
    case tiocgsid:
      if (!job_control()) return error(Errno::enotty);
      return job_control()->ioctl(*this, command, argument, false);
    default:
      return ioctl_state(command, argument);
  }
}

Result<long> Terminal::ioctl_settings(unsigned command, std::uintptr_t argument, bool non_blocking) {
  Termios old = settings();
  switch (command) {
    case tcgets: {
      ShortTermios out;
      std::memcpy(&out, &old, sizeof(out));
      TRY(UserOut<ShortTermios>(argument).write(out));
      return 0;
    }
    case tcgets2:
      TRY(UserOut<Termios>(argument).write(old));
      return 0;
    case tcgeta: {
      OldTermio out{static_cast<std::uint16_t>(old.input),
                    static_cast<std::uint16_t>(old.output),
                    static_cast<std::uint16_t>(old.control_modes),
                    static_cast<std::uint16_t>(old.local),
                    old.line,
                    {}};
      std::copy_n(old.control.begin(), out.control.size(), out.control.begin());
      TRY(UserOut<OldTermio>(argument).write(out));
      return 0;
    }
    default:
      break;
  }
  if (job_control()) TRY(job_control()->check_background(*this, signal_terminal_output));
  Termios wanted = old;
  if (command == tcseta || command == tcsetaw || command == tcsetaf) {
    OldTermio given = TRY(UserIn<OldTermio>(argument).read());
    constexpr std::uint32_t high = 0xffff0000;
    wanted.input = (old.input & high) | given.input;
    wanted.output = (old.output & high) | given.output;
    wanted.control_modes = (old.control_modes & high) | given.control_modes;
    wanted.local = (old.local & high) | given.local;
    std::copy_n(given.control.begin(), given.control.size(), wanted.control.begin());
  } else {
    wanted = TRY(read_settings(argument, old, command >= tcsets2));
  }
  wanted.line = old.line;
  ApplySettings when = ApplySettings::now;
  if (command == tcsetsw || command == tcsetsw2 || command == tcsetaw) when = ApplySettings::after_output;
  if (command == tcsetsf || command == tcsetsf2 || command == tcsetaf)
    when = ApplySettings::after_output_flush_input;
  TRY(set_settings(wanted, when, non_blocking));
  return 0;
}

Result<long> Terminal::ioctl_flow(unsigned command, std::uintptr_t argument, bool non_blocking) {
  if (job_control()) TRY(job_control()->check_background(*this, signal_terminal_output));
  if (command == tcsbrk || command == tcsbrkp) {
    TRY(drain(non_blocking));
    if (command == tcsbrk && argument != 0) return 0;  // tcdrain()
  }
  MutexGuard guard{mutex_};
  if (hung_up_) return error(Errno::eio);
  switch (command) {
    case tcsbrk:
      line_->send_break(250);
      return 0;
    case tcsbrkp:
      line_->send_break(argument ? static_cast<unsigned>(std::min<std::uintptr_t>(argument, 600)) * 100
                                 : 250);
      return 0;
    case tiocsbrk:
    case tioccbrk:
      return 0;
    case tcxonc:
      switch (argument) {
        case 0:
          set_stopped_locked(true, false);
          return 0;  // TCOOFF
        case 1:
          set_stopped_locked(false, false);
          return 0;  // TCOON
        case 2:
        case 3: {  // TCIOFF, TCION: tell the other side
          std::uint8_t character = discipline_.settings().control[argument == 2 ? vstop : vstart];
          char text = static_cast<char>(character);
          if (character) line_->transmit({&text, 1});
          return 0;
        }
        default:
          return error(Errno::einval);
      }
    case tcflsh:
      if (argument > 2) return error(Errno::einval);
      flush_locked(static_cast<int>(argument));
      return 0;
    default:
      return error(Errno::enotty);
  }
}

Result<long> Terminal::ioctl_modem(unsigned command, std::uintptr_t argument) {
  std::uint32_t given = 0, lines;
  if (command != tiocmget) given = TRY(UserIn<std::uint32_t>(argument).read());
  {
    MutexGuard guard{mutex_};
    if (hung_up_) return error(Errno::eio);
    if (!line_->has_modem_control()) return error(Errno::enotty);
    lines = line_->modem_lines();
    if (command == tiocmset) line_->set_modem_lines(given);
    if (command == tiocmbis) line_->set_modem_lines(lines | given);
    if (command == tiocmbic) line_->set_modem_lines(lines & ~given);
  }
  if (command == tiocmget) TRY(UserOut<std::uint32_t>(argument).write(lines));
  return 0;
}

Result<long> Terminal::ioctl_state(unsigned command, std::uintptr_t argument) {
  switch (command) {
    case tiocgwinsz:
      TRY(UserOut<WindowSize>(argument).write(window_size()));
      return 0;
    case tiocswinsz:
      set_window_size(TRY(UserIn<WindowSize>(argument).read()));
      return 0;
    case tiocsti:
      return error(Errno::eio);  // as with dev.tty.legacy_tiocsti=0: typing for others is refused
    case tiocgetd: {
      TRY(UserOut<int>(argument).write(0));  // N_TTY
      return 0;
    }
    case tiocsetd:
      return TRY(UserIn<int>(argument).read()) == 0 ? Result<long>(0) : error(Errno::einval);
    case tiocgdev:
      TRY(UserOut<std::uint32_t>(argument).write(static_cast<std::uint32_t>(device_.encoded())));
      return 0;
    case tiocvhangup:
      hang_up();
      return 0;
    default:
      break;
  }
  std::uint32_t value = 0;
  {
    MutexGuard guard{mutex_};
    if (hung_up_) return error(Errno::eio);
    switch (command) {
      case tiocexcl:
        exclusive_ = true;
        return 0;
      case tiocnxcl:
        exclusive_ = false;
        return 0;
      case tiocgexcl:
        value = exclusive_;
        break;
      case tiocoutq:
        value = static_cast<std::uint32_t>(line_->transmit_pending() + pending_echo_size_);
        break;
      case fionread:
        value = static_cast<std::uint32_t>(discipline_.available());
        break;
      case tiocgsoftcar:
        value = (discipline_.settings().control_modes & clocal) != 0;
        break;
      default:
        return error(Errno::enotty);
    }
  }
  TRY(UserOut<std::uint32_t>(argument).write(value));
  return 0;
}

}  // namespace tty
