// One context of Linux aio (io_setup(2)): a ring of completed events in memory that the program sees, and the
// requests on their way.
//
//   io_submit --> reserve() --> the transfer, at once --> complete() --> event in the ring --> io_getevents
//                          `--> a poll that waits  -----'
//
// As on Linux, transfers are done within io_submit; only polls are left waiting. The program may take events
// out of the ring itself by moving `head`, so nothing in the ring is believed: the tail that counts is our
// own, and head is taken modulo the size.
//
// Slots: a request holds one from reserve() on; it comes back when its event has left the ring.
//
// Locking: read_lock_ (one reader of events at a time; held while events are copied out), then lock_ (ring,
// slots, waiting polls), then those of the polled file.
#pragma once

#include <atomic>

#include "base/intrusive_list.h"
#include "core/sched/work_queue.h"
#include "core/sync/mutex.h"
#include "core/sync/wait_queue.h"
#include "event/event_file.h"
#include "linux_abi/prelude.h"
#include "syscalls/async_io/aio_abi.h"
#include "syscalls/async_io/poll_arm.h"
#include "syscalls/async_io/shared_pages.h"

namespace linux_abi {

// What the completion of a request needs to know.
struct AioTicket {
  std::uint64_t object = 0, data = 0;  // the block's address, and its data
  RefPtr<event::EventFile> signal;
};

class AioContext;

// A poll that waits. On its context's list, and owned by it, until whoever claimed it has completed it.
class AioPoll final : public PollArm {
 public:
  AioPoll(RefPtr<AioContext> context, RefPtr<vfs::File> file, vfs::PollEvents events, AioTicket ticket);

 private:
  friend class AioContext;
  void ready() override { core::WorkQueue::system().post(work_); }

  base::ListHook hook;
  const RefPtr<AioContext> context_;
  const RefPtr<vfs::File> file_;
  const vfs::PollEvents events_;
  const AioTicket ticket_;
  bool cancelled_ = false;  // by whoever claimed it
  core::Work work_;
};

class AioContext : public base::RefCounted<AioContext> {
 public:
  // For `events` requests in flight. EINVAL, EAGAIN (beyond aio-max-nr), ENOMEM.
  static Result<RefPtr<AioContext>> create(unsigned events);
  AioContext() = default;
  ~AioContext();

  // Once, after create(): maps the ring into the program.
  Result<void> map_into(core::AddressSpace& space);
  UserAddress address() const { return address_; }
  std::uint32_t id() const { return id_; }
  void set_id(std::uint32_t id);
  unsigned slots() const { return slots_; }
  std::size_t ring_size() const { return pages_->size(); }

  // A slot for a request; EAGAIN when all are taken, EINVAL once it is being destroyed.
  Result<void> reserve() EXCLUDES(lock_);
  void cancel_reservation() EXCLUDES(lock_);
  void complete(const AioTicket& ticket, std::int64_t result) EXCLUDES(lock_);

  // Takes over ticket and slot when it succeeds.
  Result<void> start_poll(RefPtr<vfs::File> file, vfs::PollEvents events, AioTicket ticket) EXCLUDES(lock_);
  // The poll with this block; EINVAL when there is none.
  Result<void> cancel(std::uint64_t object) EXCLUDES(lock_);

  Result<long> read_events(long minimum, long count, UserArray<AioEvent> to, core::Deadline deadline)
      EXCLUDES(read_lock_, lock_);
  // io_destroy: cancels, and waits until nothing is on its way.
  void shut_down() EXCLUDES(lock_);

 private:
  friend class AioPoll;
  std::atomic_ref<std::uint32_t> word(std::uint32_t AioRingHead::* member) const;
  std::uint32_t head() const;
  AioEvent& event(std::uint32_t index) const;
  void put_locked(const AioTicket& ticket, std::int64_t result) REQUIRES(lock_);
  void refill_locked() REQUIRES(lock_);
  void poll_is_ready(AioPoll& poll) EXCLUDES(lock_);

  UserAddress address_{};
  std::uint32_t id_ = 0, slots_ = 0;
  unsigned charged_ = 0;  // against aio-max-nr
  RefPtr<SharedPages> pages_;
  core::Mutex read_lock_{"aio readers"};
  core::Mutex lock_{"aio"};
  core::WaitQueue waiters_{"aio waiters"};
  std::uint32_t tail_ GUARDED_BY(lock_) = 0;
  std::uint32_t free_slots_ GUARDED_BY(lock_) = 0;
  std::uint32_t completed_ GUARDED_BY(lock_) = 0;  // events whose slot has not come back
  std::uint32_t in_flight_ GUARDED_BY(lock_) = 0;
  bool dead_ GUARDED_BY(lock_) = false;
  base::IntrusiveList<AioPoll, &AioPoll::hook> polls_ GUARDED_BY(lock_);
};

}  // namespace linux_abi
