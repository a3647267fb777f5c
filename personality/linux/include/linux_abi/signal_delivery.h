// The way back to user mode: taking pending signals, stopping, ending, and pushing handler frames.
#pragma once

#include "linux_abi/syscall.h"
#include "linux_abi/task.h"

namespace linux_abi {

// What the trap was, for the restart of interrupted system calls.
enum class EnteredBy { system_call, other };

// Called with work bits set, before the return to user mode. Does not return if the thread is to end.
void handle_user_work(Context& context, EnteredBy entered_by);

// rt_sigreturn(2)
Result<long> return_from_signal(Context& context);

// For calls that replace the blocked mask while they wait (ppoll, pselect, epoll_pwait, rt_sigsuspend): the
// mask before comes back after the signal handler, or at the end of the call when none runs.
void set_temporary_mask(Task& task, SignalSet mask);
void restore_mask_now(Task& task);

}  // namespace linux_abi
