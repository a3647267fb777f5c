#include "linux_abi/signal_delivery.h"

#include <span>

#include "arch/linux_signal.h"
#include "linux_abi/core_dump.h"
#include "linux_abi/fault.h"
#include "linux_abi/lifecycle.h"
#include "linux_abi/relations.h"
#include "linux_abi/rseq.h"
#include "linux_abi/timers.h"
#include "linux_abi/tracing.h"

namespace linux_abi {

namespace {

// The error a restartable system call left in the result register; 0 when the call did not ask to be
// restarted.
long restart_request(const Context& context) {
  if (context.registers.system_call_number() < 0) return 0;
  long result = static_cast<long>(context.registers.result());
  return result <= -static_cast<long>(Errno::restart_always) &&
                 result >= -static_cast<long>(Errno::restart_block)
             ? -result
             : 0;
}

void restart(Context& context, long request) {
  if (request == static_cast<long>(Errno::restart_block))
    context.registers.set_system_call_number(number::restart_syscall);
  context.registers.restart_system_call();
}

void restart_before_handler(Context& context, const SigAction& action) {
  long request = restart_request(context);
  if (!request) return;
  bool again = request == static_cast<long>(Errno::restart_silently) ||
               (request == static_cast<long>(Errno::restart_always) && (action.flags & sa_restart));
  if (again)
    restart(context, request);
  else
    context.registers.set_result(static_cast<std::uint64_t>(-static_cast<long>(Errno::eintr)));
}

// --- Stopping

// Begins the stop of the whole process; every thread, we too, then joins in. With signal_lock.
void begin_group_stop(Task& current, int number) {
  Process& process = current.process();
  if (process.stop_state != Process::StopState::none) {
    // Its tracer let it go on while the others are stopped.
    if (current.stop_wanted || !is_traced(current)) return;
    process.stop_signal = number;
    current.stop_wanted = true;
    ++process.stopping_threads;
    return;
  }
  process.stop_signal = number;
  process.stop_state = Process::StopState::stopping;
  process.stopping_threads = 0;
  process.for_each_thread([&](Task& task) {
    task.stop_wanted = true;
    ++process.stopping_threads;
    notify_tracee_locked(task);
    update_interruption(task);
  });
}

// Stops this thread until SIGCONT or death.
void join_group_stop(Task& task) {
  if (is_traced(task)) return trace_wanted_stop(task);
  Process& process = task.process();
  bool report = false;
  {
    core::MutexGuard guard{process.signal_lock};
    if (!task.stop_wanted) return;
    task.stop_wanted = false;
    if (--process.stopping_threads == 0 && process.stop_state != Process::StopState::stopped) {
      process.stop_state = Process::StopState::stopped;
      process.stop_reported = false;
      process.continued = false;
      report = true;
    }
  }
  if (report) report_stop(process, si::child_stopped);
  core::MutexGuard guard{process.signal_lock};
  // Ends early only for a fatal signal, which the caller's loop finds.
  (void)!process.stop_queue.wait(guard, core::WaitMode::killable, [&] {
    return process.stop_state == Process::StopState::none || trace_stop_wanted(task);
  });
  update_interruption(task);
}

// Terminal stops do not work in orphaned groups: nobody would ever continue them.
bool may_stop(Process& process, int number) {
  if (number == signal::stop) return true;
  core::MutexGuard guard{process_tree_lock()};
  return process.group && !is_orphaned_group_locked(*process.group, nullptr);
}

// --- Handlers

bool is_on_alternate_stack(const Task& task, std::uintptr_t stack_pointer) {
  if (static_cast<std::uint32_t>(task.alternate_stack.flags) & ss_autodisarm) return false;
  return stack_pointer > task.alternate_stack.base &&
         stack_pointer - task.alternate_stack.base <= task.alternate_stack.size;
}

void run_handler(Context& context, const SigAction& action, const SigInfo& info) {
  Task& task = context.task;
  rseq_before_signal(task);
  bool stepping = is_stepping(task);
  if (stepping) suspend_step(task);

  arch::LinuxSignalRequest request;
  request.number = info.number;
  request.information = std::as_bytes(std::span(&info, 1));
  request.handler = action.handler;
  request.restorer = action.flags & sa_restorer ? action.restorer.address : 0;
  request.blocked = task.blocked.bits;
  if (task.work.fetch_and(~task_work::restore_mask) & task_work::restore_mask)
    request.blocked = task.saved_blocked.bits;
  std::uintptr_t stack = context.registers.stack_pointer();
  bool inside = is_on_alternate_stack(task, stack);
  request.alternate = {task.alternate_stack.base, task.alternate_stack.flags, task.alternate_stack.size};
  if (task.alternate_stack.size == 0) request.alternate.flags = ss_disable;
  request.stack = stack;
  request.on_alternate_stack = inside;
  if ((action.flags & sa_onstack) && task.alternate_stack.size && !inside) {
    request.stack = task.alternate_stack.base + task.alternate_stack.size;
    request.on_alternate_stack = true;
  }
  request.vdso = task.process().vdso_address;

  if (!arch::push_linux_signal_frame(context.registers, task.thread().arch_state, request)) {
    if (info.number == signal::segv) task.process().actions->reset(signal::segv);
    force_signal(task, SigInfo(signal::segv, si::kernel));
    return;
  }
  if (static_cast<std::uint32_t>(task.alternate_stack.flags) & ss_autodisarm)
    task.alternate_stack = SigAltStack{0, ss_disable, 0, 0};
  SignalSet blocked = task.blocked | action.mask;
  if (!(action.flags & sa_nodefer)) blocked.add(info.number);
  set_blocked(task, blocked);
  if (stepping) trace_handler_start(task);
}

// What to do with one pending signal, decided with the lock held.
struct Decision {
  enum class Kind {
    nothing,
    again,
    die,
    stop_here,
    trace_here,
    report,
    stop_group,
    handle
  } kind = Kind::nothing;
  int number = 0;
  SigInfo info;
  SigAction action;
};

Decision decide(Task& task) {
  Process& process = task.process();
  {
    core::MutexGuard guard{process.signal_lock};
    if (int code = std::exchange(process.report_code, 0)) return {Decision::Kind::report, code, {}, {}};
    if (process.group_exiting) return {Decision::Kind::die, process.group_exit_status, {}, {}};
    if (process.exec_task && process.exec_task != &task) return {Decision::Kind::die, signal::kill, {}, {}};
    if (task.stop_wanted) return {Decision::Kind::stop_here, 0, {}, {}};
    if (trace_stop_wanted(task)) return {Decision::Kind::trace_here, 0, {}, {}};
  }
  Decision decision;
  decision.number = dequeue_signal(task, task.blocked, decision.info);
  if (!decision.number) return decision;
  decision.kind = Decision::Kind::again;
  if (decision.number != signal::kill && is_traced(task)) {
    decision.number = trace_signal(task, decision.info);
    if (!decision.number) return decision;
  }
  int number = decision.number;
  if (number != signal::kill) {
    decision.action = process.actions->get(number);
    if (decision.action.handler == sig_ignore) return decision;
    if (decision.action.handler != sig_default) {
      if (decision.action.flags & sa_resethand) process.actions->reset(number);
      decision.kind = Decision::Kind::handle;
      return decision;
    }
    if (ignored_by_default.contains(number)) return decision;
    bool forced = synchronous_signals.contains(number) && decision.info.code > 0;
    if (process.is_init() && !forced) return decision;
    if (stop_signals.contains(number)) {
      if (may_stop(process, number)) decision.kind = Decision::Kind::stop_group;
      return decision;
    }
  }
  decision.kind = Decision::Kind::die;
  if (core_signals.contains(number)) {
    log_fatal_signal(task, decision.info);
    (void)dump_core(task, decision.info);
  }
  begin_group_exit(process, number);
  decision.number = process.group_exit_status;
  return decision;
}

// True when a handler was started.
bool deliver(Context& context, EnteredBy entered_by) {
  Task& task = context.task;
  for (;;) {
    Decision decision = decide(task);
    switch (decision.kind) {
      case Decision::Kind::nothing:
        return false;
      case Decision::Kind::again:
        break;
      case Decision::Kind::die:
        exit_task(task, decision.number);
      case Decision::Kind::report:
        report_stop(task.process(), decision.number);
        break;
      case Decision::Kind::stop_here:
        join_group_stop(task);
        break;
      case Decision::Kind::trace_here:
        trace_wanted_stop(task);
        break;
      case Decision::Kind::stop_group: {
        {
          core::MutexGuard guard{task.process().signal_lock};
          begin_group_stop(task, decision.number);
        }
        join_group_stop(task);
        break;
      }
      case Decision::Kind::handle:
        if (entered_by == EnteredBy::system_call) restart_before_handler(context, decision.action);
        run_handler(context, decision.action, decision.info);
        return true;
    }
  }
}

}  // namespace

void set_temporary_mask(Task& task, SignalSet mask) {
  task.saved_blocked = task.blocked;
  task.add_work(task_work::restore_mask);
  set_blocked(task, mask);
}

void restore_mask_now(Task& task) {
  if (task.work.fetch_and(~task_work::restore_mask) & task_work::restore_mask)
    set_blocked(task, task.saved_blocked);
}

void handle_user_work(Context& context, EnteredBy entered_by) {
  Task& task = context.task;
  for (;;) {
    std::uint32_t work = task.work.load(std::memory_order_acquire);
    if (work & task_work::timers) {
      task.work.fetch_and(~task_work::timers);
      expire_cpu_timers(task);
    }
    if (work & task_work::signal) {
      if (deliver(context, entered_by)) {
        entered_by = EnteredBy::other;
        continue;
      }
      core::MutexGuard guard{task.process().signal_lock};
      update_interruption(task);
    }
    if (entered_by == EnteredBy::system_call) {
      if (long request = restart_request(context)) restart(context, request);
      entered_by = EnteredBy::other;
    }
    if (work & task_work::restore_mask) {
      restore_mask_now(task);
      continue;
    }
    if (work & task_work::rseq) {
      task.work.fetch_and(~task_work::rseq);
      rseq_update(task);
    }
    if (!task.work.load(std::memory_order_acquire)) return;
  }
}

Result<long> return_from_signal(Context& context) {
  Task& task = context.task;
  auto frame = arch::pop_linux_signal_frame(context.registers, task.thread().arch_state);
  if (!frame) {
    force_signal(task, SigInfo(signal::segv, si::kernel));
    return 0;
  }
  // Whatever the result register now holds belongs to the interrupted code.
  context.registers.set_system_call_number(-1);
  set_blocked(task, SignalSet{frame->blocked});
  if (!is_on_alternate_stack(task, context.registers.stack_pointer()))
    task.alternate_stack = {frame->alternate.base, frame->alternate.flags & ~ss_onstack, 0,
                            frame->alternate.size};
  // The result register is part of what the frame restored.
  return static_cast<long>(context.registers.result());
}

}  // namespace linux_abi
