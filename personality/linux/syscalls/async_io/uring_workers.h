// The threads that carry out a process's asynchronous requests: tasks of the process, so that they use its
// memory, but not among its threads: signals, /proc and wait do not know them. Each takes on the descriptor
// table, directory context and credentials of the request it runs.
//
// One of them (the first) looks after requests whose wait has ended, and never waits itself; the others are
// made as needed, and wait in the place of the program.
//
// Locks: mutex_ (list of the process's requests), then queue_lock_ (raw: what is to be run, who runs what).
#pragma once

#include "core/sync/mutex.h"
#include "core/sync/spin_lock.h"
#include "core/sync/wait_queue.h"
#include "linux_abi/syscall.h"
#include "linux_abi/task.h"
#include "syscalls/async_io/uring_request.h"
#include "syscalls/async_io/uring_sq_thread.h"

namespace linux_abi {

class UringWorkers final : public base::RefCounted<UringWorkers> {
 public:
  static Result<RefPtr<UringWorkers>> create(Task& task);
  explicit UringWorkers(Process& process) : process_(&process) {}
  ~UringWorkers() = default;

  void add(UringRequest& request) EXCLUDES(mutex_);
  // Frees it.
  void remove(UringRequest& request) EXCLUDES(mutex_);
  // Its wait has ended; raw contexts.
  void push_ready(UringRequest& request) EXCLUDES(queue_lock_);
  // To be run by a thread that may wait.
  void queue(UringRequest& request) EXCLUDES(queue_lock_);
  // For cancellation: out of the queue (true: the caller owns it); or, if a worker runs it, that is
  // interrupted.
  bool dequeue(UringRequest& request) EXCLUDES(queue_lock_);

  // It is over: whoever runs it is not to be interrupted for it any more.
  void forget_worker(UringRequest& request) EXCLUDES(queue_lock_) {
    core::SpinGuard<core::IrqSave> guard{queue_lock_};
    request.worker = nullptr;
  }

  // Everything `task` submitted (null: everybody) is cancelled and over when it returns.
  void cancel_of(const Task* task) EXCLUDES(mutex_);
  // And the threads are gone.
  void stop() EXCLUDES(mutex_);

  unsigned limit() const { return limit_.load(std::memory_order_relaxed); }
  void set_limit(unsigned limit) { limit_.store(limit); }

  // A thread of ours with this body, for the rings' SQPOLL.
  using Body = void (*)(Context& context, void* argument);
  Result<void> start_thread(std::string_view name, const Task& like, Body body, void* argument)
      EXCLUDES(mutex_);
  // Those with a body of their own; asked to leave when the process ends.
  void register_thread(UringSqThread& thread) EXCLUDES(mutex_);
  void unregister_thread(UringSqThread& thread) EXCLUDES(mutex_);
  // The caller gives a reference to the thread's ring along when it succeeds.
  Result<void> start_sq_thread(const Task& creator, UringSqThread& thread) EXCLUDES(mutex_);
  void sq_thread_ended() {
    sq_count_.fetch_sub(1);
    ended_.wake_all();
  }

 private:
  struct Start;
  static core::Mutex starts_lock;
  struct Starts;
  static Starts& starts() REQUIRES(starts_lock);
  static Result<long> thread_body(Task& task, RestartBlock&);
  static void resume_loop(Context& context, void* self);
  static void wait_loop(Context& context, void* self);
  enum class From : std::uint8_t { ready, queue };
  UringRequest* take(From from) EXCLUDES(queue_lock_);
  void run_queued(Context& context, UringRequest& request);
  bool cancel_some(const Task* task) EXCLUDES(mutex_);
  bool has_any(const Task* task) EXCLUDES(mutex_);

  Process* const process_;  // lives: the threads are over before it is
  core::Mutex mutex_{"io_uring process"};
  base::IntrusiveList<UringRequest, &UringRequest::process_hook> all_ GUARDED_BY(mutex_);
  core::WaitQueue ended_{"io_uring ended"};
  core::SpinLock queue_lock_{"io_uring work"};
  base::IntrusiveList<UringRequest, &UringRequest::queue_hook> ready_ GUARDED_BY(queue_lock_);
  base::IntrusiveList<UringRequest, &UringRequest::queue_hook> queue_ GUARDED_BY(queue_lock_);
  core::WaitQueue ready_queue_{"io_uring ready work"}, work_queue_{"io_uring worker"};
  std::atomic<unsigned> threads_{0}, runners_{0}, idle_{0}, queued_{0}, limit_{128};
  std::atomic<bool> stopping_{false};
  base::IntrusiveList<UringSqThread, &UringSqThread::hook> sq_threads_ GUARDED_BY(mutex_);
  bool stopping_sq_ GUARDED_BY(mutex_) = false;
  std::atomic<unsigned> sq_count_{0};
};

}  // namespace linux_abi
