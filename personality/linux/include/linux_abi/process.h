// A process: a group of threads (Task) with one address space, and its place among the others.
//
//   created by clone --> running --(last thread ends)--> zombie --(parent waited)--> dead: out of the pid
//   table
//
// Relations (parent, children, group, session, state) are protected by process_tree_lock(), a sleeping mutex
// that is also held while waiting parents look for children. Signals and the list of threads are protected by
// signal_lock; it may be taken with the tree lock held, never the other way round.
//
// A Process is referenced by its tasks, by its parent while it is a child (one reference, dropped when
// reaped), and by whoever looked it up.
#pragma once

#include <atomic>

#include "base/function_ref.h"
#include "base/intrusive_list.h"
#include "base/ref.h"
#include "core/memory/address_space.h"
#include "core/sync/mutex.h"
#include "core/sync/rcu.h"
#include "core/sync/spin_lock.h"
#include "core/sync/wait_queue.h"
#include "linux_abi/abi/types.h"
#include "linux_abi/pid.h"
#include "linux_abi/signal_state.h"
#include "linux_abi/user_account.h"
#include "tty/terminal.h"
#include "vfs/credentials.h"
#include "vfs/file.h"

namespace linux_abi {

class Task;
class Process;

core::Mutex& process_tree_lock();

// Time and faults of threads and children that have ended, and the like.
struct ResourceUsage {
  std::uint64_t user_ns = 0, system_ns = 0, minor_faults = 0, major_faults = 0, voluntary_switches = 0,
                involuntary_switches = 0, blocks_in = 0, blocks_out = 0, max_rss_kib = 0;
  void add(const ResourceUsage& other);
};

// The hook by which a Task hangs in its process.
struct TaskLinks {
  base::ListHook thread_hook;
};

// Something to be done when the last thread of a process leaves (the undoing of semaphore operations).
class ExitDuty {
 public:
  // Owns itself, and is gone afterwards.
  virtual void process_ends(Process& process) = 0;

 protected:
  ~ExitDuty() = default;
};

// Asynchronous I/O that a process has started (io_submit, io_uring): what must not outlive a thread or a
// program. Both functions wait until nothing runs in their name any more; no locks held.
class AsyncIo {
 public:
  // A thread is about to end; called by itself, for each thread.
  virtual void thread_ends(Task& task) = 0;
  // The last thread ends, or it executes a new program. Owns itself, and is gone afterwards.
  virtual void program_ends(Task& task) = 0;

 protected:
  ~AsyncIo() = default;
};

class Process : public base::RefCounted<Process>, public ProcessLinks {
 public:
  enum class State : std::uint8_t { running, zombie, dead };
  enum class StopState : std::uint8_t { none, stopping, stopped };

  static Result<RefPtr<Process>> create(RefPtr<Pid> pid);
  ~Process();

  int id() const { return pid->number(); }
  // The first process: /init.
  bool is_init() const { return is_init_; }
  static Process* init();
  static void set_init(Process& process);

  // --- Immutable after creation
  RefPtr<Pid> pid;
  std::uint64_t start_time_ns = 0;  // since boot, monotonic
  std::uint64_t start_boottime_ns = 0;

  // --- Protected by process_tree_lock():
  Process* parent = nullptr;
  base::IntrusiveList<ProcessLinks, &ProcessLinks::sibling_hook> children;
  RefPtr<Pid> group, session;
  State state = State::running;
  int exit_status = 0;         // as wait4 reports it, once a zombie
  int leader_exit_status = 0;  // of the first thread, if it ended alone
  int exit_signal = signal::chld;
  RefPtr<tty::Terminal> terminal;  // the controlling one; see job_control.h
  bool subreaper = false;
  bool has_child_subreaper = false;
  bool session_leader = false;
  RefPtr<Pid> creator;           // the thread that made it
  bool nobody_waits = false;     // started by the kernel: gone when it ends
  Task* ended_leader = nullptr;  // the first thread, when its tracer has to wait for it before the parent
  bool executed = false;         // since fork: setpgid by the parent is refused
  // Woken when a child changes state.
  core::WaitQueue child_event;
  int parent_id() const EXCLUDES(process_tree_lock());

  // --- Threads. Protected by signal_lock (changed with the tree lock held too, so either suffices for
  // reading):
  base::IntrusiveList<TaskLinks, &TaskLinks::thread_hook> threads;  // of Task; walk with for_each_thread
  std::atomic<unsigned> thread_count{0};                            // listed
  std::atomic<unsigned> live_threads{0};                            // not past exit

  // --- Signals. Protected by signal_lock:
  mutable core::Mutex signal_lock;
  PendingSignals shared_pending;
  StopState stop_state = StopState::none;
  unsigned stopping_threads = 0;  // still to stop
  int stop_signal = 0;
  bool stop_reported = false;  // the parent waited for this stop
  bool continued = false;      // SIGCONT since, and not waited for
  int report_code = 0;         // CLD_STOPPED or CLD_CONTINUED that a thread still has to tell the parent
  bool group_exiting = false;  // exit_group, exec or a fatal signal: every thread ends
  int group_exit_status = 0;
  Task* dumper = nullptr;             // the thread that writes a core dump (core_dump.h)
  unsigned threads_to_park = 0;       // until it can begin
  core::WaitQueue park_queue;         // both wait here
  Task* exec_task = nullptr;          // the thread in execve that outlives the others
  core::WaitQueue stop_queue;         // stopped threads wait here
  core::WaitQueue thread_exit_queue;  // exec waits here for the other threads
  core::WaitQueue signal_queue;       // signalfd: woken when a signal arrives
  RefPtr<SignalActions> actions;      // replaced by exec only

  std::uintptr_t vdso_address = 0;            // written by exec
  RefPtr<UserAccount> account;                // who RLIMIT_NPROC counts the first thread for
  RefPtr<vfs::Credentials> last_credentials;  // of the last thread that ended: a zombie's, for /proc

  // --- Own lock, for readers in other processes (/proc)
  RefPtr<core::AddressSpace> address_space() const;
  void set_address_space(
      RefPtr<core::AddressSpace> space);  // returns the old one's reference to the caller's scope
  RefPtr<vfs::File> executable() const;
  void set_executable(RefPtr<vfs::File> file);

  // --- Atomic words
  Rlimit limit(Resource resource) const;
  std::uint64_t limit_current(Resource resource) const;
  void set_limit(Resource resource, Rlimit value);
  void copy_limits(const Process& other);
  std::atomic<std::uint32_t> dumpable{1};
  std::atomic<std::uint32_t> core_filter{0x33};  // core_dump.h; inherited, kept by exec
  std::atomic<std::int32_t> oom_score_adjustment{0};
  std::atomic<std::int32_t> oom_score_adjustment_minimum{0};
  std::atomic<bool> is_exiting{false};
  std::atomic<ExitDuty*> exit_duty{nullptr};
  std::atomic<AsyncIo*> async_io{nullptr};
  std::atomic<int> membarrier_registrations{0};

  ResourceUsage dead_threads, waited_children;  // protected by the tree lock
  ResourceUsage usage() const;                  // dead threads and living ones

  // Timers (timers.h): the real interval timer, POSIX timers, CPU-time timers.
  class Timers* timers = nullptr;

  // `function(Task&)`, with signal_lock or the tree lock held.
  template <typename Function>
  void for_each_thread(Function&& function);  // in task.h
  Task* first_thread();
  // The thread whose id is the process id, if it is still there.
  RefPtr<Task> leader() const;

 private:
  explicit Process(RefPtr<Pid> process_pid) : pid(std::move(process_pid)) {}
  friend class base::RefCounted<Process>;

  void last_reference_dropped();

  bool is_init_ = false;
  core::RcuHead rcu_;
  mutable core::SpinLock memory_lock_;
  RefPtr<core::AddressSpace> address_space_;
  RefPtr<vfs::File> executable_;
  struct AtomicLimit {
    std::atomic<std::uint64_t> current{rlim_infinity}, maximum{rlim_infinity};
  };
  AtomicLimit limits_[resource_count];
};

ResourceUsage thread_usage(const Task& task);

// Walks of all processes, for /proc, kill(-1), the OOM killer. Every process is referenced while the function
// runs.
void for_each_process(base::FunctionRef<bool(Process&)> function);
unsigned process_count();
unsigned thread_total();
std::uint64_t forks_since_boot();

}  // namespace linux_abi
