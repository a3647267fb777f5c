// Where tracees stop, and how they go on. Everything here but resume_tracee() runs in the tracee's own
// context.
#include "arch/linux_trace.h"

#include "linux_abi/relations.h"
#include "linux_abi/tracing.h"

namespace linux_abi {

namespace {

struct Stop {
  int code = 0;                    // wait status without its low byte
  int reason = si::child_trapped;  // of the SIGCHLD for the tracer
  const SigInfo* information = nullptr;
  std::uint64_t message = 0;
  trace::CallInformation::Operation call_stop = trace::CallInformation::none;
  bool event_stop = false;      // PTRACE_EVENT_STOP
  bool even_if_killed = false;  // on the way out
  int group_signal = any_group_signal;
  static constexpr int any_group_signal = -1;  // else: what the stop of the process must still be about, or 0
};

// What the process stopped or stops for, or 0. With signal_lock.
int group_signal(const Process& process) {
  return process.stop_state == Process::StopState::none ? 0 : process.stop_signal;
}

arch::TracedThread traced_thread(Task& task) { return {task.registers, task.thread().arch_state}; }

void tell_tracer(Task& task, Task& tracer, const Stop& request) {
  Process& watcher = tracer.process();
  SigAction action = watcher.actions->get(signal::chld);
  if (action.handler != sig_ignore && !(action.flags & sa_nocldstop)) {
    SigInfo info(signal::chld, request.reason);
    info.sender.pid = task.id();
    info.sender.uid = task.credentials().uid;
    info.sender.child.status = request.code & 0x7f;
    (void)send_signal(watcher, info);
  }
  watcher.child_event.wake_all();
}

bool is_killed(const Process& process, const Task& task) {
  return process.group_exiting || (process.exec_task && process.exec_task != &task) ||
         task.pending.contains(signal::kill) || process.shared_pending.contains(signal::kill);
}

// Takes its part in a stop of the whole process. True: it was the last one to stop.
bool join_group(Process& process, Task& task) {
  if (!std::exchange(task.stop_wanted, false)) return false;
  if (--process.stopping_threads || process.stop_state == Process::StopState::stopped) return false;
  process.stop_state = Process::StopState::stopped;
  process.stop_reported = false;
  process.continued = false;
  return true;
}

// With signal_lock.
void begin_stop(Tracing& tracing, const Stop& request) {
  Task& task = tracing.task;
  tracing.stopped = true;
  tracing.reported = false;
  tracing.code = request.code;
  tracing.message = request.message;
  tracing.signal_to_deliver = 0;
  tracing.call_stop = request.call_stop;
  tracing.has_information = request.information;
  if (request.information) tracing.information = *request.information;
  if (std::exchange(tracing.stop_wanted, false)) tracing.resumed.wake_all();  // see wait_for_trap()
  if (request.event_stop) tracing.notice_wanted = false;
  if (std::exchange(tracing.stepping, false)) arch::set_linux_single_step(traced_thread(task), false);
  tracing.resume = Tracing::Resume::run;
  update_call_path(task);
  // What ends the thread anyway must not end this stop; another SIGKILL does.
  if (request.even_if_killed) task.thread().set_interrupted(core::InterruptLevel::none);
}

// False: there is nobody to stop for, or no time.
bool enter_stop(Task& task, Tracing& tracing, const Stop& request) {
  Process& process = task.process();
  core::MutexGuard tree{process_tree_lock()};
  bool all_stopped = false;
  Task* tracer = nullptr;
  {
    core::MutexGuard guard{process.signal_lock};
    tracer = tracing.tracer.load();
    if (!tracer || (is_killed(process, task) && !request.even_if_killed)) return false;
    // Continued or stopped since: what the tracer would hear is out of date, and nothing would tell it so.
    if (request.group_signal != Stop::any_group_signal && request.group_signal != group_signal(process))
      return false;
    if (request.reason == si::child_stopped) all_stopped = join_group(process, task);
    begin_stop(tracing, request);
  }
  tell_tracer(task, *tracer, request);
  if (all_stopped && process.parent != &tracer->process()) report_stop_locked(process, si::child_stopped);
  return true;
}

// Returns what the tracer wants delivered; `information` is changed to what the tracer made of it.
int stop(Task& task, const Stop& request, SigInfo* information = nullptr) {
  Tracing* tracing = Tracing::find(task);
  if (!tracing || !tracing->tracer.load(std::memory_order_relaxed)) return 0;
  Process& process = task.process();
  arch::freeze_user_state(task.thread().arch_state);
  int number = 0;
  if (enter_stop(task, *tracing, request)) {
    core::MutexGuard guard{process.signal_lock};
    (void)!tracing->resumed.wait(guard, core::WaitMode::killable, [&] { return !tracing->stopped; });
    // Killed: the tracer may be at work on our registers.
    if (std::exchange(tracing->stopped, false)) tracing->signal_to_deliver = 0;
    tracing->listening = false;
    (void)!tracing->resumed.wait(guard, core::WaitMode::uninterruptible,
                                 [&] { return tracing->holders == 0; });
    number = tracing->signal_to_deliver;
    if (information) *information = tracing->information;
    tracing->has_information = false;
    tracing->call_stop = trace::CallInformation::none;
    if (!request.even_if_killed) update_interruption(task);
  }
  arch::thaw_user_state(task.thread().arch_state);
  return number;
}

SigInfo own_information(Task& task, int number, int code) {
  SigInfo info(number, code);
  info.sender.pid = task.id();
  info.sender.uid = task.credentials().uid;
  return info;
}

void stop_at_call(Task& task, std::uint64_t message, trace::CallInformation::Operation call_stop) {
  Tracing& tracing = *Tracing::find(task);
  int code = signal::trap | (tracing.options & trace::option_good_calls ? 0x80 : 0);
  SigInfo info = own_information(task, signal::trap, code);
  int number = stop(task, {.code = code, .information = &info, .message = message, .call_stop = call_stop});
  if (number) (void)send_signal(task, SigInfo(number, si::kernel));
}

}  // namespace

int trace_signal(Task& task, SigInfo& information) {
  int former = information.number;
  int number = stop(task, {.code = former, .information = &information}, &information);
  if (!number) return 0;
  if (number != former) {
    information = SigInfo(number, si::user);
    information.sender.pid = tracer_id(task);
    information.sender.uid = task.credentials().uid;
  } else {
    information.number = number;
  }
  if (!task.blocked.contains(number)) return number;
  (void)send_signal(task, information);
  return 0;
}

// Without a stop when the group's stop changes meanwhile: what was wanted still is, and the caller looks
// again.
void trace_wanted_stop(Task& task) {
  Tracing& tracing = *Tracing::find(task);
  Process& process = task.process();
  int number;
  {
    core::MutexGuard guard{process.signal_lock};
    number = group_signal(process);
    if (!tracing.seized && !number) {
      // Attached to while the process was stopped, which it is no more.
      tracing.stop_wanted = false;
      tracing.resumed.wake_all();
      return update_interruption(task);
    }
  }
  if (!tracing.seized) {
    (void)stop(task, {.code = number, .reason = si::child_stopped, .group_signal = number});
    return;
  }
  int group = number;
  if (!number) number = signal::trap;
  int code = number | static_cast<int>(trace::event_stop << 8);
  SigInfo info = own_information(task, number, code);
  (void)stop(task, {.code = code,
                    .reason = si::child_stopped,
                    .information = &info,
                    .event_stop = true,
                    .group_signal = group});
}

void trace_event(Task& task, unsigned event, std::uint64_t message) {
  int code = signal::trap | static_cast<int>(event << 8);
  SigInfo info = own_information(task, signal::trap, code);
  (void)stop(task, {.code = code,
                    .information = &info,
                    .message = message,
                    .call_stop = event == trace::event_seccomp ? trace::CallInformation::seccomp
                                                               : trace::CallInformation::none,
                    .even_if_killed = event == trace::event_exit});
}

bool trace_call_entry(Task& task) {
  Tracing* tracing = Tracing::find(task);
  if (!tracing || tracing->resume == Tracing::Resume::run) return true;
  bool emulated = tracing->resume == Tracing::Resume::emulate;
  stop_at_call(task, trace::message_call_entry, trace::CallInformation::entry);
  return !emulated && !task.thread().interrupted(core::WaitMode::killable);
}

void trace_call_exit(Task& task) {
  Tracing* tracing = Tracing::find(task);
  if (!tracing) return;
  if (tracing->stepping && tracing->resume != Tracing::Resume::emulate) {
    SigInfo info(signal::trap, si::trap_breakpoint);
    info.fault.address = task.registers.program_counter();
    force_signal(task, info);
  } else if (tracing->resume == Tracing::Resume::to_call) {
    stop_at_call(task, trace::message_call_exit, trace::CallInformation::exit);
  }
}

bool is_stepping(const Task& task) {
  Tracing* tracing = Tracing::find(task);
  return tracing && tracing->stepping;
}

bool take_stale_step(Task& task) {
  Tracing* tracing = Tracing::find(task);
  if (!tracing || !std::exchange(tracing->stale_step, false)) return false;
  arch::set_linux_single_step(traced_thread(task), false);
  return true;
}

void suspend_step(Task& task) { arch::set_linux_single_step(traced_thread(task), false); }

void trace_handler_start(Task& task) {
  SigInfo info = own_information(task, signal::trap, signal::trap);
  (void)stop(task, {.code = signal::trap, .information = &info});
}

bool trace_wants(const Task& task, unsigned event) {
  Tracing* tracing = Tracing::find(task);
  return tracing && (tracing->options & 1u << event);
}

unsigned trace_clone_event(Task& parent, std::uint64_t clone_flags, int exit_signal) {
  Tracing* tracing = Tracing::find(parent);
  if (!tracing || (clone_flags & clone_untraced)) return 0;
  unsigned event = clone_flags & clone_vfork     ? trace::event_vfork
                   : exit_signal != signal::chld ? trace::event_clone
                                                 : trace::event_fork;
  return tracing->options & 1u << event ? event : 0;
}

void trace_exec(Task& task, int former_id) {
  Tracing* tracing = Tracing::find(task);
  if (!tracing || !tracing->tracer.load(std::memory_order_relaxed)) return;
  if (tracing->options & 1u << trace::event_exec)
    trace_event(task, trace::event_exec, static_cast<std::uint64_t>(former_id));
  else if (!tracing->seized)
    (void)send_signal(task, own_information(task, signal::trap, si::user));
}

void trace_exit(Task& task, int status) {
  if (trace_wants(task, trace::event_exit))
    trace_event(task, trace::event_exit, static_cast<std::uint64_t>(status));
}

void notify_tracee_locked(Task& task) {
  Tracing* tracing = Tracing::find(task);
  if (!tracing || !tracing->tracer.load(std::memory_order_relaxed) || !tracing->seized) return;
  tracing->notice_wanted = true;
  if (std::exchange(tracing->listening, false)) {
    tracing->stopped = false;
    tracing->signal_to_deliver = 0;
    tracing->resumed.wake_all();
  }
  update_interruption(task);
}

void wake_ended_tracees_locked(Process& process) {
  process.for_each_thread([](Task& task) {
    Tracing* tracing = Tracing::find(task);
    if (tracing && tracing->stopped) task.thread().set_interrupted(core::InterruptLevel::kill);
  });
}

void update_call_path(Task& task) {
  Tracing* tracing = Tracing::find(task);
  bool traced = tracing && (tracing->resume != Tracing::Resume::run || tracing->stepping);
  bool limited = tracing && tracing->seccomp_mode.load(std::memory_order_relaxed) != seccomp::Mode::off;
  // relaxed: a tracee reads it after it was resumed, which orders the two.
  task.plain_calls.store(traced || limited ? 0 : plain_calls_all, std::memory_order_relaxed);
}

Result<void> resume_tracee(TraceHold hold, Tracing::Resume how, bool step, int signal_to_deliver) {
  if (signal_to_deliver < 0 || signal_to_deliver > signal_count) return error(Errno::eio);
  if (step && !arch::linux_has_single_step()) return error(Errno::eio);
  Tracing& tracing = hold.tracing();
  Task& task = tracing.task;
  core::MutexGuard guard{task.process().signal_lock};
  if (!tracing.stopped) return error(Errno::esrch);
  tracing.resume = how;
  tracing.stepping = step;
  if (step) arch::set_linux_single_step(traced_thread(task), true);
  tracing.signal_to_deliver = signal_to_deliver;
  update_call_path(task);
  tracing.stopped = false;
  tracing.resumed.wake_all();
  return {};
}

}  // namespace linux_abi
