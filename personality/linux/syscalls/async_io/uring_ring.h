// A ring of io_uring: the two queues shared with programs, and everything that was submitted through it.
//
// Who runs what. A request whose wait has ended needs a thread of the process that submitted it. If its
// submitter is inside io_uring_enter waiting for this ring, that thread does it (ready_); else a worker of
// the process (uring_workers.h). Rings with DEFER_TASKRUN know only the first. Nothing is done in the
// context of a wake-up or timer but moving the request to one of the two lists.
//
// The program may write anything into the shared memory at any time: each word is read once, indices are
// masked, the tail and head that count are our own copies.
//
// Locks, outermost first: submit_lock (submission and registration), lock (completion queue, lists of
// requests, buffers), the locks of UringWorkers; ready_lock_ is raw and innermost.
#pragma once

#include <atomic>
#include <span>

#include "base/vector.h"
#include "core/sched/work_queue.h"
#include "core/sync/mutex.h"
#include "core/sync/spin_lock.h"
#include "core/sync/wait_queue.h"
#include "event/event_file.h"
#include "linux_abi/syscall.h"
#include "syscalls/async_io/shared_pages.h"
#include "syscalls/async_io/uring_request.h"
#include "syscalls/async_io/uring_resources.h"

namespace linux_abi {

// The start of the shared memory; completions and the array of submissions follow.
struct UringShared {
  std::uint32_t sq_head, sq_tail, cq_head, cq_tail, sq_mask, cq_mask, sq_entries, cq_entries, sq_dropped,
      sq_flags, cq_flags, cq_overflow, pad[4];
};
static_assert(sizeof(UringShared) == 64);

class UringSqThread;

class Ring final : public base::RefCounted<Ring> {
 public:
  // Checks and completes the parameters. EINVAL, ENOMEM.
  static Result<RefPtr<Ring>> create(unsigned entries, UringParameters& parameters);
  Ring() = default;
  ~Ring();

  bool has(std::uint32_t setup_flag) const { return flags & setup_flag; }
  std::uint32_t flags = 0;
  RefPtr<SharedPages> rings, sqes;
  RefPtr<UringSqThread> sq_thread;
  std::atomic<bool> disabled{false}, closing{false};
  std::atomic<Task*> submitter{nullptr};  // of SINGLE_ISSUER

  // ---- Submission; with submit_lock
  core::Mutex submit_lock{"io_uring submission"};
  // Takes up to `count` entries; how many were taken.
  Result<unsigned> submit(Context& context, unsigned count) REQUIRES(submit_lock);
  bool has_submissions() const;
  bool is_sq_full() const;
  // Innermost of the sleeping locks.
  core::Mutex resources_lock{"io_uring resources"};
  UringResources resources GUARDED_BY(resources_lock);

  // ---- Completion
  void post(const UringRequest& request, std::int32_t result, std::uint32_t cqe_flags) EXCLUDES(lock);
  // Of no request of ours (MSG_RING).
  void post(std::uint64_t user_data, std::int32_t result, std::uint32_t cqe_flags) EXCLUDES(lock);
  // Threads in enter, pollers, the eventfd.
  void notify() EXCLUDES(lock);
  std::uint32_t ready_completions() const;
  bool has_work() EXCLUDES(ready_lock_);
  // Whether an io_uring_enter that wants so many completions is over or has something to do.
  bool is_worth_waking(const Task& task, std::uint32_t wanted) EXCLUDES(ready_lock_);
  void flush_overflow() EXCLUDES(lock);
  bool has_overflow() const { return overflow_count_.load(std::memory_order_relaxed) != 0; }
  Result<void> set_eventfd(RefPtr<event::EventFile> file, bool only_async) EXCLUDES(lock);
  Result<void> remove_eventfd() EXCLUDES(lock);

  // ---- Requests
  // Ends it: posts the last completion, ends its time-out, frees it, and gives what follows in the chain.
  [[nodiscard]] UringRequest* finish(UringRequest& request, std::int32_t result, std::uint32_t cqe_flags = 0)
      EXCLUDES(lock);
  // Issues it and what follows, until everything is done or waits.
  enum class Patience : std::uint8_t { none, may_wait };
  void run(Context& context, UringRequest* request, Patience patience) EXCLUDES(lock);
  // By a worker that may wait; gives what follows in the chain. Its Thread may be interrupted for the request
  // until it returns.
  [[nodiscard]] UringRequest* run_waiting(Context& context, UringRequest& request) EXCLUDES(lock);
  // After a wait has ended.
  void resume(Context& context, UringRequest& request) EXCLUDES(lock);
  // Raw contexts.
  void push_ready(UringRequest& request) EXCLUDES(ready_lock_);

  // Before a request is armed or handed on, by its owner: its LINK_TIMEOUT begins to count.
  void start_linked_timeout(UringRequest& request) EXCLUDES(lock);
  // Waits for time to pass; false: it was cancelled before.
  bool arm_timer(UringRequest& request) EXCLUDES(lock);
  // 0 when it waits now (the request is no longer the caller's), else what is ready. ECANCELED, EINVAL.
  Result<vfs::PollEvents> arm_poll(UringRequest& request, PollArm::Entries entries) EXCLUDES(lock);

  // How a canceller chooses.
  struct Match {
    std::uint64_t user_data = 0;
    vfs::File* file = nullptr;
    int opcode = -1;
    bool any = false, all = false, by_user_data = true;
    const UringRequest* except = nullptr;
  };
  // How many were cancelled; ENOENT, EALREADY as ASYNC_CANCEL has it.
  Result<long> cancel(const Match& match) EXCLUDES(lock);
  // Finds one to change it (POLL_REMOVE, TIMEOUT_REMOVE with updates): claimed, and the caller's. ENOENT,
  // EALREADY.
  enum class UpdateOf : std::uint8_t { poll, timeout };
  Result<UringRequest*> claim_for_update(std::uint64_t user_data, UpdateOf what) EXCLUDES(lock);
  void cancel_claimed(UringRequest& request);
  // To be issued once more, when others had their turn.
  void push_again(UringRequest& request);
  // The file is closed: everything goes.
  void close() EXCLUDES(lock);
  // What a task (null: any) of these workers' process submitted.
  void cancel_of(const UringWorkers& workers, const Task* task) EXCLUDES(lock);
  // The thread ends: what only it could run goes to the workers.
  void abandon(Task& task) EXCLUDES(ready_lock_);

  // The waiting thread's part of ready_; false when there was nothing.
  bool drain(Context& context) EXCLUDES(ready_lock_, lock);
  void begin_wait(Task& task) EXCLUDES(ready_lock_);
  void end_wait(Task& task) EXCLUDES(ready_lock_);
  core::WaitQueue enter_queue{"io_uring enter"};  // threads in io_uring_enter
  core::WaitQueue poll_queue{"io_uring"};         // poll and epoll
  core::WaitQueue sq_space{"io_uring room"};      // IORING_ENTER_SQ_WAIT

  std::atomic_ref<std::uint32_t> word(std::uint32_t UringShared::* member) const;
  std::uint32_t sq_entries = 0, cq_entries = 0;

  core::Mutex lock{"io_uring"};
  // Held while the program's ring of buffers is read; nothing but memory locks inside.
  core::Mutex buffers_lock{"io_uring buffers"};
  UringBuffers buffers GUARDED_BY(buffers_lock);
  base::IntrusiveList<UringRequest, &UringRequest::ring_hook> all GUARDED_BY(lock);
  base::IntrusiveList<UringRequest, &UringRequest::timeout_hook> counted_timeouts GUARDED_BY(lock);
  std::uint64_t posted GUARDED_BY(lock) = 0;

 private:
  friend class UringSqThread;
  struct Overflow {
    Overflow* next;
    UringCqe cqe;
  };
  struct Completion {
    std::uint64_t user_data;
    std::int32_t result;
    std::uint32_t flags;
  };
  std::uint32_t free_slots_locked() const REQUIRES(lock);
  UringCqe* next_slot_locked() REQUIRES(lock);
  void post_all_locked(std::span<const Completion> completions) REQUIRES(lock);
  [[gnu::noinline]] void post_overflow_locked(const UringCqe& cqe) REQUIRES(lock);
  void post_locked(std::uint64_t user_data, std::int32_t result, std::uint32_t cqe_flags) REQUIRES(lock);
  void fire_counted_timeouts_locked() REQUIRES(lock);
  static UringRequest* finish_chain(UringRequest& request, bool failed);
  void end_linked_timeout(UringRequest* timeout) EXCLUDES(lock);
  UringRequest* step(Context& context, UringRequest& request, Patience patience) EXCLUDES(lock);
  UringRequest* go_async(Context& context, UringRequest& request) EXCLUDES(lock);
  UringRequest* resume_timeout(UringRequest& request) EXCLUDES(lock);
  void release_deferred_locked() REQUIRES(lock);
  bool defer(UringRequest& head) EXCLUDES(lock);
  bool cancel_one_locked(UringRequest& request, bool& busy) REQUIRES(lock);
  // Makes it a request that cancellation and the end of its process find; frees it when it fails. ENOMEM.
  Result<UringRequest*> enrol(Context& context, std::unique_ptr<UringRequest> request) EXCLUDES(lock);
  // Completions of entries that were carried out in place, posted under one lock: at the end of a submission,
  // when the batch is full, and before anything that posts by itself.
  struct Batch {
    static constexpr unsigned capacity = 16;
    Completion completions[capacity];
    unsigned count = 0;
    unsigned silent = 0;       // ended without a completion
    bool posted_some = false;  // since the ring was last notified
  };
  // What most entries need: the one in `spare_` is done in place, without a request that others see, if it
  // need not wait. ENOMEM.
  Result<void> carry_out(Context& context, Batch& batch) REQUIRES(submit_lock) EXCLUDES(lock);
  void post_batch(Batch& batch) REQUIRES(submit_lock) EXCLUDES(lock);
  bool read_entry(UringSqe& entry) REQUIRES(submit_lock);
  Result<void> check_entry(UringRequest& request) REQUIRES(submit_lock);
  // The one in `spare_`.
  Result<void> submit_one(Context& context, UringRequest*& head, UringRequest*& last) REQUIRES(submit_lock);
  void queue_chain(Context& context, UringRequest& head);

  std::uint32_t sq_head_ = 0;                                    // with submit_lock
  std::unique_ptr<UringRequest> spare_ GUARDED_BY(submit_lock);  // the next one
  // As many as deferred_ has; grows with submit_lock held, too, whose holder so trusts a zero.
  std::atomic<std::uint32_t> deferred_count_{0};
  std::uint32_t cq_tail_ GUARDED_BY(lock) = 0;
  Overflow* overflow_first_ GUARDED_BY(lock) = nullptr;
  Overflow* overflow_last_ GUARDED_BY(lock) = nullptr;
  std::atomic<std::uint32_t> overflow_count_{0};
  RefPtr<event::EventFile> eventfd_ GUARDED_BY(lock);
  bool eventfd_only_async_ GUARDED_BY(lock) = false;
  std::uint64_t submitted_ GUARDED_BY(lock) = 0, finished_ GUARDED_BY(lock) = 0;
  // Behind a request with IO_DRAIN, in order.
  base::IntrusiveList<UringRequest, &UringRequest::queue_hook> deferred_ GUARDED_BY(lock);

  core::SpinLock ready_lock_{"io_uring ready"};
  base::IntrusiveList<UringRequest, &UringRequest::queue_hook> ready_ GUARDED_BY(ready_lock_);
  Task* waiting_ GUARDED_BY(ready_lock_) = nullptr;  // in io_uring_enter, or the SQPOLL thread
  bool abandoned_ GUARDED_BY(ready_lock_) = false;   // DEFER_TASKRUN without its submitter
  core::Work notify_work_{[](core::Work& work) {
    Ring* ring = base::container_of(&work, &Ring::notify_work_);
    ring->notify();
    ring->release_reference();
  }};
};

}  // namespace linux_abi
