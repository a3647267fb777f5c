// The ring itself: its memory, completions, ready lists.
#include "syscalls/async_io/uring_ring.h"

#include <algorithm>
#include <bit>

#include "syscalls/async_io/uring_workers.h"

namespace linux_abi {

using core::IrqSave;
using core::MutexGuard;
using core::SpinGuard;

namespace {

constexpr std::uint32_t known_setup_flags =
    uring::setup_sqpoll | uring::setup_sq_affinity | uring::setup_cq_size | uring::setup_clamp |
    uring::setup_attach_wq | uring::setup_disabled | uring::setup_submit_all | uring::setup_coop_taskrun |
    uring::setup_taskrun_flag | uring::setup_sqe128 | uring::setup_cqe32 | uring::setup_single_issuer |
    uring::setup_defer_taskrun | uring::setup_no_sq_array;

Result<void> check_setup_flags(std::uint32_t flags) {
  auto has = [&](std::uint32_t flag) { return (flags & flag) != 0; };
  if (flags & ~known_setup_flags) return error(Errno::einval);
  if (has(uring::setup_sq_affinity) && !has(uring::setup_sqpoll)) return error(Errno::einval);
  bool cooperative = has(uring::setup_coop_taskrun) || has(uring::setup_defer_taskrun);
  if (has(uring::setup_sqpoll) && (cooperative || has(uring::setup_taskrun_flag)))
    return error(Errno::einval);
  if (has(uring::setup_taskrun_flag) && !cooperative) return error(Errno::einval);
  if (has(uring::setup_defer_taskrun) && !has(uring::setup_single_issuer)) return error(Errno::einval);
  return {};
}

Result<std::uint32_t> checked_entries(std::uint32_t wanted, std::uint32_t largest, bool clamp) {
  if (wanted == 0) return error(Errno::einval);
  if (wanted > largest) {
    if (!clamp) return error(Errno::einval);
    wanted = largest;
  }
  return std::bit_ceil(wanted);
}

constexpr std::size_t cqes_offset = sizeof(UringShared);
std::size_t cqe_size(std::uint32_t flags) {
  return flags & uring::setup_cqe32 ? 2 * sizeof(UringCqe) : sizeof(UringCqe);
}

void describe(UringParameters& parameters) {
  parameters.sq = {.head = offsetof(UringShared, sq_head),
                   .tail = offsetof(UringShared, sq_tail),
                   .ring_mask = offsetof(UringShared, sq_mask),
                   .ring_entries = offsetof(UringShared, sq_entries),
                   .word4 = offsetof(UringShared, sq_flags),
                   .word5 = offsetof(UringShared, sq_dropped)};
  auto array = cqes_offset + parameters.cq_entries * cqe_size(parameters.flags);
  if (!(parameters.flags & uring::setup_no_sq_array)) parameters.sq.word6 = static_cast<std::uint32_t>(array);
  parameters.cq = {.head = offsetof(UringShared, cq_head),
                   .tail = offsetof(UringShared, cq_tail),
                   .ring_mask = offsetof(UringShared, cq_mask),
                   .ring_entries = offsetof(UringShared, cq_entries),
                   .word4 = offsetof(UringShared, cq_overflow),
                   .word5 = cqes_offset,
                   .word6 = offsetof(UringShared, cq_flags)};
  using namespace uring;
  parameters.features = feature_single_mmap | feature_no_drop | feature_submit_stable |
                        feature_current_position | feature_current_personality | feature_fast_poll |
                        feature_poll_32bits | feature_sqpoll_nonfixed | feature_extended_argument |
                        feature_native_workers | feature_cqe_skip | feature_linked_file |
                        feature_register_ring;
}

}  // namespace

Result<RefPtr<Ring>> Ring::create(unsigned entries, UringParameters& parameters) {
  for (std::uint32_t word : parameters.reserved)
    if (word) return error(Errno::einval);
  TRY(check_setup_flags(parameters.flags));
  bool clamp = parameters.flags & uring::setup_clamp;
  parameters.sq_entries = TRY(checked_entries(entries, uring::largest_sq, clamp));
  if (parameters.flags & uring::setup_cq_size) {
    parameters.cq_entries = TRY(checked_entries(parameters.cq_entries, uring::largest_cq, clamp));
    if (parameters.cq_entries < parameters.sq_entries) return error(Errno::einval);
  } else {
    parameters.cq_entries = 2 * parameters.sq_entries;
  }
  describe(parameters);

  auto ring = TRY(base::try_make_ref<Ring>());
  ring->flags = parameters.flags;
  ring->sq_entries = parameters.sq_entries;
  ring->cq_entries = parameters.cq_entries;
  ring->disabled.store(ring->has(uring::setup_disabled));
  std::size_t size = cqes_offset + parameters.cq_entries * cqe_size(parameters.flags);
  if (!ring->has(uring::setup_no_sq_array)) size += parameters.sq_entries * sizeof(std::uint32_t);
  ring->rings = TRY(SharedPages::create(size));
  std::size_t sqe = ring->has(uring::setup_sqe128) ? 2 * sizeof(UringSqe) : sizeof(UringSqe);
  ring->sqes = TRY(SharedPages::create(parameters.sq_entries * sqe));
  ring->word(&UringShared::sq_mask).store(ring->sq_entries - 1);
  ring->word(&UringShared::cq_mask).store(ring->cq_entries - 1);
  ring->word(&UringShared::sq_entries).store(ring->sq_entries);
  ring->word(&UringShared::cq_entries).store(ring->cq_entries);
  return ring;
}

Ring::~Ring() {
  while (overflow_first_) delete std::exchange(overflow_first_, overflow_first_->next);
}

std::atomic_ref<std::uint32_t> Ring::word(std::uint32_t UringShared::* member) const {
  return std::atomic_ref<std::uint32_t>(static_cast<UringShared*>(rings->at(0))->*member);
}

bool Ring::has_submissions() const {
  return word(&UringShared::sq_tail).load(std::memory_order_acquire) !=
         word(&UringShared::sq_head).load(std::memory_order_relaxed);
}
bool Ring::is_sq_full() const {
  return word(&UringShared::sq_tail).load(std::memory_order_acquire) -
             word(&UringShared::sq_head).load(std::memory_order_relaxed) >=
         sq_entries;
}
std::uint32_t Ring::ready_completions() const {
  std::uint32_t count = word(&UringShared::cq_tail).load(std::memory_order_acquire) -
                        word(&UringShared::cq_head).load(std::memory_order_acquire);
  return std::min(count, cq_entries);
}

// ---- Completions ----

std::uint32_t Ring::free_slots_locked() const {
  // acquire: what the program read before it moved its head stays until then.
  std::uint32_t used = cq_tail_ - word(&UringShared::cq_head).load(std::memory_order_acquire);
  return used < cq_entries ? cq_entries - used : 0;
}

UringCqe* Ring::next_slot_locked() {
  if (free_slots_locked() == 0) return nullptr;
  std::size_t index = cq_tail_ & (cq_entries - 1);
  return static_cast<UringCqe*>(rings->at(cqes_offset + index * cqe_size(flags)));
}

void Ring::post_all_locked(std::span<const Completion> completions) {
  if (overflow_first_ || completions.size() > free_slots_locked()) [[unlikely]] {
    for (const Completion& one : completions) post_locked(one.user_data, one.result, one.flags);
    return;
  }
  auto* first = static_cast<UringCqe*>(rings->at(cqes_offset));
  std::size_t step = cqe_size(flags) / sizeof(UringCqe);
  std::uint32_t tail = cq_tail_, mask = cq_entries - 1;
  for (const Completion& one : completions)
    first[(tail++ & mask) * step] = {one.user_data, one.result, one.flags};
  posted += completions.size();
  cq_tail_ = tail;
  // release: the entries are there before the program sees them.
  word(&UringShared::cq_tail).store(tail, std::memory_order_release);
}

void Ring::post_locked(std::uint64_t user_data, std::int32_t result, std::uint32_t cqe_flags) {
  ++posted;
  UringCqe* slot = overflow_first_ ? nullptr : next_slot_locked();
  if (!slot) [[unlikely]]
    return post_overflow_locked({user_data, result, cqe_flags});
  *slot = {user_data, result, cqe_flags};
  // release: the entry is there before the program sees it.
  word(&UringShared::cq_tail).store(++cq_tail_, std::memory_order_release);
}

void Ring::post_overflow_locked(const UringCqe& cqe) {
  auto* entry = new (std::nothrow) Overflow{nullptr, cqe};
  if (!entry) {
    word(&UringShared::cq_overflow).fetch_add(1);
    return;
  }
  (overflow_last_ ? overflow_last_->next : overflow_first_) = entry;
  overflow_last_ = entry;
  overflow_count_.fetch_add(1, std::memory_order_relaxed);
  word(&UringShared::sq_flags).fetch_or(uring::sq_cq_overflow);
}

void Ring::flush_overflow() {
  MutexGuard guard{lock};
  while (overflow_first_) {
    UringCqe* slot = next_slot_locked();
    if (!slot) return;
    std::unique_ptr<Overflow> entry(overflow_first_);
    overflow_first_ = entry->next;
    overflow_count_.fetch_sub(1, std::memory_order_relaxed);
    *slot = entry->cqe;
    word(&UringShared::cq_tail).store(++cq_tail_, std::memory_order_release);
  }
  overflow_last_ = nullptr;
  word(&UringShared::sq_flags).fetch_and(~uring::sq_cq_overflow);
}

void Ring::notify() {
  if (enter_queue.has_waiters()) enter_queue.wake_all();
  if (poll_queue.has_waiters()) poll_queue.wake_all(vfs::poll_readable);
  RefPtr<event::EventFile> file;
  {
    MutexGuard guard{lock};
    file = eventfd_;
  }
  if (file && !(word(&UringShared::cq_flags).load() & uring::cq_eventfd_disabled)) file->signal(1);
}

void Ring::post(std::uint64_t user_data, std::int32_t result, std::uint32_t cqe_flags) {
  {
    MutexGuard guard{lock};
    post_locked(user_data, result, cqe_flags);
    fire_counted_timeouts_locked();
  }
  notify();
}
void Ring::post(const UringRequest& request, std::int32_t result, std::uint32_t cqe_flags) {
  post(request.user_data(), result, cqe_flags);
}

// The list is in the order of the targets.
void Ring::fire_counted_timeouts_locked() {
  while (UringRequest* first = counted_timeouts.first()) {
    if (first->completion_target > posted) return;
    counted_timeouts.remove(*first);
    if (!first->claim()) continue;
    first->fired = UringRequest::Fired::event;
    push_ready(*first);
  }
}

Result<void> Ring::set_eventfd(RefPtr<event::EventFile> file, bool only_async) {
  MutexGuard guard{lock};
  if (eventfd_) return error(Errno::ebusy);
  eventfd_ = std::move(file);
  eventfd_only_async_ = only_async;
  return {};
}

Result<void> Ring::remove_eventfd() {
  RefPtr<event::EventFile> old;
  MutexGuard guard{lock};
  if (!eventfd_) return error(Errno::enxio);
  std::swap(old, eventfd_);
  return {};
}

// ---- Requests whose wait has ended ----

void Ring::push_ready(UringRequest& request) {
  bool tell_pollers = false;
  {
    SpinGuard<IrqSave> guard{ready_lock_};
    bool deferring = has(uring::setup_defer_taskrun) && !abandoned_;
    if (!deferring && (!waiting_ || waiting_ != request.submitter))
      return request.workers->push_ready(request);
    ready_.push_back(request);
    if (deferring && has(uring::setup_taskrun_flag)) word(&UringShared::sq_flags).fetch_or(uring::sq_taskrun);
    tell_pollers = !waiting_;
    // Inside the lock: afterwards the request, and the ring with it, may be gone.
    enter_queue.wake_all();
    if (tell_pollers) {
      acquire_reference();
      if (!core::WorkQueue::system().post(notify_work_)) release_reference();
    }
  }
}

bool Ring::has_work() {
  SpinGuard<IrqSave> guard{ready_lock_};
  return !ready_.empty();
}

bool Ring::is_worth_waking(const Task& task, std::uint32_t wanted) {
  if (ready_completions() >= wanted) return true;
  {
    SpinGuard<IrqSave> guard{ready_lock_};
    if (waiting_ == &task && !ready_.empty()) return true;
  }
  return has_overflow() && ready_completions() < cq_entries;
}

bool Ring::drain(Context& context) {
  base::IntrusiveList<UringRequest, &UringRequest::queue_hook> mine;
  {
    SpinGuard<IrqSave> guard{ready_lock_};
    // Another's requests may be of another process, with other memory.
    if (waiting_ != &context.task) return false;
    mine.splice_back(ready_);
    if (has(uring::setup_taskrun_flag)) word(&UringShared::sq_flags).fetch_and(~uring::sq_taskrun);
  }
  if (mine.empty()) return false;
  while (UringRequest* request = mine.pop_front()) resume(context, *request);
  return true;
}

void Ring::begin_wait(Task& task) {
  SpinGuard<IrqSave> guard{ready_lock_};
  if (!waiting_) waiting_ = &task;
}

void Ring::end_wait(Task& task) {
  SpinGuard<IrqSave> guard{ready_lock_};
  if (waiting_ != &task) return;
  waiting_ = nullptr;
  if (has(uring::setup_defer_taskrun) && !abandoned_) return;
  while (UringRequest* request = ready_.pop_front()) request->workers->push_ready(*request);
}

void Ring::abandon(Task& task) {
  SpinGuard<IrqSave> guard{ready_lock_};
  if (waiting_ == &task) waiting_ = nullptr;
  if (has(uring::setup_defer_taskrun)) {
    if (submitter.load() != &task) return;
    abandoned_ = true;
  }
  while (UringRequest* request = ready_.pop_front()) request->workers->push_ready(*request);
}

}  // namespace linux_abi
