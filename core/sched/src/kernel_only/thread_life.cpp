// Threads begin and end.
#include <arch/time.h>

#include "../entity_setup.h"
#include "../run_queue.h"
#include "../thread_access.h"
#include "core/memory/address_space.h"
#include "core/memory/kernel_map.h"
#include "core/sched/scheduler.h"
#include "core/time/clock.h"

namespace core {

void release_deadline_bandwidth(Thread& thread);

namespace {

constinit std::atomic<std::uint64_t> started_count{0};

void enter_thread(void* argument) {
  auto& thread = *static_cast<Thread*>(argument);
  ThreadAccess::entry(thread)(ThreadAccess::argument(thread));
  Thread::exit();
}

// The running code of a CPU that was never created by create(): its idle thread.
Thread& construct_idle_thread(RunQueue& rq, unsigned cpu) {
  Thread& thread = *ThreadAccess::construct_at(rq.idle_storage);
  thread.set_name("idle");
  ThreadAccess::started(thread) = true;
  ThreadAccess::cpu(thread).store(cpu);
  ThreadAccess::on_cpu(thread).store(true);
  ThreadAccess::queue_state(thread).store(ThreadAccess::QueueState::queued);
  rq.cpu = cpu;
  rq.idle = rq.running = &thread;
  return thread;
}

}  // namespace

base::Result<base::RefPtr<Thread>> Thread::create(std::string_view name, Entry entry, void* argument,
                                                  const SchedulingParameters& parameters) {
  TRY(parameters.validate());
  Thread* allocated = ThreadAccess::allocate();
  if (!allocated) return base::error(base::Errno::enomem);
  auto thread = base::RefPtr<Thread>::adopt(allocated);
  thread->stack_bottom_ = TRY(allocate_kernel_stack());
  thread->stack_size_ = kernel_stack_size;
  auto* top = static_cast<std::byte*>(thread->stack_bottom_) + kernel_stack_size;
  TRY(arch::initialize(thread->arch_state, top, enter_thread, allocated));
  thread->set_name(name);
  thread->entry_ = entry;
  thread->argument_ = argument;
  thread->start_time_ns_ = monotonic_ns();
  {
    SpinGuard<PreemptOff> guard(thread->parameters_lock_);
    thread->parameters_ = SchedulingParameters{};
    // Nobody else knows the thread yet.
    thread->cpu_.store(current().last_cpu(), std::memory_order_relaxed);
  }
  configure_entity(thread->entity_, SchedulingParameters{}, Urgency::fair(0));
  if (parameters.policy != Policy::other || parameters.nice != 0 || parameters.runtime_ns ||
      parameters.reset_on_fork)
    TRY(thread->set_parameters(parameters));
  return thread;
}

void Thread::start() {
  acquire_reference();  // its own, until it has ended
  // relaxed: a statistic.
  started_count.fetch_add(1, std::memory_order_relaxed);
  IrqSave interrupts_off;
  started_ = true;
  queue_state_.store(QueueState::moving, std::memory_order_relaxed);
  cpu_.store(arch::cpu_index(), std::memory_order_relaxed);
  place_moving_thread(*this, ClassQueues::Reason::woken);
}

void Thread::exit() {
  Thread& self = current();
  lockdep_verify_nothing_held("the end of a thread");
  base::debug_verify(self.rcu.nesting == 0, "a thread ends inside an RCU reader");
  self.set_address_space(nullptr);
  release_deadline_bandwidth(self);
  arch::disable_interrupts();
  self.dead_.store(true);
  schedule(Leave::exiting);
  base::unreachable("a dead thread runs");
}

void Thread::last_reference_dropped() {
  rcu_retire(rcu_head_, [](RcuHead& head) {
    Thread& thread = ThreadAccess::of_rcu_head(head);
    arch::destroy(thread.arch_state);
    if (thread.stack_bottom()) free_kernel_stack(thread.stack_bottom());
    ThreadAccess::free(&thread);
  });
}

void Thread::set_address_space(base::RefPtr<AddressSpace> space) {
  base::debug_verify(this == &current() || !started_, "only a thread itself changes its address space");
  AddressSpace* next = space.leak();
  AddressSpace* previous = nullptr;
  {
    arch::InterruptsOff off;
    previous = address_space;
    address_space = next;
    if (this == &current() && next != previous) switch_address_space(next);
  }
  base::RefPtr<AddressSpace>::adopt(previous);
}

std::uint64_t threads_started() { return started_count.load(std::memory_order_relaxed); }

// --- CPUs.

void adopt_boot_thread() {
  RunQueue& rq = this_run_queue();
  Thread& thread = construct_idle_thread(rq, 0);
  arch::set_current_thread(&thread);
  arch::set_boot_thread_state(thread.arch_state);
}

void initialize_scheduler() {
  this_run_queue().switched_at_ns.store(arch::nanoseconds());
  mark_cpu_online(0);
}

base::Result<void*> prepare_cpu(unsigned cpu) {
  void* stack = TRY(allocate_kernel_stack());
  Thread& thread = construct_idle_thread(run_queues.on(cpu), cpu);
  ThreadAccess::stack_bottom(thread) = stack;
  ThreadAccess::stack_size(thread) = kernel_stack_size;
  return static_cast<std::byte*>(stack) + kernel_stack_size;
}

}  // namespace core
