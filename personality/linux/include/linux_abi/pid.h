// Process and thread ids.
//
// A Pid is the identity behind a number: of a thread, and, for the first thread of a process, also of the
// process, and for leaders also of a process group and a session. The number belongs to it while any of these
// uses it (Pid::attach and detach); afterwards the object may live on in a pidfd or a terminal, but finds
// nothing any more, and the number is free for another.
//
//   RcuReadGuard guard;  Pid* pid = Pid::find(number);   // valid inside the guard
//   RefPtr<Pid> pid = Pid::get(number);                  // or held
//
// find() is lock-free under RCU. Group and session membership is protected by process_tree_lock().
#pragma once

#include <atomic>

#include "base/intrusive_list.h"
#include "base/ref.h"
#include "core/sync/rcu.h"
#include "core/sync/wait_queue.h"

namespace linux_abi {

using base::RefPtr;
using base::Result;

class Task;
class Process;

// The hooks by which a Process hangs in its group, its session and among its siblings. Protected by
// process_tree_lock().
struct ProcessLinks {
  base::ListHook group_hook, session_hook, sibling_hook;
};

class Pid : public base::RefCounted<Pid> {
 public:
  // With one attachment. Takes `wanted` if it is not zero (EEXIST when in use), else the next free number
  // (EAGAIN).
  static Result<RefPtr<Pid>> create(int wanted = 0);
  static Pid* find(int number);
  static RefPtr<Pid> get(int number);
  // The limit of numbers (exclusive), as in /proc/sys/kernel/pid_max.
  static int maximum();
  static Result<void> set_maximum(int maximum);
  static int last_allocated();
  // The smallest Pid with a number >= `from`; null when there is none. For walks of /proc.
  static RefPtr<Pid> next_from(int from);

  int number() const { return number_; }
  void attach() { users_.fetch_add(1, std::memory_order_relaxed); }
  void detach();

  // The thread with this id, or the process whose first thread had it. Under RCU or process_tree_lock(); null
  // when gone. acquire: pairs with the release in set_*, so that the object found is complete.
  Task* task() const { return task_.load(std::memory_order_acquire); }
  Process* process() const { return process_.load(std::memory_order_acquire); }
  RefPtr<Task> task_reference() const;
  RefPtr<Process> process_reference() const;
  void set_task(Task* task) { task_.store(task, std::memory_order_release); }
  void set_process(Process* process) { process_.store(process, std::memory_order_release); }

  // The members of the process group and of the session with this id. Protected by process_tree_lock().
  base::IntrusiveList<ProcessLinks, &ProcessLinks::group_hook> group_members;
  base::IntrusiveList<ProcessLinks, &ProcessLinks::session_hook> session_members;

  // Woken when the process ends: polled through pidfds.
  core::WaitQueue exit_queue;

  ~Pid() = default;

 private:
  friend class base::RefCounted<Pid>;
  explicit Pid(int number) : number_(number) {}
  void last_reference_dropped();

  const int number_;
  std::atomic<unsigned> users_{1};
  std::atomic<Task*> task_{nullptr};
  std::atomic<Process*> process_{nullptr};
  core::RcuHead rcu_;
};

}  // namespace linux_abi
