// Job control: what a terminal needs of sessions and process groups. The terminal driver stands below the personality
// and registers nothing here; it calls these through the hooks in services/tty.
//
// A session has at most one controlling terminal. Protected by process_tree_lock().
#pragma once

#include "linux_abi/pid.h"
#include "linux_abi/process.h"
#include "vfs/file.h"

namespace linux_abi {

// The terminal as the personality sees it.
class ControllingTerminal : public base::RefCounted<ControllingTerminal> {
 public:
  virtual ~ControllingTerminal() = default;
  virtual void last_reference_dropped() { delete this; }
  // The session leader ended or gave the terminal up.
  virtual void session_ended() = 0;
  virtual unsigned device_number() const = 0;   // encoded, for /proc/PID/stat
  // Protected by process_tree_lock():
  RefPtr<Pid> session, foreground_group;
};

// The controlling terminal of the process's session, or null.
RefPtr<ControllingTerminal> terminal_of(Process& process);
// TIOCSCTTY: EPERM unless the caller leads a session without a terminal. `steal` needs CAP_SYS_ADMIN.
enum class StealTerminal : bool { no, yes };
Result<void> acquire_terminal(Task& task, RefPtr<ControllingTerminal> terminal, StealTerminal steal);
// TIOCNOTTY
Result<void> give_up_terminal(Task& task, ControllingTerminal& terminal);
// TIOCSPGRP, TIOCGPGRP, TIOCGSID. ENOTTY when it is not the caller's controlling terminal.
Result<void> set_foreground_group(Task& task, ControllingTerminal& terminal, int group);
// Before a background process reads (SIGTTIN) or writes and changes settings (SIGTTOU): restart_always after the signal was
// sent, EIO for orphaned groups or when the signal is ignored (reads).
enum class TerminalAccess { read, write, change };
Result<void> check_foreground(Task& task, ControllingTerminal& terminal, TerminalAccess access);
bool is_orphaned_group(Pid& group, Process* ignored) REQUIRES(process_tree_lock());

}  // namespace linux_abi
