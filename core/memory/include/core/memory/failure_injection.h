// Allocations that fail on purpose, to test that callers cope.
//
// Command line: failslab=INTERVAL,PROBABILITY,SPACE,TIMES as in Linux (INTERVAL and TIMES are used), or at
// run time through configure_failure_injection() (a debug file of the personality). Every interval-th
// eligible slab allocation, and every interval-th user-page allocation if asked for, gives null. Eligible are
// allocations of threads that opted in (a per-thread flag, as /proc/PID/make-it-fail) unless `all_threads` is
// set. AllocationFlags::no_injection exempts.
#pragma once

#include <cstdint>

namespace core {

struct FailureInjection {
  std::uint32_t interval = 0;  // 0 = off
  std::uint32_t times = 0;     // how often in all; 0xffffffff = without end
  bool all_threads = false;
  bool pages = false;  // also allocate_pages()
};
void configure_failure_injection(const FailureInjection& configuration);
FailureInjection failure_injection();

// Installed by the scheduler's or personality's side: whether the current thread opted in. Default: nobody.
void set_failure_injection_filter(bool (*current_thread_opted_in)());

// How many allocations were failed so far.
std::uint64_t injected_failures();

}  // namespace core
