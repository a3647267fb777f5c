// The life of requests: issuing, waiting, ending, chains, cancellation.
#include "core/time/clock.h"
#include "syscalls/async_io/rows.h"
#include "syscalls/async_io/uring_ops.h"
#include "syscalls/async_io/uring_ring.h"
#include "syscalls/async_io/uring_workers.h"

namespace linux_abi {

using core::MutexGuard;

namespace {

bool is_timeout(const UringRequest& request) {
  return request.sqe.opcode == uring::op_timeout || request.sqe.opcode == uring::op_link_timeout;
}

std::int32_t result_of(const Result<long>& result) {
  if (result) return static_cast<std::int32_t>(*result);
  return -static_cast<std::int32_t>(event_error(result.error()));
}

// Does this end of a request break its chain?
bool breaks_chain(const UringRequest& request, std::int32_t result) {
  if (result < 0)
    return !(result == -static_cast<std::int32_t>(Errno::etime) && request.sqe.opcode == uring::op_timeout &&
             (request.sqe.op_flags & uring::timeout_success));
  return uring_moves_data(request.sqe.opcode) &&
         static_cast<std::uint32_t>(result) != uring_expected_length(request);
}

}  // namespace

// ---- Issuing ----

void Ring::run(Context& context, UringRequest* request, Patience patience) {
  while (request) {
    request = step(context, *request, patience);
    // What follows in a chain begins without waiting again.
    patience = Patience::none;
  }
}

UringRequest* Ring::step(Context& context, UringRequest& request, Patience patience) {
  request.started = true;
  if (request.failed != Errno{}) return finish(request, -static_cast<std::int32_t>(request.failed));
  if (request.cancel_wanted.load()) return finish(request, -static_cast<std::int32_t>(Errno::ecanceled));
  UringRequest* follower = request.next;
  if (follower && follower->sqe.opcode == uring::op_link_timeout && follower->failed == Errno{}) {
    MutexGuard guard{lock};
    request.next = std::exchange(follower->next, nullptr);
    request.linked_timeout = follower;
    follower->guarded = &request;
    follower->started = true;
  }
  if (patience == Patience::none && request.has_flag(uring::async) && uring_can_wait(request.sqe.opcode)) {
    start_linked_timeout(request);
    request.workers->queue(request);
    return nullptr;
  }
  Result<long> result = uring_issue(context, *this, request, patience == Patience::may_wait);
  if (!result && result.error() == uring_taken) return nullptr;
  if (!result && result.error() == Errno::eagain && patience == Patience::none && !request.no_wait)
    return go_async(context, request);
  return finish(request, result_of(result), request.cqe_flags);
}

Result<void> Ring::carry_out(Context& context, Batch& batch) {
  UringRequest& request = *spare_;
  request.submitter = &context.task;
  Result<long> result = uring_issue(context, *this, request, false);
  if (!result && result.error() == Errno::eagain && !request.no_wait) {
    post_batch(batch);
    // Now it is one like any other.
    UringRequest& waiting = *TRY(enrol(context, std::move(spare_)));
    waiting.started = true;
    run(context, go_async(context, waiting), Patience::none);
    return {};
  }
  std::int32_t value = result_of(result);
  bool silent = request.has_flag(uring::skip_success) && value >= 0 && !breaks_chain(request, value);
  if (silent)
    ++batch.silent;
  else
    batch.completions[batch.count++] = {request.user_data(), value, request.cqe_flags};
  // As new for the next entry.
  request.file = {};
  request.no_wait = false;
  request.poll_events = 0;
  request.cqe_flags = 0;
  if (batch.count == Batch::capacity) post_batch(batch);
  return {};
}

void Ring::post_batch(Batch& batch) {
  unsigned ended = batch.count + batch.silent;
  if (!ended) return;
  MutexGuard guard{lock};
  submitted_ += ended;
  finished_ += ended;
  post_all_locked({batch.completions, batch.count});
  fire_counted_timeouts_locked();
  batch.posted_some |= batch.count != 0;
  batch.count = batch.silent = 0;
}

UringRequest* Ring::run_waiting(Context& context, UringRequest& request) {
  return step(context, request, Patience::may_wait);
}

// It would have to wait: for its file, or in a worker.
UringRequest* Ring::go_async(Context& context, UringRequest& request) {
  start_linked_timeout(request);
  if (request.poll_events) {
    for (unsigned tries = 0; tries < 4; ++tries) {
      auto armed = arm_poll(request, PollArm::Entries::drop);
      if (!armed && armed.error() == Errno::ecanceled)
        return finish(request, -static_cast<std::int32_t>(Errno::ecanceled));
      if (!armed) break;
      if (*armed == 0) return nullptr;
      Result<long> result = uring_issue(context, *this, request, false);
      if (!result && result.error() == uring_taken) return nullptr;
      if (result || result.error() != Errno::eagain)
        return finish(request, result_of(result), request.cqe_flags);
    }
  }
  request.workers->queue(request);
  return nullptr;
}

Result<vfs::PollEvents> Ring::arm_poll(UringRequest& request, PollArm::Entries entries) {
  // Cancellers hold the lock: they find it armed, or are noticed here.
  MutexGuard guard{lock};
  if (request.cancel_wanted.load()) return error(Errno::ecanceled);
  request.place.store(UringRequest::Place::polling);
  auto events =
      request.arm(*request.file, request.poll_events | vfs::poll_error | vfs::poll_hang_up, entries);
  if (events && *events == 0) return events;
  if (!events || entries == PollArm::Entries::drop) request.place.store(UringRequest::Place::issuing);
  return events;
}

bool Ring::arm_timer(UringRequest& request) {
  MutexGuard guard{lock};
  if (request.cancel_wanted.load()) return false;
  if (request.completion_target) {
    UringRequest* before = counted_timeouts.last();
    while (before && before->completion_target > request.completion_target)
      before = counted_timeouts.previous(*before);
    before ? counted_timeouts.insert_after(*before, request) : counted_timeouts.push_front(request);
  }
  request.start_timer(request.deadline_ns);
  return true;
}

void Ring::resume(Context& context, UringRequest& request) {
  if (request.place.load() == UringRequest::Place::issuing) return run(context, &request, Patience::none);
  if (request.fired == UringRequest::Fired::cancel) {
    request.settle();
    return run(context, finish(request, -static_cast<std::int32_t>(Errno::ecanceled)), Patience::none);
  }
  if (is_timeout(request)) return run(context, resume_timeout(request), Patience::none);
  if (!request.multishot_on) request.settle();
  run(context, &request, Patience::none);
}

// A TIMEOUT or LINK_TIMEOUT whose time has come, or whose completions are there.
UringRequest* Ring::resume_timeout(UringRequest& request) {
  bool timed_out = request.fired == UringRequest::Fired::time;
  request.settle();
  auto etime = -static_cast<std::int32_t>(Errno::etime);
  if (request.sqe.opcode == uring::op_timeout) {
    if (timed_out && request.interval_ns && (request.repeats == 0 || --request.repeats)) {
      post(request, etime, uring::cqe_more);
      request.deadline_ns += request.interval_ns;
      if (arm_timer(request)) return nullptr;
      return finish(request, -static_cast<std::int32_t>(Errno::ecanceled));
    }
    return finish(request, timed_out ? etime : 0);
  }
  std::int32_t result = etime;
  {
    MutexGuard guard{lock};
    if (UringRequest* target = std::exchange(request.guarded, nullptr)) {
      target->linked_timeout = nullptr;
      bool busy = false;
      if (!cancel_one_locked(*target, busy)) result = -static_cast<std::int32_t>(Errno::ealready);
    }
  }
  return finish(request, result);
}

// ---- Linked time-outs ----

void Ring::start_linked_timeout(UringRequest& request) {
  MutexGuard guard{lock};
  UringRequest* timeout = request.linked_timeout;
  if (!timeout || timeout->place.load() == UringRequest::Place::timing) return;
  timeout->start_timer(timeout->deadline_ns);
}

// Its request is over: it ends with it, unless its time has come already.
void Ring::end_linked_timeout(UringRequest* timeout) {
  if (!timeout) return;
  timeout->settle();
  (void)!finish(*timeout, -static_cast<std::int32_t>(Errno::ecanceled));
}

// ---- Ending ----

UringRequest* Ring::finish_chain(UringRequest& request, bool failed) {
  UringRequest* next = std::exchange(request.next, nullptr);
  if (failed && !request.has_flag(uring::hard_link))
    for (UringRequest* at = next; at; at = at->next)
      if (at->failed == Errno{}) at->failed = Errno::ecanceled;
  return next;
}

void Ring::release_deferred_locked() {
  while (UringRequest* first = deferred_.first()) {
    if (first->has_flag(uring::drain) && finished_ < first->sequence) return;
    deferred_.remove(*first);
    // relaxed (all): see the member.
    deferred_count_.fetch_sub(1, std::memory_order_relaxed);
    first->deferred = false;
    push_ready(*first);
  }
}

UringRequest* Ring::finish(UringRequest& request, std::int32_t result, std::uint32_t cqe_flags) {
  RefPtr<Ring> keep(this);
  request.settle();
  request.workers->forget_worker(request);
  bool failed = breaks_chain(request, result);
  bool silent = request.has_flag(uring::skip_success) && result >= 0 && !failed;
  UringRequest* timeout = nullptr;
  {
    MutexGuard guard{lock};
    if (!silent) post_locked(request.user_data(), result, cqe_flags);
    if (request.ring_hook.is_linked()) all.remove(request);
    if (request.timeout_hook.is_linked()) counted_timeouts.remove(request);
    ++finished_;
    timeout = std::exchange(request.linked_timeout, nullptr);
    if (timeout) {
      timeout->guarded = nullptr;
      // Fired already: it is on its way by itself.
      if (timeout->timer_claimed.exchange(true)) timeout = nullptr;
    }
    if (UringRequest* guarded = std::exchange(request.guarded, nullptr)) guarded->linked_timeout = nullptr;
    fire_counted_timeouts_locked();
    release_deferred_locked();
  }
  if (!silent) notify();
  end_linked_timeout(timeout);
  UringRequest* next = finish_chain(request, failed);
  RefPtr<UringWorkers> workers = request.workers;
  // Its file may be the last reference to something that takes a while to close: before it counts as over.
  request.file = {};
  workers->remove(request);
  return next;
}

// ---- Order ----

bool Ring::defer(UringRequest& head) {
  MutexGuard guard{lock};
  if (deferred_.empty() && (!head.has_flag(uring::drain) || finished_ >= head.sequence)) return false;
  head.deferred = head.started = true;
  deferred_.push_back(head);
  deferred_count_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void Ring::queue_chain(Context& context, UringRequest& head) {
  if (!defer(head)) run(context, &head, Patience::none);
}

// ---- Cancellation ----

bool Ring::cancel_one_locked(UringRequest& request, bool& busy) {
  if (request.deferred) {
    deferred_.remove(request);
    deferred_count_.fetch_sub(1, std::memory_order_relaxed);
    request.deferred = false;
    request.failed = Errno::ecanceled;
    push_ready(request);
    return true;
  }
  request.cancel_wanted.store(true);
  if (!request.claim()) {
    if (!request.workers->dequeue(request)) {
      busy = true;
      return false;
    }
    request.place.store(UringRequest::Place::issuing);
    request.failed = Errno::ecanceled;
    push_ready(request);
    return true;
  }
  request.fired = UringRequest::Fired::cancel;
  push_ready(request);
  return true;
}

Result<long> Ring::cancel(const Match& match) {
  long count = 0;
  bool busy = false;
  MutexGuard guard{lock};
  all.for_each_safe([&](UringRequest& request) {
    lock.assert_held();
    if (&request == match.except || !request.started || (count && !match.all && !match.any)) return;
    if (request.sqe.opcode == uring::op_link_timeout) return;
    if (!match.any) {
      if (match.file && request.file != match.file) return;
      if (match.by_user_data && request.user_data() != match.user_data) return;
      if (match.opcode >= 0 && request.sqe.opcode != match.opcode) return;
    }
    if (request.cancel_wanted.load()) return;
    if (cancel_one_locked(request, busy)) ++count;
  });
  if (match.all || match.any) return count;
  if (count) return 0;
  return error(busy ? Errno::ealready : Errno::enoent);
}

Result<UringRequest*> Ring::claim_for_update(std::uint64_t user_data, UpdateOf what) {
  MutexGuard guard{lock};
  bool found = false;
  for (UringRequest& request : all) {
    int opcode = what == UpdateOf::timeout ? uring::op_timeout : uring::op_poll_add;
    if (request.sqe.opcode != opcode || !request.started || request.user_data() != user_data) continue;
    found = true;
    if (!request.claim()) continue;
    if (request.timeout_hook.is_linked()) counted_timeouts.remove(request);
    return &request;
  }
  return error(found ? Errno::ealready : Errno::enoent);
}

void Ring::cancel_claimed(UringRequest& request) {
  request.fired = UringRequest::Fired::cancel;
  push_ready(request);
}

void Ring::push_again(UringRequest& request) {
  request.fired = UringRequest::Fired::event;
  push_ready(request);
}

void Ring::close() {
  closing.store(true);
  MutexGuard guard{lock};
  bool busy = false;
  all.for_each_safe([&](UringRequest& request) {
    lock.assert_held();
    if (request.started && !request.cancel_wanted.load()) cancel_one_locked(request, busy);
  });
}

void Ring::cancel_of(const UringWorkers& workers, const Task* task) {
  MutexGuard guard{lock};
  bool busy = false;
  all.for_each_safe([&](UringRequest& request) {
    lock.assert_held();
    if (request.workers.get() != &workers || (task && request.submitter != task)) return;
    if (request.started && !request.cancel_wanted.load()) cancel_one_locked(request, busy);
  });
}

}  // namespace linux_abi
