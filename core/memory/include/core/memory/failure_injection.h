// Allocations that fail on purpose, to test that callers cope.
//
// Command line: failslab=INTERVAL,PROBABILITY,SPACE,TIMES as in Linux (INTERVAL and TIMES are used), or at
// run time through configure_failure_injection() (debugfs: failslab, fail_page_alloc). Every interval-th
// eligible slab allocation, and every interval-th user-page allocation if asked for, gives null. Eligible are
// allocations of threads that opted in (/proc/PID/make-it-fail) unless `all_threads` is set. Besides, one
// allocation of a thread can be chosen by its number (/proc/PID/fail-nth).
// AllocationFlags::no_injection exempts.
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

// What the current thread says to an allocation of its own.
enum class FailureChoice {
  exempt,
  eligible,   // opted in: counts for the interval
  fails_now,  // this very one, whatever the interval
};
// Installed by the personality; called in any context, and counts. Default: everything is exempt.
void set_failure_injection_filter(FailureChoice (*choice_of_current_thread)());
// Somebody wants single allocations to fail: the filter is asked from now on.
void enable_chosen_failures();

// How many allocations were failed so far.
std::uint64_t injected_failures();

}  // namespace core
