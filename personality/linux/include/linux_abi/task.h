// A task: one thread of a process, in the view of Linux programs. Its body is core::Thread; the thread's life
// is the loop in src/thread_loop.cpp.
//
// Unless stated otherwise a member is touched by the thread itself only.
#pragma once

#include <atomic>

#include "arch/context.h"
#include "arch/user.h"
#include "base/intrusive_list.h"
#include "base/ref.h"
#include "core/sched/thread.h"
#include "core/sync/completion.h"
#include "core/sync/rcu.h"
#include "core/sync/spin_lock.h"
#include "linux_abi/abi/process.h"
#include "linux_abi/file_table.h"
#include "linux_abi/namespaces.h"
#include "linux_abi/process.h"
#include "linux_abi/signal_state.h"
#include "vfs/context.h"
#include "vfs/credentials.h"

namespace linux_abi {

using vfs::FileSystemContext;
class FutexWaiter;
class Tracing;

// Bits of Task::work: why the way back to user mode takes the slow path.
namespace task_work {
inline constexpr std::uint32_t signal = 1;        // something is pending, or stop/exit is wanted
inline constexpr std::uint32_t restore_mask = 2;  // put saved_blocked back (sigsuspend, ppoll ...)
inline constexpr std::uint32_t rseq = 4;          // the user's rseq area must be brought up to date
inline constexpr std::uint32_t callback = 8;      // Task::callbacks: closing of files and the like
inline constexpr std::uint32_t timers = 16;       // CPU-time timers expired
}  // namespace task_work

// Numbers of system calls end here (syscall.h).
inline constexpr std::uint32_t plain_calls_all = 512;

// How a call that a signal interrupted continues in restart_syscall(2).
struct RestartBlock {
  Result<long> (*function)(Task& task, RestartBlock& block) = nullptr;
  std::uint64_t deadline_ns = 0;
  std::uint64_t arguments[5] = {};
};

// A parent in vfork, waiting for its child to exec or end.
struct VforkWait : base::RefCounted<VforkWait> {
  core::Completion done;
  ~VforkWait() = default;
};

class Task : public base::RefCounted<Task>, public TaskLinks {
 public:
  static Result<RefPtr<Task>> create(RefPtr<Process> process, RefPtr<Pid> pid);
  ~Task();

  int id() const { return pid->number(); }
  core::Thread& thread() const { return *thread_; }
  Process& process() const { return *process_; }
  bool is_leader() const { return pid == process_->pid; }

  // The user registers of the thread; valid for others while it is stopped.
  arch::UserRegisters registers;
  // Set by anybody, looked at before every return to user mode.
  std::atomic<std::uint32_t> work{0};
  // System calls below this number need no look at anything but the table: all of them, or none while
  // somebody watches each call. Written by update_call_path() (tracing.h).
  std::atomic<std::uint32_t> plain_calls{plain_calls_all};
  void add_work(std::uint32_t bits) { work.fetch_or(bits, std::memory_order_seq_cst); }

  // --- Changed with signal_lock and tree lock held (exec gives a thread the leader's id):
  RefPtr<Pid> pid;
  // thread_hook: Process::threads
  bool exiting = false;  // past the point where it takes signals

  // --- Signals. Protected by Process::signal_lock; the thread itself reads its own without.
  SignalSet blocked;
  SignalSet saved_blocked;  // restored when no handler runs (work bit restore_mask)
  SignalSet real_blocked;   // sigtimedwait: what is blocked besides what it waits for
  PendingSignals pending;
  bool stop_wanted = false;                              // group stop: this thread has not stopped yet
  bool past_core_gate = false, parked_for_core = false;  // core_dump.h
  SigAltStack alternate_stack{0, ss_disable, 0, 0};

  // --- Credentials: replaced by the thread itself; others take credentials_of().
  const vfs::Credentials& credentials() const { return *credentials_; }
  const RefPtr<vfs::Credentials>& credentials_reference() const { return credentials_; }
  void set_credentials(RefPtr<vfs::Credentials> credentials);
  bool can(vfs::Capability capability) const { return credentials_->can(capability); }
  RefPtr<UserAccount> account;

  // --- What clone may share. Replaced by the thread itself with share_lock held; others take the *_of()
  // functions.
  RefPtr<FileTable> files;
  RefPtr<FileSystemContext> file_system;
  RefPtr<UtsNamespace> uts;  // null: the first one
  void set_uts(RefPtr<UtsNamespace> space);
  void set_files(RefPtr<FileTable> table);
  void set_file_system(RefPtr<FileSystemContext> context);

  // --- Transfers (/proc/PID/io)
  // relaxed: statistics, which the thread itself writes.
  void account_read(std::size_t bytes) {
    bytes_read.store(bytes_read.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
    read_calls.store(read_calls.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void account_write(std::size_t bytes) {
    bytes_written.store(bytes_written.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
    write_calls.store(write_calls.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  // --- Debugging (tracing.h): made once, gone with the task
  std::atomic<Tracing*> tracing{nullptr};

  // --- Thread attributes
  std::uintptr_t clear_child_tid = 0, set_child_tid = 0;
  std::uintptr_t robust_list = 0;
  std::uintptr_t rseq_area = 0;
  std::uint32_t rseq_length = 0, rseq_signature = 0;
  int parent_death_signal = 0;
  std::uint64_t timer_slack_ns = 50'000, default_timer_slack_ns = 50'000;
  std::uint32_t personality = 0;
  std::atomic<std::uint16_t> disk_priority{0};  // ioprio_set(2)
  bool reset_scheduling_on_fork = false;
  bool starts_as_init = false;           // the first thread of all
  struct HelperStart* helper = nullptr;  // of a program that the kernel starts (user_helper.h)
  int exit_status = 0;                   // as wait would report it, when the thread ends
  RestartBlock restart;
  RefPtr<VforkWait> vfork;  // the parent sleeping in vfork until exec or exit
  std::atomic<std::uint64_t> minor_faults{0}, major_faults{0}, bytes_read{0}, bytes_written{0}, read_calls{0},
      write_calls{0};

  // --- Allocations that fail on purpose (core/memory/failure_injection.h)
  std::atomic<bool> make_it_fail{false};   // inherited
  std::atomic<std::uint32_t> fail_nth{0};  // counts down; the allocation that takes it to zero fails

  // --- Futexes
  std::atomic<bool> pi_futexes_closed{false};  // it ends: what it owns is passed on, and it is given no more

 private:
  Task() = default;
  friend class base::RefCounted<Task>;
  void last_reference_dropped();
  friend RefPtr<vfs::Credentials> credentials_of(const Task& task);
  friend RefPtr<FileTable> files_of(const Task& task);
  friend RefPtr<FileSystemContext> file_system_of(const Task& task);
  friend RefPtr<UtsNamespace> uts_of(const Task& task);

  mutable core::SpinLock share_lock_;
  RefPtr<core::Thread> thread_;
  RefPtr<Process> process_;
  RefPtr<vfs::Credentials> credentials_;
  core::RcuHead rcu_;
};

// The running thread's task. Kernel threads have none: task_or_null().
Task& current_task();
Task* current_task_or_null();
inline Process& current_process() { return current_task().process(); }

// Of any task, also while it changes them. Null once it has exited.
RefPtr<vfs::Credentials> credentials_of(const Task& task);
RefPtr<FileTable> files_of(const Task& task);
RefPtr<FileSystemContext> file_system_of(const Task& task);
RefPtr<UtsNamespace> uts_of(const Task& task);  // null also for the first namespace
// Of the process: those of its leader, or of any thread that is left.
RefPtr<vfs::Credentials> credentials_of(Process& process);

template <typename Function>
void Process::for_each_thread(Function&& function) {
  for (TaskLinks& links : threads) function(static_cast<Task&>(links));
}

// Who asks, for path operations of the running thread.
inline vfs::Caller caller_of(Task& task) { return {*task.file_system, task.credentials()}; }

}  // namespace linux_abi
