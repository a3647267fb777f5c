// ptrace: one thread (the tracer) watches and steers others (tracees). docs/tracing.md tells the whole story.
//
// Every task that ever was one of the two, or gave up system calls (seccomp.h), has a Tracing, which lives as
// long as the task. Who traces whom is protected by process_tree_lock(), and changed with the tracee's
// signal_lock held too, so either suffices for reading. The rest of the tracee's half is protected by its
// process's signal_lock.
//
// A tracee stops only in its own context, in trace_stop(). From then until it is resumed, its registers lie
// in memory (arch/linux_trace.h) and its tracer may use them, holding the tracee with TraceHold so that not
// even SIGKILL takes it away meanwhile.
#pragma once

#include "base/intrusive_list.h"
#include "core/sync/wait_queue.h"
#include "linux_abi/abi/ptrace.h"
#include "linux_abi/seccomp.h"
#include "linux_abi/signal_delivery.h"
#include "linux_abi/task.h"
#include "linux_abi/wait.h"

namespace linux_abi {

class Tracing {
 public:
  explicit Tracing(Task& owner) : task(owner) {}
  Tracing(const Tracing&) = delete;
  ~Tracing() {
    if (SeccompFilter* filter = seccomp_filter.load(std::memory_order_relaxed)) filter->release_reference();
  }

  // The task's, made if there is none. ENOMEM.
  static Result<Tracing*> of(Task& task);
  static Tracing* find(const Task& task) { return task.tracing.load(std::memory_order_acquire); }

  Task& task;

  // --- As a tracee. Tree lock and signal_lock:
  std::atomic<Task*> tracer{nullptr};  // the list holds a reference on the tracee
  base::ListHook hook;                 // in the tracer's `tracees`
  bool seized = false;
  bool tracer_may_everything = false;  // CAP_SYS_PTRACE when it attached
  // It has ended, and the tracer has not waited for it yet. Tree lock:
  bool ended = false;

  // --- signal_lock:
  std::uint32_t options = 0;
  enum class Resume : std::uint8_t { run, to_call, emulate };
  Resume resume = Resume::run;
  bool stepping = false;
  bool stale_step = false;       // let go of while it ran a step
  bool stopped = false;          // in trace_stop()
  bool reported = false;         // the tracer has waited for this stop
  bool listening = false;        // PTRACE_LISTEN: stopped, but not for the tracer
  bool stop_wanted = false;      // to stop with PTRACE_EVENT_STOP (or as part of a group stop that goes on)
  bool notice_wanted = false;    // the same, because a group stop began or ended
  bool has_information = false;  // `information` is what the stop is about
  unsigned holders = 0;          // TraceHold
  int code = 0;                  // wait status of the stop, without the low byte
  SigInfo information;
  std::uint64_t message = 0;
  int signal_to_deliver = 0;  // what the tracer resumed it with
  trace::CallInformation::Operation call_stop = trace::CallInformation::none;
  core::WaitQueue resumed;

  // --- What it gave up (seccomp.h). Changed with signal_lock; the thread itself reads without. The filter is
  // referenced.
  std::atomic<seccomp::Mode> seccomp_mode{seccomp::Mode::off};
  std::atomic<SeccompFilter*> seccomp_filter{nullptr};
  // A thread whose filters it shares has promised it (PR_SET_NO_NEW_PRIVS).
  std::atomic<bool> no_new_privileges{false};

  // --- As a tracer. Tree lock:
  base::IntrusiveList<Tracing, &Tracing::hook> tracees;
};

inline bool is_traced(const Task& task) {
  Tracing* tracing = Tracing::find(task);
  return tracing && tracing->tracer.load(std::memory_order_relaxed);
}

// --- Relations (relations of processes: relations.h)

// PTRACE_ATTACH and PTRACE_SEIZE, PTRACE_TRACEME. EPERM, ESRCH, EIO.
Result<void> attach_tracer(Task& tracer, Task& tracee, bool seize, std::uint32_t options);
Result<void> trace_me(Task& task);
// PTRACE_DETACH by the tracer, of a tracee that is stopped.
void detach_tracee(Tracing& tracee, int signal_to_deliver);
// Is there a tracer that the new thread or process is to have too? Under both locks of clone. `event` as
// trace_clone() gave it.
void inherit_tracer_locked(Task& child, Task& parent, std::uint64_t clone_flags, unsigned event)
    REQUIRES(process_tree_lock());
// A task leaves its process: lets go of its tracees, tells its own tracer. True: the tracer still has to wait
// for it, and its number must stay taken until then.
bool end_tracing_locked(Task& task) REQUIRES(process_tree_lock());
// Does another process's tracer come before the parent in waiting for this ended process? Then it is told.
bool tell_tracer_first_locked(Process& ended) REQUIRES(process_tree_lock());
bool waits_for_tracer_locked(Process& ended) REQUIRES(process_tree_lock());
// The process is gone (its parent has waited), or its first thread gave its number to another.
void forget_ended_leader_locked(Process& process) REQUIRES(process_tree_lock());
// What wait finds among the tracees of one thread; nothing yet, or no tracee matches at all (`any` stays).
std::optional<WaitResult> wait_for_tracee_locked(Task& tracer, const WaitRequest& request, bool& any)
    REQUIRES(process_tree_lock());
// Children of the process are its tracees' business if one of its own threads traces them.
bool is_traced_by_locked(Process& child, Process& process) REQUIRES(process_tree_lock());
int tracer_id(Task& task) EXCLUDES(process_tree_lock());

// --- Stops, by the thread itself

// Each returns when the tracer has resumed it (or at once if it is not traced). trace_signal() gives the
// signal to be delivered, 0 for none.
int trace_signal(Task& task, SigInfo& information);
void trace_wanted_stop(Task& task);
void trace_event(Task& task, unsigned event, std::uint64_t message);
// Around a system call; false: it is not to be made.
bool trace_call_entry(Task& task);
void trace_call_exit(Task& task);
// After a handler's frame has been pushed while single-stepping; before it, the step is taken back.
bool is_stepping(const Task& task);
void suspend_step(Task& task);
void trace_handler_start(Task& task);
// The trap of a step whose tracer has gone.
bool take_stale_step(Task& task);
// The event that this kind of clone is for the tracer; 0: none.
bool trace_wants(const Task& task, unsigned event);
unsigned trace_clone_event(Task& parent, std::uint64_t clone_flags, int exit_signal);
void trace_exec(Task& task, int former_id);
void trace_exit(Task& task, int status);

// --- Under signal_lock

// Has it to come to a stop for its tracer?
inline bool trace_stop_wanted(const Task& task) {
  Tracing* tracing = Tracing::find(task);
  return tracing && (tracing->stop_wanted || tracing->notice_wanted) &&
         tracing->tracer.load(std::memory_order_relaxed);
}
// A group stop began or ended: seized tracees are told.
void notify_tracee_locked(Task& task);
// SIGKILL for a process whose threads may be stopped on their way out.
void wake_ended_tracees_locked(Process& process);
// Every reason to look at system calls one by one decides whether the fast way is open.
void update_call_path(Task& task);

// Keeps a stopped tracee of the running thread where it is. ESRCH: not ours, or not stopped.
class TraceHold {
 public:
  explicit TraceHold(Tracing& tracing) : tracing_(&tracing) {}
  TraceHold(TraceHold&& other) : tracing_(std::exchange(other.tracing_, nullptr)) {}
  ~TraceHold();
  static Result<TraceHold> take(Task& tracer, Task& tracee);
  Tracing& tracing() const { return *tracing_; }

 private:
  Tracing* tracing_;
};
// Lets it go on. EIO: no such signal.
Result<void> resume_tracee(TraceHold hold, Tracing::Resume how, bool step, int signal_to_deliver);

}  // namespace linux_abi
