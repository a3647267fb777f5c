// Faults of user code: page faults are resolved, everything else becomes a signal.
#pragma once

#include "linux_abi/task.h"

namespace linux_abi {

void handle_user_fault(Task& task);
// One line in the log for a program that dies of a fault (print-fatal-signals, show_unhandled_signals).
void log_fatal_signal(Task& task, const SigInfo& info);

}  // namespace linux_abi
