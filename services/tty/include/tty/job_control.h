// What a terminal asks of the layer that knows processes. The personality installs one JobControl at
// start-up.
//
// Lock order: a terminal's mutex is held around JobMember::signal() and may be held around nothing else here,
// so the personality must never call into a terminal with its process locks held.
#pragma once

#include <cstdint>

#include "base/ref.h"
#include "base/result.h"

namespace tty {

class Terminal;

// A process group or a session, as a terminal needs it.
class JobMember : public base::RefCounted<JobMember> {
 public:
  virtual ~JobMember() = default;
  virtual int id() const = 0;
  // To every member of the group (for a session: to its leader). Callable with the terminal's mutex held.
  virtual void signal(int number) = 0;
};

// Linux's signal numbers for what a terminal sends (generic ABI).
inline constexpr int signal_hang_up = 1, signal_interrupt = 2, signal_quit = 3, signal_continue = 18,
                     signal_terminal_stop = 20, signal_terminal_input = 21, signal_terminal_output = 22,
                     signal_window_change = 28;

enum class ControllingTerminal { allow, refuse };

class JobControl {
 public:
  // The calling thread wants to read (signal_terminal_input) or to write or change settings
  // (signal_terminal_output). Success when the terminal is not its controlling terminal or its group is in
  // the foreground. Else, as POSIX 11.1.4: sends the signal to the caller's group and returns restart_always,
  // or EIO when the group is orphaned or (for input) ignores or blocks the signal; success for output when it
  // ignores or blocks it.
  virtual base::Result<void> check_background(Terminal& terminal, int signal) = 0;
  // TIOCSCTTY, TIOCNOTTY, TIOCSPGRP, TIOCGPGRP, TIOCGSID. `through_master`: the pty master was asked about
  // its slave.
  virtual base::Result<long> ioctl(Terminal& terminal, unsigned command, std::uintptr_t argument,
                                   bool through_master) = 0;
  // A terminal was opened by the calling thread: a session leader without one gets it as controlling
  // terminal.
  virtual void opened(Terminal& terminal, ControllingTerminal controlling) = 0;
  // /dev/tty: the caller's controlling terminal, or null.
  virtual base::RefPtr<Terminal> controlling_terminal() = 0;
  // The line is gone: SIGHUP and SIGCONT to the session leader and the foreground group, and no member of the
  // session has it as controlling terminal any more. No terminal lock held.
  virtual void hung_up(Terminal& terminal) = 0;

 protected:
  ~JobControl() = default;
};

void set_job_control(JobControl& job_control);
// Null until the personality stands; then nothing is refused.
JobControl* job_control();

}  // namespace tty
