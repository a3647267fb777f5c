// The host: threads are pthreads; there is nothing to switch.
#pragma once

#include <arch/context.h>

namespace arch {

struct ThreadState {
  void* body = nullptr;  // core/sched keeps the pthread here
};

}  // namespace arch
