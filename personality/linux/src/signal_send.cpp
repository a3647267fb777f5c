// Sending signals: who is allowed to, what is dropped, which thread takes it, who has to wake up.
#include <arch/context.h>
#include <arch/smp.h>

#include "core/sync/blocking.h"
#include "linux_abi/process.h"
#include "linux_abi/signal_state.h"
#include "linux_abi/task.h"
#include "linux_abi/timers.h"
#include "linux_abi/tracing.h"
#include "linux_abi/user_account.h"
#include "vfs/poll.h"

namespace linux_abi {

using base::Errno;
using base::error;

namespace {

bool is_killed(const Process& process, const Task& task) {
  return process.group_exiting || (process.exec_task && process.exec_task != &task);
}

// Linux's rule: what is blocked is never dropped, since the handler may be another when it is unblocked.
bool is_dropped(Process& process, const Task* target, int number, bool from_kernel) {
  if (target && ((target->blocked | target->real_blocked).contains(number))) return false;
  // A tracer may want to know of what its tracee ignores.
  if (target && number != signal::kill && is_traced(*target)) return false;
  std::uint64_t handler = process.actions->handler(number);
  // Nothing but a handler of its own reaches /init; the kernel may still kill it (then the kernel panics).
  if (process.is_init() && handler == sig_default && !(from_kernel && unblockable_signals.contains(number)))
    return true;
  return SignalActions::is_ignored(number, handler);
}

// SIGCONT takes back stops and the other way round, whether or not the signal itself is then dropped.
void apply_stop_and_continue(Process& process, int number) {
  if (stop_signals.contains(number)) {
    SignalSet cont = SignalSet::of(signal::cont);
    process.shared_pending.discard(cont);
    process.for_each_thread([&](Task& task) { task.pending.discard(cont); });
  } else if (number == signal::cont) {
    process.shared_pending.discard(stop_signals);
    process.for_each_thread([&](Task& task) {
      task.pending.discard(stop_signals);
      task.stop_wanted = false;
      notify_tracee_locked(task);
    });
    if (process.stop_state == Process::StopState::none) return;
    process.report_code =
        process.stop_state == Process::StopState::stopped ? si::child_continued : si::child_stopped;
    process.continued = process.stop_state == Process::StopState::stopped;
    process.stop_state = Process::StopState::none;
    process.stopping_threads = 0;
    // Somebody has to come back and tell the parent.
    if (Task* task = process.first_thread()) task->add_work(task_work::signal);
    process.stop_queue.wake_all();
  }
}

bool wants(const Process& process, const Task& task, int number) {
  if (task.exiting || task.blocked.contains(number)) return false;
  return number == signal::kill || !is_killed(process, task);
}

Task* choose_thread(Process& process, Task* preferred, Task* only, int number) {
  if (only) return wants(process, *only, number) ? only : nullptr;
  if (preferred && wants(process, *preferred, number)) return preferred;
  Task* busy = nullptr;
  for (TaskLinks& links : process.threads) {
    Task& task = static_cast<Task&>(links);
    if (!wants(process, task, number)) continue;
    if (!(task.work.load(std::memory_order_relaxed) & task_work::signal)) return &task;
    if (!busy) busy = &task;
  }
  return busy;
}

bool ends_process(Process& process, const Task& taker, int number) {
  if (core_signals.contains(number) || taker.real_blocked.contains(number)) return false;
  if (stop_signals.contains(number) || ignored_by_default.contains(number)) return false;
  return number == signal::kill || (process.actions->handler(number) == sig_default && !is_traced(taker));
}

// The signal is in a queue: gets a thread to take it.
void complete_signal(Process& process, Task* only, int number) {
  RefPtr<Task> leader = only ? RefPtr<Task>{} : process.leader();
  Task* taker = choose_thread(process, leader.get(), only, number);
  if (!taker) return;
  if (!process.group_exiting && ends_process(process, *taker, number) && !process.is_init()) {
    // Ends the process at once, so that no thread starts anything more.
    process.group_exiting = true;
    process.group_exit_status = number;
    kill_threads_locked(process);
    return;
  }
  update_interruption(*taker);
}

bool counts_beyond_limit(const SigInfo& info) { return info.number < signal::rt_min && info.code >= 0; }

Result<QueuedSignal*> allocate_entry(Process& process, Task* thread, const SigInfo& info) {
  Task* holder = thread ? thread : process.first_thread();
  UserAccount* account = holder ? holder->account.get() : nullptr;
  std::uint64_t limit = process.limit_current(Resource::sigpending);
  if (account) {
    // relaxed: a limit, not an order.
    std::int64_t before = account->pending_signals.fetch_add(1, std::memory_order_relaxed);
    if (static_cast<std::uint64_t>(before) >= limit && !counts_beyond_limit(info)) {
      account->pending_signals.fetch_sub(1, std::memory_order_relaxed);
      return error(Errno::eagain);
    }
  }
  auto* entry = new (std::nothrow) QueuedSignal;
  if (!entry) {
    if (account) account->pending_signals.fetch_sub(1, std::memory_order_relaxed);
    return error(Errno::eagain);
  }
  if (account) account->acquire_reference();
  entry->account = account;
  entry->info = info;
  return entry;
}

Result<void> send_locked(Process& process, Task* thread, const SigInfo& info) {
  int number = info.number;
  if (process.group_exiting && number == signal::kill) {
    wake_ended_tracees_locked(process);
    if (process.dumper) process.dumper->thread().set_interrupted(core::InterruptLevel::kill);
  }
  if (process.group_exiting || process.state == Process::State::dead) return {};
  if (thread && thread->exiting) return {};
  apply_stop_and_continue(process, number);
  RefPtr<Task> leader = process.leader();
  bool from_kernel = info.code == si::kernel;
  if (is_dropped(process, thread ? thread : leader.get(), number, from_kernel)) return {};

  PendingSignals& pending = thread ? thread->pending : process.shared_pending;
  if (number < signal::rt_min && pending.contains(number)) return {};
  if (number == signal::kill) {
    pending.mark(number);
  } else {
    auto entry = allocate_entry(process, thread, info);
    if (entry)
      pending.push(**entry);
    else if (number >= signal::rt_min && info.code != si::user)
      return error(Errno::eagain);
    else
      pending.mark(number);
  }
  process.signal_queue.wake_all(vfs::poll_in);
  complete_signal(process, thread, number);
  return {};
}

}  // namespace

void update_interruption(Task& task) {
  Process& process = task.process();
  SignalSet open = (task.pending.set() | process.shared_pending.set()) & ~task.blocked;
  auto level = core::InterruptLevel::none;
  if (task.exiting)
    level = core::InterruptLevel::none;
  else if (is_killed(process, task) || open.contains(signal::kill))
    level = core::InterruptLevel::kill;
  else if (!open.empty() || task.stop_wanted || trace_stop_wanted(task))
    level = core::InterruptLevel::signal;
  if (level == core::InterruptLevel::none) {
    if (process.report_code == 0) task.work.fetch_and(~task_work::signal, std::memory_order_seq_cst);
  } else {
    task.add_work(task_work::signal);
  }
  core::Thread& thread = task.thread();
  thread.set_interrupted(level);
  if (level == core::InterruptLevel::none || &thread == &core::Thread::current()) return;
  // In user mode it has to come back by itself.
  arch::interrupt_user(thread.arch_state);
  if (core::is_running_hint(thread)) arch::send_reschedule(thread.last_cpu());
}

void kill_threads_locked(Process& process) {
  process.stop_state = Process::StopState::none;
  process.stopping_threads = 0;
  process.for_each_thread([&](Task& task) {
    task.stop_wanted = false;
    update_interruption(task);
  });
  process.stop_queue.wake_all();
}

Result<void> send_signal(Task& target, const SigInfo& info) {
  core::MutexGuard guard{target.process().signal_lock};
  return send_locked(target.process(), &target, info);
}

Result<void> send_signal(Process& target, const SigInfo& info) {
  core::MutexGuard guard{target.signal_lock};
  return send_locked(target, nullptr, info);
}

bool send_prepared(Task* thread, Process& process, QueuedSignal& entry) {
  core::MutexGuard guard{process.signal_lock};
  int number = entry.info.number;
  if (process.group_exiting || (thread && thread->exiting)) return true;
  if (entry.hook.is_linked()) return false;
  RefPtr<Task> leader = process.leader();
  if (is_dropped(process, thread ? thread : leader.get(), number, false)) return true;
  entry.timer->acquire_reference();
  (thread ? thread->pending : process.shared_pending).push(entry);
  process.signal_queue.wake_all(vfs::poll_in);
  complete_signal(process, thread, number);
  return true;
}

void signal_group_locked(Pid& group, const SigInfo& info) {
  for (ProcessLinks& links : group.group_members) (void)send_signal(static_cast<Process&>(links), info);
}

void signal_group(Pid& group, const SigInfo& info) {
  core::MutexGuard guard{process_tree_lock()};
  signal_group_locked(group, info);
}

void send_kernel_signal(Process& target, int number) {
  (void)send_signal(target, SigInfo(number, si::kernel));
}
void signal_group_from_kernel(Pid& group, int number) { signal_group(group, SigInfo(number, si::kernel)); }
void signal_group_from_kernel_locked(Pid& group, int number) {
  signal_group_locked(group, SigInfo(number, si::kernel));
}

void force_signal(Task& current, const SigInfo& info) {
  Process& process = current.process();
  core::MutexGuard guard{process.signal_lock};
  SigAction action = process.actions->get(info.number);
  bool blocked = current.blocked.contains(info.number);
  if (blocked || action.handler == sig_ignore) {
    process.actions->reset(info.number);
    current.blocked.remove(info.number);
  }
  auto entry = allocate_entry(process, &current, info);
  if (entry)
    current.pending.push(**entry);
  else
    current.pending.mark(info.number);
  update_interruption(current);
}

void force_fatal_signal(Task& current, int number) {
  {
    core::MutexGuard guard{current.process().signal_lock};
    current.process().actions->reset(number);
  }
  force_signal(current, SigInfo(number, si::kernel));
}

int dequeue_signal(Task& current, SignalSet blocked, SigInfo& info) {
  Process& process = current.process();
  PosixTimer* timer = nullptr;
  int number = 0;
  {
    core::MutexGuard guard{process.signal_lock};
    for (PendingSignals* pending : {&current.pending, &process.shared_pending}) {
      SignalSet open = pending->set() & ~blocked;
      if (open.empty()) continue;
      SignalSet urgent = open & synchronous_signals;
      number = (urgent.empty() ? open : urgent).lowest();
      timer = pending->take(number, info);
      break;
    }
    update_interruption(current);
  }
  if (timer) {
    timer->signal_taken(info);
    timer->release_reference();
  }
  return number;
}

void set_blocked(Task& current, SignalSet blocked) {
  blocked = blocked & ~unblockable_signals;
  if (current.blocked == blocked) return;
  Process& process = current.process();
  core::MutexGuard guard{process.signal_lock};
  SignalSet newly = blocked & ~current.blocked;
  current.blocked = blocked;
  // What we will no longer take may be for another thread.
  SignalSet left = process.shared_pending.set() & newly;
  if (!left.empty() && process.thread_count.load(std::memory_order_relaxed) > 1)
    process.for_each_thread([&](Task& task) {
      if (&task != &current) update_interruption(task);
    });
  update_interruption(current);
}

SigInfo signal_information_from(Task& sender, int number, int code) {
  SigInfo info(number, code);
  info.sender.pid = sender.process().id();
  info.sender.uid = sender.credentials().uid;
  return info;
}

Result<void> may_signal(Task& sender, Process& target, int number) {
  if (&sender.process() == &target) return {};
  const vfs::Credentials& own = sender.credentials();
  RefPtr<vfs::Credentials> other = credentials_of(target);
  if (!other) return error(Errno::esrch);
  if (own.euid == other->suid || own.euid == other->uid || own.uid == other->suid || own.uid == other->uid)
    return {};
  if (own.can(vfs::Capability::kill)) return {};
  if (number == signal::cont && target.session == sender.process().session) return {};
  return error(Errno::eperm);
}

}  // namespace linux_abi
