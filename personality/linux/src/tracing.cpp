// Who traces whom, and what the tracer's wait finds.
#include "linux_abi/tracing.h"

#include "linux_abi/access_control.h"
#include "linux_abi/relations.h"

namespace linux_abi {

namespace {

// SIGCHLD for the process of a tracer; true: it does not want to wait for what has ended.
bool tell_tracer_of_end(Task& tracer, Task& ended, int status) {
  Process& watcher = tracer.process();
  SigAction action = watcher.actions->get(signal::chld);
  if (action.handler != sig_ignore) {
    SigInfo info(signal::chld, status & 0x7f ? si::child_killed : si::child_exited);
    info.sender.pid = ended.id();
    info.sender.uid = ended.credentials().uid;
    info.sender.child.status = status & 0x7f ? status & 0x7f : status >> 8 & 0xff;
    (void)send_signal(watcher, info);
  }
  watcher.child_event.wake_all();
  return action.handler == sig_ignore || (action.flags & sa_nocldwait);
}

void link_locked(Tracing& tracer, Tracing& tracee, bool seized) {
  tracee.seized = seized;
  tracee.reported = tracee.listening = tracee.stop_wanted = tracee.notice_wanted = false;
  tracee.message = 0;
  tracee.tracer_may_everything = tracer.task.can(vfs::Capability::sys_ptrace);
  tracee.tracer.store(&tracer.task, std::memory_order_release);
  tracer.tracees.push_back(tracee);
  tracee.task.acquire_reference();  // the list's
}

// The tracee's half is over. With both locks; the list's reference goes to the caller.
void unlink_locked(Tracing& tracee) {
  Task& task = tracee.task;
  Process& process = task.process();
  Tracing::find(*tracee.tracer.load())->tracees.remove(tracee);
  tracee.tracer.store(nullptr, std::memory_order_release);
  tracee.seized = tracee.stop_wanted = tracee.notice_wanted = tracee.listening = false;
  tracee.resumed.wake_all();
  tracee.options = 0;
  tracee.resume = Tracing::Resume::run;
  if (tracee.ended) return;
  // In user mode the step is still on; its trap finds out that nobody is interested.
  if (tracee.stepping) tracee.stale_step = !tracee.stopped;
  tracee.stepping = false;
  if (process.stop_state != Process::StopState::none && !task.stop_wanted && !task.exiting) {
    // The rest of the process is stopped: so will it be.
    task.stop_wanted = true;
    ++process.stopping_threads;
  }
  if (std::exchange(tracee.stopped, false)) tracee.resumed.wake_all();
  update_call_path(task);
  update_interruption(task);
}

// Nobody has to wait for an ended tracee any more.
void finish_ended_locked(Tracing& tracee, const Task& former_tracer) REQUIRES(process_tree_lock()) {
  Task& task = tracee.task;
  Process& process = task.process();
  if (process.ended_leader != &task) return task.pid->detach();
  process.ended_leader = nullptr;
  if (process.state != Process::State::zombie || process.parent == &former_tracer.process()) return;
  if (process.parent && tell_parent_of_end_locked(process)) reap_locked(process);
}

void release_locked(Tracing& tracee) REQUIRES(process_tree_lock()) {
  Task& task = tracee.task;
  Task& tracer = *tracee.tracer.load();
  {
    core::MutexGuard guard{task.process().signal_lock};
    unlink_locked(tracee);
  }
  if (tracee.ended) finish_ended_locked(tracee, tracer);
  task.release_reference();
}

// The thread that a child takes for its parent: the one that made it, if it is still there.
RefPtr<Task> parent_thread_locked(Process& process) REQUIRES(process_tree_lock()) {
  if (!process.parent) return {};
  RefPtr<Task> creator = process.creator ? process.creator->task_reference() : RefPtr<Task>{};
  if (creator && &creator->process() == process.parent && !creator->exiting) return creator;
  if (auto leader = process.parent->leader()) return leader;
  return RefPtr<Task>(process.parent->first_thread());
}

WaitResult end_of(Task& task, int pid, int status) {
  WaitResult result;
  result.pid = pid;
  result.uid = task.credentials().uid;
  result.wait_status = status;
  result.code = status & 0x7f ? (status & 0x80 ? si::child_dumped : si::child_killed) : si::child_exited;
  result.status = status & 0x7f ? status & 0x7f : status >> 8 & 0xff;
  result.usage = task.process().dead_threads;
  return result;
}

std::optional<WaitResult> take_end_locked(Tracing& tracee, const WaitRequest& request)
    REQUIRES(process_tree_lock()) {
  Task& task = tracee.task;
  Process& process = task.process();
  if (!(request.options & wexited)) return std::nullopt;
  int status = process.group_exiting ? process.group_exit_status : task.exit_status;
  if (process.ended_leader == &task) {
    // Of a child of our own, wait finds the process itself.
    if (process.state != Process::State::zombie || process.parent == &tracee.tracer.load()->process())
      return std::nullopt;
    status = process.exit_status;
  }
  WaitResult result = end_of(task, task.id(), status);
  if (!(request.options & wnowait)) release_locked(tracee);
  return result;
}

std::optional<WaitResult> take_trace_stop(Tracing& tracee, const WaitRequest& request) {
  Task& task = tracee.task;
  WaitResult result;
  {
    core::MutexGuard guard{task.process().signal_lock};
    if (!tracee.stopped || tracee.reported || tracee.listening) return std::nullopt;
    if (!(request.options & wnowait)) tracee.reported = true;
    result.status = tracee.code;
  }
  result.pid = task.id();
  if (auto credentials = credentials_of(task)) result.uid = credentials->uid;
  result.code = si::child_trapped;
  result.wait_status = result.status << 8 | 0x7f;
  result.usage = task.process().usage();
  return result;
}

bool matches(const WaitRequest& request, Task& tracee) REQUIRES(process_tree_lock()) {
  switch (request.kind) {
    case WaitId::all:
      return true;
    case WaitId::pid:
    case WaitId::pidfd:
      return tracee.pid == request.pid;
    case WaitId::pgid:
      return request.pid && tracee.process().group == request.pid;
  }
  return false;
}

}  // namespace

Result<Tracing*> Tracing::of(Task& task) {
  if (Tracing* tracing = find(task)) return tracing;
  auto* made = new (std::nothrow) Tracing(task);
  if (!made) return error(Errno::enomem);
  Tracing* found = nullptr;
  if (task.tracing.compare_exchange_strong(found, made, std::memory_order_acq_rel)) return made;
  delete made;
  return found;
}

namespace {
// A stopped tracee comes out of its stop and into that for its tracer. Nobody is to see it between the two.
void wait_for_trap(Tracing& tracee, Task& tracer) {
  core::MutexGuard guard{tracee.task.process().signal_lock};
  (void)!tracee.resumed.wait(guard, core::WaitMode::killable, [&] {
    return !tracee.stop_wanted || tracee.ended || tracee.tracer.load() != &tracer;
  });
}
}  // namespace

Result<void> attach_tracer(Task& tracer, Task& tracee, bool seize, std::uint32_t options) {
  if (&tracer.process() == &tracee.process()) return error(Errno::eperm);
  TRY(may_inspect(tracer, tracee.process()));
  Tracing& own = *TRY(Tracing::of(tracer));
  Tracing& other = *TRY(Tracing::of(tracee));
  Process& process = tracee.process();
  bool was_stopped = false;
  core::MutexGuard tree{process_tree_lock()};
  {
    core::MutexGuard guard{process.signal_lock};
    if (tracee.exiting || other.ended || process.state != Process::State::running || is_traced(tracee))
      return error(Errno::eperm);
    link_locked(own, other, seize);
    other.options = options;
    if (process.stop_state == Process::StopState::stopped && !tracee.stop_wanted) {
      other.stop_wanted = was_stopped = true;
      process.stop_queue.wake_all();
    }
    update_interruption(tracee);
  }
  if (!seize) (void)send_signal(tracee, SigInfo(signal::stop, si::kernel));
  tree.unlock();
  if (was_stopped) wait_for_trap(other, tracer);
  return {};
}

Result<void> trace_me(Task& task) {
  Tracing& own = *TRY(Tracing::of(task));
  core::MutexGuard tree{process_tree_lock()};
  RefPtr<Task> parent = parent_thread_locked(task.process());
  if (!parent) return error(Errno::eperm);
  Tracing& tracer = *TRY(Tracing::of(*parent));
  core::MutexGuard guard{task.process().signal_lock};
  if (is_traced(task)) return error(Errno::eperm);
  link_locked(tracer, own, false);
  return {};
}

void detach_tracee(Tracing& tracee, int signal_to_deliver) {
  core::MutexGuard tree{process_tree_lock()};
  if (!tracee.tracer.load()) return;
  tracee.signal_to_deliver = signal_to_deliver;
  release_locked(tracee);
}

void inherit_tracer_locked(Task& child, Task& parent, std::uint64_t clone_flags, unsigned event) {
  Tracing *old = Tracing::find(parent), *made = Tracing::find(child);
  if (!old || !made || !old->tracer.load() || !(event || (clone_flags & clone_ptrace))) return;
  link_locked(*Tracing::find(*old->tracer.load()), *made, old->seized);
  made->options = old->options;
  made->tracer_may_everything = old->tracer_may_everything;
  if (old->seized)
    made->stop_wanted = true;
  else
    child.pending.mark(signal::stop);
  update_interruption(child);
}

bool end_tracing_locked(Task& task) {
  Tracing* tracing = Tracing::find(task);
  if (!tracing) return false;
  while (Tracing* tracee = tracing->tracees.first()) {
    bool kill = tracee->options & trace::option_exit_kill;
    RefPtr<Task> held(&tracee->task);
    release_locked(*tracee);
    if (kill) (void)send_signal(*held, SigInfo(signal::kill, si::kernel));
  }
  Task* tracer = tracing->tracer.load();
  if (!tracer) return false;
  Process& process = task.process();
  {
    core::MutexGuard guard{process.signal_lock};
    tracing->ended = true;
    tracing->resumed.wake_all();
  }
  if (task.is_leader()) {
    process.ended_leader = &task;
    return false;
  }
  int status = process.group_exiting ? process.group_exit_status : task.exit_status;
  if (!tell_tracer_of_end(*tracer, task, status)) return true;
  core::MutexGuard guard{process.signal_lock};
  unlink_locked(*tracing);
  task.release_reference();  // not the last one: the running thread has its own
  return false;
}

bool waits_for_tracer_locked(Process& ended) {
  Task* leader = ended.ended_leader;
  Tracing* tracing = leader ? Tracing::find(*leader) : nullptr;
  Task* tracer = tracing ? tracing->tracer.load() : nullptr;
  return tracer && &tracer->process() != ended.parent;
}

bool tell_tracer_first_locked(Process& ended) {
  if (!waits_for_tracer_locked(ended)) return false;
  Tracing& tracing = *Tracing::find(*ended.ended_leader);
  if (tell_tracer_of_end(*tracing.tracer.load(), tracing.task, ended.exit_status)) {
    // It does not want to know: the parent's turn.
    {
      core::MutexGuard guard{ended.signal_lock};
      unlink_locked(tracing);
    }
    ended.ended_leader = nullptr;
    tracing.task.release_reference();
    return false;
  }
  return true;
}

void forget_ended_leader_locked(Process& process) {
  Task* leader = std::exchange(process.ended_leader, nullptr);
  if (!leader) return;
  {
    core::MutexGuard guard{process.signal_lock};
    unlink_locked(*Tracing::find(*leader));
  }
  leader->release_reference();
}

std::optional<WaitResult> wait_for_tracee_locked(Task& tracer, const WaitRequest& request, bool& any) {
  Tracing* own = Tracing::find(tracer);
  if (!own) return std::nullopt;
  for (Tracing& tracee : own->tracees) {
    if (!matches(request, tracee.task)) continue;
    any = true;
    auto found = tracee.ended ? take_end_locked(tracee, request) : take_trace_stop(tracee, request);
    if (found) return found;
  }
  return std::nullopt;
}

bool is_traced_by_locked(Process& child, Process& process) {
  bool traced = false;
  core::MutexGuard guard{child.signal_lock};
  child.for_each_thread([&](Task& task) {
    Tracing* tracing = Tracing::find(task);
    Task* tracer = tracing ? tracing->tracer.load() : nullptr;
    traced |= tracer && &tracer->process() == &process;
  });
  return traced;
}

int tracer_id(Task& task) {
  core::MutexGuard tree{process_tree_lock()};
  Tracing* tracing = Tracing::find(task);
  Task* tracer = tracing ? tracing->tracer.load() : nullptr;
  return tracer ? tracer->id() : 0;
}

Result<TraceHold> TraceHold::take(Task& tracer, Task& tracee) {
  core::MutexGuard tree{process_tree_lock()};
  Tracing* tracing = Tracing::find(tracee);
  if (!tracing || tracing->tracer.load() != &tracer || tracing->ended) return error(Errno::esrch);
  core::MutexGuard guard{tracee.process().signal_lock};
  if (!tracing->stopped || tracing->listening) return error(Errno::esrch);
  ++tracing->holders;
  return TraceHold(*tracing);
}

TraceHold::~TraceHold() {
  if (!tracing_) return;
  core::MutexGuard guard{tracing_->task.process().signal_lock};
  if (--tracing_->holders == 0) tracing_->resumed.wake_all();
}

}  // namespace linux_abi
