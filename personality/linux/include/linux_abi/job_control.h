// Sessions and terminals: the personality's side of services/tty/job_control.h.
//
// Lock order: a terminal's mutex may be held when it signals a group, which takes process_tree_lock(); so a
// terminal is never called with that lock held. Process::terminal is protected by process_tree_lock(); the
// terminal's own session and foreground group by the terminal's mutex.
#pragma once

#include "linux_abi/process.h"
#include "tty/terminal.h"

namespace linux_abi {

// At start, before the first process.
void install_job_control();

// The session loses its terminal because its leader ends: takes it away from the members, and gives it out
// for finish_session_end(), which is called with no lock held.
RefPtr<tty::Terminal> begin_session_end_locked(Process& leader) REQUIRES(process_tree_lock());
void finish_session_end(tty::Terminal& terminal);
// The controlling terminal of a process, or null.
RefPtr<tty::Terminal> terminal_of(Process& process) EXCLUDES(process_tree_lock());

}  // namespace linux_abi
