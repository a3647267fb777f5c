#include "core/interrupt/interrupt.h"

#include <arch/smp.h>

#include <array>

#include "../interrupt_line.h"
#include "base/format.h"
#include "base/ref.h"
#include "core/sched/scheduler.h"
#include "core/sync/per_cpu.h"

namespace core {

namespace {

constexpr unsigned first_free_number = 16;  // those below are the PC's traditional ones
constexpr unsigned thread_priority = 50;

constinit Mutex lines_mutex{"interrupt lines"};
// A line, once mapped, exists until it is unmapped, which happens only without actions and masked.
constinit std::array<std::atomic<InterruptLine*>, max_interrupts> lines{};

struct Counts {
  std::array<std::atomic<std::uint32_t>, max_interrupts> of{};
};
PER_CPU constinit PerCpu<Counts> counts;
PER_CPU constinit PerCpuCounter spurious;

InterruptLine* line_of(unsigned number) {
  // acquire: the line is complete when its address is visible.
  return number < max_interrupts ? lines[number].load(std::memory_order_acquire) : nullptr;
}

void action_thread(void* argument) {
  auto& action = *static_cast<InterruptAction*>(argument);
  for (;;) {
    // Interruptible: an idle handler is no load.
    (void)!action.wanted.wait(WaitMode::interruptible,
                              [&] { return action.pending.load() || action.stopping.load(); });
    if (action.stopping.load()) break;
    action.pending.store(false);
    action.line->finish(action, action.handler.thread(action.handler.context));
  }
  action.stopped.complete();
}

}  // namespace

void handle_interrupt(unsigned number) {
  InterruptLine* line = line_of(number);
  if (!line) {
    spurious.add();
    return;
  }
  // relaxed: a statistic.
  counts.local().of[number].fetch_add(1, std::memory_order_relaxed);
  line->handle();
}

// --- Registrations.

base::Result<InterruptRegistration> InterruptRegistration::request(unsigned number,
                                                                   const InterruptHandler& handler) {
  if (!handler.thread && !handler.quick) return base::error(base::Errno::einval);
  MutexGuard guard(lines_mutex);
  InterruptLine* line = line_of(number);
  if (!line) return base::error(base::Errno::einval);
  {
    SpinGuard<IrqSave> line_guard(line->lock);
    InterruptAction* first = line->actions.first();
    if (first && !(first->handler.shared && handler.shared)) return base::error(base::Errno::ebusy);
  }
  auto action = TRY(base::try_make_unique<InterruptAction>());
  action->handler = handler;
  action->line = line;
  if (handler.thread) {
    char text[Thread::name_capacity];
    base::TextBuffer name(text);
    base::format(name, "irq/{}-{}", number, handler.name);
    action->thread = TRY(Thread::create(name.view(), action_thread, action.get(),
                                        SchedulingParameters::fifo(thread_priority)));
    action->thread->start();
  }
  if (!line->has_actions()) {
    if (auto routed = line->set_affinity(line->affinity()); !routed) {
      InterruptRegistration unused;
      unused.action_ = action.release();
      // Not on the line yet: only its thread has to go.
      unused.stop_thread();
      return base::error(routed.error());
    }
  }
  line->add(*action);
  InterruptRegistration registration;
  registration.action_ = action.release();
  return registration;
}

void InterruptRegistration::stop_thread() {
  if (action_->thread) {
    action_->stopping.store(true);
    action_->wanted.wake_one();
    action_->stopped.wait();
  }
  delete std::exchange(action_, nullptr);
}

void InterruptRegistration::release() {
  if (!action_) return;
  {
    MutexGuard guard(lines_mutex);
    action_->line->remove(*action_);
  }
  stop_thread();
}

void InterruptRegistration::disable() {
  action_->line->disable();
  if (action_->thread && action_->thread == &Thread::current()) return;
  (void)!action_->calm.wait(WaitMode::uninterruptible, [&] { return !action_->busy.load(); });
}
void InterruptRegistration::enable() { action_->line->enable(); }
base::Result<void> InterruptRegistration::set_affinity(const CpuMask& mask) {
  return action_->line->set_affinity(mask);
}
unsigned InterruptRegistration::number() const { return action_->line->number; }

// --- Domains.

base::Result<unsigned> InterruptDomain::map(unsigned hardware_number, InterruptTrigger trigger,
                                            unsigned preferred) {
  MutexGuard guard(lines_mutex);
  unsigned free = max_interrupts;
  for (unsigned number = 0; number < max_interrupts; ++number) {
    InterruptLine* line = line_of(number);
    if (!line) {
      if (free == max_interrupts && number >= first_free_number) free = number;
      continue;
    }
    if (&line->controller != this || line->hardware_number != hardware_number) continue;
    if (line->trigger != trigger) return base::error(base::Errno::ebusy);
    return number;
  }
  if (preferred < max_interrupts && !line_of(preferred)) free = preferred;
  if (free == max_interrupts) return base::error(base::Errno::enospc);
  auto line = TRY(base::try_make_unique<InterruptLine>(*this, hardware_number, free, trigger));
  // release: see line_of.
  lines[free].store(line.release(), std::memory_order_release);
  return free;
}

void InterruptDomain::unmap(unsigned number) {
  MutexGuard guard(lines_mutex);
  InterruptLine* line = line_of(number);
  base::verify(line && &line->controller == this && !line->has_actions(), "unmap of an interrupt in use");
  lines[number].store(nullptr);
  // An interrupt that was on its way may still look at it, with interrupts off; every CPU that answers is
  // through. (Not RCU: an idle CPU counts as outside of readers also while it handles an interrupt.)
  arch::call_on_all_cpus([] {});
  delete line;
}

// --- Figures.

bool next_interrupt(unsigned from, InterruptInformation& information) {
  MutexGuard guard(lines_mutex);
  for (unsigned number = from; number < max_interrupts; ++number) {
    InterruptLine* line = line_of(number);
    if (!line || !line->has_actions()) continue;
    information = {};
    information.number = number;
    information.controller = line->controller.name();
    information.hardware_number = line->hardware_number;
    information.level_triggered = is_level(line->trigger);
    information.affinity = line->affinity();
    base::TextBuffer names({information.handlers, sizeof(information.handlers) - 1});
    SpinGuard<IrqSave> line_guard(line->lock);
    for (InterruptAction& action : line->actions) {
      if (!names.view().empty()) names.put(", ");
      names.put(action.handler.name);
    }
    return true;
  }
  return false;
}

std::uint64_t interrupt_count(unsigned number, unsigned cpu) {
  return number < max_interrupts && cpu < arch::cpu_count()
             ? counts.on(cpu).of[number].load(std::memory_order_relaxed)
             : 0;
}
std::uint64_t spurious_interrupts() { return static_cast<std::uint64_t>(spurious.sum()); }

base::Result<void> set_interrupt_affinity(unsigned number, const CpuMask& mask) {
  MutexGuard guard(lines_mutex);
  InterruptLine* line = line_of(number);
  if (!line) return base::error(base::Errno::einval);
  return line->set_affinity(mask);
}

}  // namespace core
