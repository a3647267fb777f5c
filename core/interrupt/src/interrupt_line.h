// One interrupt line and the handlers on it.
//
// Life of an interrupt:
//
//   hard part (handle_interrupt, interrupts off)          thread of each handler (FIFO 50)
//   acknowledge; ask the quick functions;                 run the handler; when it was the last busy one:
//   mark the handlers busy, wake their threads;           unmask a level-triggered line
//   mask a level-triggered line
//
// Locking: `lock` (raw) protects the line and the flags of its actions; the table of lines and the list of
// actions change only under the module's mutex as well, so that reading them in thread context needs just
// that.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/intrusive_list.h"
#include "core/interrupt/interrupt.h"
#include "core/interrupt/interrupt_domain.h"
#include "core/sched/thread.h"
#include "core/sync/completion.h"
#include "core/sync/mutex.h"
#include "core/sync/spin_lock.h"
#include "core/sync/wait_queue.h"

namespace core {

struct InterruptAction {
  InterruptHandler handler;
  InterruptLine* line = nullptr;
  base::RefPtr<Thread> thread;
  WaitQueue wanted{"interrupt thread"};
  WaitQueue calm{"interrupt calm"};  // disable() waits here
  Completion stopped;
  base::ListHook hook;
  std::atomic<bool> pending{false};  // run the handler (again); set with the line masked, if it is a level
  bool called{false};                // this interrupt is for it; protected by line->lock
  std::atomic<bool> stopping{false};
  std::atomic<bool> busy{false};  // counted in line->busy; changes under line->lock
};

class InterruptLine {
 public:
  InterruptLine(InterruptDomain& domain, unsigned hardware, unsigned line_number,
                InterruptTrigger line_trigger)
      : controller(domain), hardware_number(hardware), number(line_number), trigger(line_trigger) {}

  void handle();
  // The handler's thread is through; `outcome` is what it said.
  void finish(InterruptAction& action, InterruptOutcome outcome);
  void add(InterruptAction& action);
  // The action gets no further interrupts.
  void remove(InterruptAction& action);
  void disable();
  void enable();
  base::Result<void> set_affinity(const CpuMask& mask);
  CpuMask affinity();
  bool has_actions();

  InterruptDomain& controller;
  const unsigned hardware_number;
  const unsigned number;
  const InterruptTrigger trigger;

  SpinLock lock{"interrupt line"};
  base::IntrusiveList<InterruptAction, &InterruptAction::hook> actions GUARDED_BY(lock);

 private:
  void update_mask_locked() REQUIRES(lock);
  void note_outcome_locked(bool was_claimed) REQUIRES(lock);

  CpuMask affinity_ GUARDED_BY(lock) = CpuMask::single(0);
  unsigned disabled_ GUARDED_BY(lock) = 0;
  unsigned busy_ GUARDED_BY(lock) = 0;
  bool masked_ GUARDED_BY(lock) = true;
  bool given_up_ GUARDED_BY(lock) = false;  // nobody claimed it, again and again
  std::uint32_t recent_ GUARDED_BY(lock) = 0, unclaimed_ GUARDED_BY(lock) = 0;
};

}  // namespace core
