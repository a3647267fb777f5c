// Signals inside the kernel: what is pending, what is done with each, who gets it.
//
// Sending: send_signal() to a thread or a process, signal_group() to a process group, force_signal() for a
// fault of the running thread that must not be lost. Any context that may sleep. Delivery happens on the way
// back to user mode (signal_delivery.h), waits are interrupted through Thread::set_interrupted.
//
// Locking: Process::signal_lock protects the pending sets of the process and of its threads, the blocked sets
// against other threads, the stop state and the list of threads. SignalActions has a lock of its own, taken
// inside it.
#pragma once

#include "base/address.h"
#include "base/intrusive_list.h"
#include "base/ref.h"
#include "base/result.h"
#include "core/sync/mutex.h"
#include "linux_abi/abi/signal.h"

namespace linux_abi {

using base::RefPtr;
using base::Result;

using base::Errno;
using base::error;
using base::UserAddress;

core::Mutex& process_tree_lock();

class Pid;
class Task;
class Process;
class UserAccount;
class PosixTimer;

struct QueuedSignal {
  base::ListHook hook;
  SigInfo info;
  UserAccount* account = nullptr;  // whose RLIMIT_SIGPENDING it counts for; holds a reference
  // Set for the entry inside a POSIX timer, which holds a reference on its timer while it is queued. Other
  // entries are allocated one by one.
  PosixTimer* timer = nullptr;
  // Unlinked: frees it, or gives up the timer's reference.
  static void release(QueuedSignal& entry);
};

// Pending signals of one thread or one process. Protected by Process::signal_lock.
class PendingSignals {
 public:
  ~PendingSignals() { clear(); }
  SignalSet set() const { return set_; }
  bool contains(int number) const { return set_.contains(number); }
  void mark(int number) { set_.add(number); }
  void push(QueuedSignal& signal) {
    queue_.push_back(signal);
    set_.add(signal.info.number);
  }
  // Takes the oldest `number`; a signal that was only marked (no memory for an entry) says SI_USER from pid
  // 0. Gives out the POSIX timer the signal was of, with its reference.
  PosixTimer* take(int number, SigInfo& info);
  void discard(SignalSet numbers);
  // The index-th of those that wait; null past the end.
  const QueuedSignal* at(std::size_t index);
  void clear() { discard(SignalSet::all()); }

 private:
  SignalSet set_;
  base::IntrusiveList<QueuedSignal, &QueuedSignal::hook> queue_;
};

// sigaction of all signals; shared by threads and by CLONE_SIGHAND.
class SignalActions : public base::RefCounted<SignalActions> {
 public:
  static Result<RefPtr<SignalActions>> create();
  Result<RefPtr<SignalActions>> try_clone() const;
  SigAction get(int number) const;
  std::uint64_t handler(int number) const;
  // Returns the old one.
  SigAction set(int number, const SigAction& action);
  // SA_RESETHAND
  void reset(int number);
  // exec and CLONE_CLEAR_SIGHAND: handlers become default, what is ignored stays ignored.
  void reset_handlers();
  void copy_from_locked(const SigAction* from);
  bool is_ignored(int number) const;  // explicitly, or by default and of no effect
  static bool is_ignored(int number, std::uint64_t handler);
  ~SignalActions() = default;

 private:
  mutable core::Mutex lock_;
  SigAction actions_[signal_count] GUARDED_BY(lock_);
};

// A signal the sender means for one thread, or for any thread of a process. Sending to what has ended is no
// error here. EAGAIN: a queued (real-time) signal and RLIMIT_SIGPENDING is reached or memory is out.
Result<void> send_signal(Task& target, const SigInfo& info);
Result<void> send_signal(Process& target, const SigInfo& info);
// `entry` was allocated before (POSIX timers): cannot fail for want of memory. False: it is still queued.
bool send_prepared(Task* thread, Process& process, QueuedSignal& entry);
// To every process of the group.
void signal_group(Pid& group, const SigInfo& info) EXCLUDES(process_tree_lock());
void signal_group_locked(Pid& group, const SigInfo& info) REQUIRES(process_tree_lock());
// From the kernel: SI_KERNEL information.
void send_kernel_signal(Process& target, int number);
void signal_group_from_kernel(Pid& group, int number) EXCLUDES(process_tree_lock());
void signal_group_from_kernel_locked(Pid& group, int number) REQUIRES(process_tree_lock());
// A fault of the running thread: delivered even if blocked or ignored (then the action becomes the default
// one).
void force_signal(Task& current, const SigInfo& info);
void force_fatal_signal(Task& current, int number);

// Takes a pending signal that is not in `blocked`; 0 when there is none. Used by delivery, sigtimedwait and
// signalfd.
int dequeue_signal(Task& current, SignalSet blocked, SigInfo& info);
// Recomputes whether waits of the thread are interrupted. With its process's signal_lock held.
void update_interruption(Task& task);
// Stops everybody but `survivor` (null: everybody). With signal_lock held.
void kill_threads_locked(Process& process);
// Replaces the blocked mask of the running thread.
void set_blocked(Task& current, SignalSet blocked);

// The information of kill(2) from this thread.
SigInfo signal_information_from(Task& sender, int number, int code);
// Whether `sender` may signal `target` (kill(2)); EPERM.
Result<void> may_signal(Task& sender, Process& target, int number);

}  // namespace linux_abi
