// Notices CPUs that no longer switch threads although somebody waits there: a loop with preemption or
// interrupts off, a reschedule that got lost. Says so in the log, with what the CPU runs, who waits, and a
// back trace of it.
//
// Each CPU looks at the next one every few seconds from a timer interrupt, so that one which has interrupts
// off is noticed too. Urgent threads may keep others waiting for as long as they like; that is not a finding.
#pragma once

#include <cstdint>

namespace core {

struct WatchdogView {
  static constexpr unsigned patience = 3;  // looks at the same standstill before it is reported
  std::uint64_t passes = 0;                // of the CPU through the scheduler
  unsigned looks = 0;                      // that have found it there
};

// One look at a CPU. True, and reported, when it is time to complain: once for each standstill. Any context.
bool watchdog_look(unsigned cpu, WatchdogView& view);

void start_watchdog();

}  // namespace core
