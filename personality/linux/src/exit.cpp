// The end of threads and processes.
#include "core/init/panic.h"
#include "core/memory/user_pointer.h"
#include "linux_abi/core_dump.h"
#include "linux_abi/futex.h"
#include "linux_abi/job_control.h"
#include "linux_abi/lifecycle.h"
#include "linux_abi/relations.h"
#include "linux_abi/rseq.h"
#include "linux_abi/task_extras.h"
#include "linux_abi/timers.h"
#include "linux_abi/tracing.h"
#include "linux_abi/user_account.h"

namespace linux_abi {

namespace {

// What other threads and processes wait for, in user memory and at the parent.
void release_waiters(Task& task) {
  task.pi_futexes_closed.store(true);
  release_robust_futexes(task);
  if (task.clear_child_tid) {
    auto space = task.process().address_space();
    // Nobody is left to look when the memory goes with us.
    if (space && space->reference_count() > 2) {
      (void)core::UserOut<int>(task.clear_child_tid).write(0);
      futex_wake_address(task, task.clear_child_tid, 1);
    }
    task.clear_child_tid = 0;
  }
  rseq_set_area(task, {});
}

void release_memory(Task& task, bool last) {
  Process& process = task.process();
  if (last) {
    if (auto space = process.address_space())
      process.dead_threads.max_rss_kib = space->usage().resident_peak * 4;
    process.set_executable({});
    process.set_address_space({});
  }
  task.thread().set_address_space({});
  if (auto vfork = std::exchange(task.vfork, {})) vfork->done.complete_all();
}

// Leaves the process. With both locks; true: the process goes on without us.
void leave_thread_group(Task& task) REQUIRES(process_tree_lock()) {
  Process& process = task.process();
  core::MutexGuard guard{process.signal_lock};
  task.exiting = true;
  task.thread().set_interrupted(core::InterruptLevel::none);
  process.dead_threads.add(thread_usage(task));
  process.threads.remove(task);
  process.thread_count.fetch_sub(1, std::memory_order_relaxed);
  task.pending.clear();
  if (task.stop_wanted) {
    task.stop_wanted = false;
    if (--process.stopping_threads == 0) {
      process.stop_state = Process::StopState::stopped;
      process.report_code = si::child_stopped;
      if (Task* other = process.first_thread()) other->add_work(task_work::signal);
    }
  }
  // What was meant for any thread may have waited for us.
  if (!process.shared_pending.set().empty())
    process.for_each_thread([](Task& other) { update_interruption(other); });
  if (process.threads.empty()) {
    process.shared_pending.clear();
    process.last_credentials = task.credentials_reference();
  }
  process.thread_exit_queue.wake_all();
}

}  // namespace

void begin_group_exit(Process& process, int status) {
  core::MutexGuard guard{process.signal_lock};
  if (process.group_exiting) return;
  process.group_exiting = true;
  process.group_exit_status = status;
  kill_threads_locked(process);
}

void exit_group(Task& task, int status) {
  begin_group_exit(task.process(), status);
  exit_task(task, task.process().group_exit_status);
}

void exit_task(Task& task, int status) {
  Process& process = task.process();
  join_core_dump(task);
  trace_exit(task, status);
  task.exit_status = status;
  // Waits on the way out (closing a file that drains ...) are not cut short by the signal that ends us.
  task.thread().set_interrupted(core::InterruptLevel::none);
  // Before we stop counting: the last thread takes it away from under nobody.
  if (AsyncIo* async = process.async_io.load(std::memory_order_acquire)) async->thread_ends(task);
  // acq_rel: the last one sees what the others did.
  bool last = process.live_threads.fetch_sub(1, std::memory_order_acq_rel) == 1;
  if (last) {
    process.is_exiting.store(true);
    if (process.is_init())
      core::panic("Attempted to kill init! exitcode={:#010x}",
                  process.group_exiting ? process.group_exit_status : status);
    stop_timers(process);
  }
  task.thread().set_interrupted(core::InterruptLevel::none);
  if (AsyncIo* async = last ? process.async_io.exchange(nullptr) : nullptr) async->program_ends(task);
  release_waiters(task);
  release_memory(task, last);
  if (ExitDuty* duty = last ? process.exit_duty.exchange(nullptr) : nullptr) duty->process_ends(process);
  drop_extras(task);
  release_seccomp(task);
  task.set_files({});
  task.set_file_system({});

  RefPtr<tty::Terminal> terminal;
  {
    core::MutexGuard guard{process_tree_lock()};
    bool leader = task.is_leader();
    if (leader) process.leader_exit_status = status;
    leave_thread_group(task);
    bool tracer_waits = end_tracing_locked(task);
    task.pid->set_task(nullptr);
    if (!leader) task.account->processes.fetch_sub(1, std::memory_order_relaxed);
    if (!tracer_waits) task.pid->detach();
    if (process.threads.empty()) terminal = end_process_locked(process);
  }
  if (terminal) finish_session_end(*std::exchange(terminal, {}));
  core::Thread& self = task.thread();
  self.personality = nullptr;
  task.release_reference();  // the running thread's
  core::Thread::exit();
}

}  // namespace linux_abi
