// Changing the relations between processes. All with process_tree_lock() held.
#pragma once

#include "linux_abi/process.h"
#include "linux_abi/task.h"

namespace linux_abi {

void attach_child_locked(Process& parent, RefPtr<Process> child) REQUIRES(process_tree_lock());
// Into a process group / session, out of the old one.
void set_group_locked(Process& process, RefPtr<Pid> group) REQUIRES(process_tree_lock());
void set_session_locked(Process& process, RefPtr<Pid> session) REQUIRES(process_tree_lock());
// A zombie leaves: the parent has waited or does not care.
void reap_locked(Process& process) REQUIRES(process_tree_lock());
// The last thread is gone: hands the children on, tells the parent. A session leader's terminal is given out,
// for finish_session_end() when the lock is open again.
RefPtr<tty::Terminal> end_process_locked(Process& process) REQUIRES(process_tree_lock());
// CLD_STOPPED or CLD_CONTINUED to the parent.
void report_stop(Process& process, int code) EXCLUDES(process_tree_lock());
void report_stop_locked(Process& process, int code) REQUIRES(process_tree_lock());
// SIGCHLD (or whatever clone asked for) for an ended child. True: the parent does not want to wait for it.
bool tell_parent_of_end_locked(Process& child) REQUIRES(process_tree_lock());
// `leaving` is about to leave its group or to die: sends SIGHUP and SIGCONT to groups that become orphaned
// and have stopped members. With the parent that `leaving` is the link to.
void check_orphaned_group_locked(Process& leaving, Process* parent) REQUIRES(process_tree_lock());
bool is_orphaned_group_locked(Pid& group, Process* ignored) REQUIRES(process_tree_lock());

}  // namespace linux_abi
