// Waiting for kernel log records: /dev/kmsg and syslog(2) put their readers on this queue; the console thread
// waits on it too.
//
//   LogReader reader{...};
//   TRY(core::log_wait_queue().wait(WaitMode::interruptible, [&] { return reader.has_next(); }));
//
// The queue is woken after a record was stored: at once from contexts that may wake threads, else at the next
// pass of the scheduler on that CPU.
#pragma once

#include "core/sync/wait_queue.h"

namespace core {

WaitQueue& log_wait_queue();

}  // namespace core
