#include "syscalls/async_io/aio_context.h"

#include <algorithm>

#include "arch/cpu.h"
#include "core/init/init_step.h"
#include "procfs/procfs.h"

namespace linux_abi {

namespace {

// /proc/sys/fs: how many requests all contexts together may have, and have.
constinit std::atomic<std::uint64_t> most_requests{65536}, requests{0};

Result<void> show_most(base::TextSink& out) {
  base::format(out, "{}\n", most_requests.load(std::memory_order_relaxed));
  return {};
}
Result<void> store_most(std::string_view text) {
  std::int64_t value = TRY(procfs::parse_number(text));
  if (value < 0) return error(Errno::einval);
  most_requests.store(static_cast<std::uint64_t>(value), std::memory_order_relaxed);
  return {};
}
Result<void> show_requests(base::TextSink& out) {
  base::format(out, "{}\n", requests.load(std::memory_order_relaxed));
  return {};
}

Result<void> add_settings() {
  TRY(procfs::add_text("sys/fs/aio-max-nr", 0644, show_most, store_most));
  return procfs::add_text("sys/fs/aio-nr", 0444, show_requests);
}
INIT_STEP aio_step{"linux.aio", {"procfs"}, add_settings, {"personality"}};

Result<void> charge(unsigned events) {
  std::uint64_t limit = most_requests.load(std::memory_order_relaxed), now = requests.load();
  do {
    if (now + events > limit) return error(Errno::eagain);
  } while (!requests.compare_exchange_weak(now, now + events));
  return {};
}

constexpr std::uint64_t largest_ring = 0x10000000;

}  // namespace

AioPoll::AioPoll(RefPtr<AioContext> context, RefPtr<vfs::File> file, vfs::PollEvents events, AioTicket ticket)
    : context_(std::move(context)),
      file_(std::move(file)),
      events_(events),
      ticket_(std::move(ticket)),
      work_([](core::Work& work) {
        AioPoll* poll = base::container_of(&work, &AioPoll::work_);
        RefPtr<AioContext> keep = poll->context_;
        keep->poll_is_ready(*poll);
      }) {}

Result<RefPtr<AioContext>> AioContext::create(unsigned events) {
  if (events == 0 || events > largest_ring / sizeof(AioEvent)) return error(Errno::einval);
  if (events > most_requests.load(std::memory_order_relaxed)) return error(Errno::eagain);
  auto context = TRY(base::try_make_ref<AioContext>());
  TRY(charge(events));
  context->charged_ = events;
  // Linux's sizes: room for batches of every CPU, twice, one slot that tells full from empty, whole pages.
  std::uint64_t slots = (std::max<std::uint64_t>(events, arch::cpu_count() * 4) * 2) + 2;
  context->pages_ = TRY(SharedPages::create(sizeof(AioRingHead) + slots * sizeof(AioEvent)));
  context->slots_ =
      static_cast<std::uint32_t>((context->pages_->size() - sizeof(AioRingHead)) / sizeof(AioEvent));
  context->word(&AioRingHead::slots).store(context->slots_);
  context->word(&AioRingHead::magic).store(aio_ring_magic);
  context->word(&AioRingHead::compatible).store(1);
  context->word(&AioRingHead::header_length).store(sizeof(AioRingHead));
  core::MutexGuard guard{context->lock_};
  context->free_slots_ = context->slots_ - 1;
  return context;
}

AioContext::~AioContext() { requests.fetch_sub(charged_); }

Result<void> AioContext::map_into(core::AddressSpace& space) {
  address_ = TRY(space.map({.length = pages_->size(),
                            .protection = core::Protection::read | core::Protection::write,
                            .flags = core::MapFlags::shared,
                            .object = pages_,
                            .name = "/[aio] (deleted)"}));
  return {};
}

void AioContext::set_id(std::uint32_t id) {
  id_ = id;
  word(&AioRingHead::id).store(id);
}

std::atomic_ref<std::uint32_t> AioContext::word(std::uint32_t AioRingHead::* member) const {
  return std::atomic_ref<std::uint32_t>(static_cast<AioRingHead*>(pages_->at(0))->*member);
}
std::uint32_t AioContext::head() const {
  // acquire: what the program read of the events before it moved head stays before we overwrite them.
  return word(&AioRingHead::head).load(std::memory_order_acquire) % slots_;
}
AioEvent& AioContext::event(std::uint32_t index) const {
  return *static_cast<AioEvent*>(pages_->at(sizeof(AioRingHead) + index * sizeof(AioEvent)));
}

// ---- Slots and completion ----

void AioContext::refill_locked() {
  std::uint32_t first = head();
  std::uint32_t unread = first <= tail_ ? tail_ - first : slots_ - (first - tail_);
  if (unread >= completed_) return;
  free_slots_ += completed_ - unread;
  completed_ = unread;
}

Result<void> AioContext::reserve() {
  core::MutexGuard guard{lock_};
  if (dead_) return error(Errno::einval);
  if (free_slots_ == 0) refill_locked();
  if (free_slots_ == 0) return error(Errno::eagain);
  --free_slots_;
  ++in_flight_;
  return {};
}

void AioContext::cancel_reservation() {
  core::MutexGuard guard{lock_};
  ++free_slots_;
  if (--in_flight_ == 0 && dead_) waiters_.wake_all();
}

void AioContext::put_locked(const AioTicket& ticket, std::int64_t result) {
  event(tail_) = AioEvent{ticket.data, ticket.object, result, 0};
  if (++tail_ == slots_) tail_ = 0;
  // release: the event is there before the program sees it.
  word(&AioRingHead::tail).store(tail_, std::memory_order_release);
  ++completed_;
  refill_locked();
  --in_flight_;
}

void AioContext::complete(const AioTicket& ticket, std::int64_t result) {
  {
    core::MutexGuard guard{lock_};
    put_locked(ticket, result);
  }
  if (ticket.signal) ticket.signal->signal(1);
  waiters_.wake_all();
}

// ---- Polls ----

Result<void> AioContext::start_poll(RefPtr<vfs::File> file, vfs::PollEvents events, AioTicket ticket) {
  auto poll = TRY(base::try_make_unique<AioPoll>(RefPtr<AioContext>(this), std::move(file), events, ticket));
  vfs::PollEvents now = 0;
  {
    core::MutexGuard guard{lock_};
    now = TRY(poll->arm(*poll->file_, poll->events_));
    // From here on it belongs to the list.
    if (!now) polls_.push_back(*poll.release());
  }
  if (now) complete(ticket, now);
  return {};
}

// In a worker of the kernel, after ready() or a claim.
void AioContext::poll_is_ready(AioPoll& poll) {
  vfs::PollEvents now = 0;
  {
    core::MutexGuard guard{lock_};
    poll.disarm();
    if (!poll.cancelled_ && !dead_) {
      auto armed = poll.arm(*poll.file_, poll.events_);
      now = armed ? *armed : vfs::PollEvents{vfs::poll_error};
      if (!now) return;  // it was for somebody else: the wait goes on
    }
    polls_.remove(poll);
  }
  complete(poll.ticket_, now);
  delete &poll;
}

Result<void> AioContext::cancel(std::uint64_t object) {
  core::MutexGuard guard{lock_};
  for (AioPoll& poll : polls_) {
    if (poll.ticket_.object != object || !poll.claim()) continue;
    poll.cancelled_ = true;
    poll.ready();
    return {};
  }
  return error(Errno::einval);
}

void AioContext::shut_down() {
  core::MutexGuard guard{lock_};
  dead_ = true;
  for (AioPoll& poll : polls_)
    if (poll.claim()) {
      poll.cancelled_ = true;
      poll.ready();
    }
  waiters_.wake_all();
  (void)!waiters_.wait(guard, core::WaitMode::uninterruptible, [&] {
    lock_.assert_held();
    return in_flight_ == 0;
  });
}

// ---- Taking events ----

Result<long> AioContext::read_events(long minimum, long count, UserArray<AioEvent> to,
                                     core::Deadline deadline) {
  long got = 0;
  for (;;) {
    bool dead;
    {
      core::MutexGuard reading{read_lock_};
      std::uint32_t first = head(), last;
      {
        core::MutexGuard guard{lock_};
        last = tail_;
        dead = dead_;
      }
      while (first != last && got < count) {
        AioEvent copy = event(first);
        if (!to.write(std::span<const AioEvent>(&copy, 1), static_cast<std::size_t>(got))) {
          return got ? Result<long>(got) : error(Errno::efault);
        }
        ++got;
        if (++first == slots_) first = 0;
        word(&AioRingHead::head).store(first, std::memory_order_release);
      }
    }
    if (got >= minimum || got == count) return got;
    if (dead) return got ? Result<long>(got) : error(Errno::einval);
    auto waited = waiters_.wait(
        core::WaitMode::interruptible,
        [&] {
          core::MutexGuard guard{lock_};
          return dead_ || head() != tail_;
        },
        deadline);
    if (waited) continue;
    if (got) return got;
    if (waited.error() == Errno::etimedout) return 0;
    return error(Errno::restart_no_handler);
  }
}

}  // namespace linux_abi
