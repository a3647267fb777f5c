// POSIX message queues (mq_overview(7)): files of a file system of their own, one instance for the system.
//
//   auto file = TRY(mqueue::open(caller, "name", flags, mode, &attributes));
//   TRY(mqueue::queue_of(*file)->send(bytes, priority, deadline, non_blocking));
//
// A queue gives out the oldest of the messages with the highest priority. It can tell one process, once, that
// a message came when there was none and nobody waits for it.
//
// Locking: lock_ of a queue protects its messages and its notification; it is a leaf, except that
// Notification::deliver() runs under it (and takes the locks of signals).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/ref.h"
#include "core/sync/mutex.h"
#include "core/sync/wait_queue.h"
#include "vfs/context.h"
#include "vfs/file.h"

namespace mqueue {

using base::RefPtr;
using base::Result;

inline constexpr std::uint32_t priority_end = 32768;

struct Attributes {
  std::uint64_t messages_max = 10, message_size_max = 8192;
};

// /proc/sys/fs/mqueue, with Linux's defaults.
struct Limits {
  std::atomic<std::uint32_t> queues_max{256}, messages_max{10}, message_size_max{8192}, messages_default{10},
      message_size_default{8192};
};
extern constinit Limits limits;

// What a queue's creator is charged for it (RLIMIT_MSGQUEUE); given back when it goes.
class Charge : public base::RefCounted<Charge> {
 public:
  virtual ~Charge() = default;
};
// By the personality. EMFILE.
using ChargeHook = Result<RefPtr<Charge>> (*)(std::uint64_t bytes);
void set_charge_hook(ChargeHook hook);

// Who wants to know of the first message.
class Notification : public base::RefCounted<Notification> {
 public:
  virtual ~Notification() = default;
  virtual void deliver() = 0;
  virtual const void* owner() const = 0;
  // For the text of the queue's file.
  virtual int kind() const = 0;
  virtual int signal_number() const = 0;
  virtual int process_id() const = 0;
};

class Queue {
 public:
  explicit Queue(const Attributes& attributes, RefPtr<Charge> charge)
      : attributes_(attributes), charge_(std::move(charge)) {}
  ~Queue();

  const Attributes& attributes() const { return attributes_; }
  std::size_t message_count();
  // EMSGSIZE, EAGAIN, ETIMEDOUT, EINTR, ENOMEM.
  Result<void> send(core::IoBuffer& from, std::uint32_t priority, core::Deadline deadline, bool non_blocking);
  struct Received {
    std::size_t size = 0;
    std::uint32_t priority = 0;
  };
  Result<Received> receive(core::IoBuffer& to, core::Deadline deadline, bool non_blocking);
  // EBUSY.
  Result<void> set_notification(RefPtr<Notification> notification);
  // Only the owner's own.
  void remove_notification(const void* owner);
  vfs::PollEvents poll(vfs::PollWaiter* waiter);
  void put_text(base::TextSink& out);

 private:
  struct Message;
  void insert_locked(Message& message) REQUIRES(lock_);

  const Attributes attributes_;
  const RefPtr<Charge> charge_;
  core::Mutex lock_{"message queue"};
  Message* head_ GUARDED_BY(lock_) = nullptr;  // the next to be received
  std::size_t count_ GUARDED_BY(lock_) = 0, bytes_ GUARDED_BY(lock_) = 0;
  unsigned receivers_ GUARDED_BY(lock_) = 0;
  RefPtr<Notification> notification_ GUARDED_BY(lock_);
  core::WaitQueue readable_, writable_;
};

// Null: not a message queue.
Queue* queue_of(vfs::File& file);

// mq_open(2). With open_create: `attributes` of a new queue, or the defaults. `name` without a slash.
Result<RefPtr<vfs::File>> open(vfs::FileSystemContext& context, const vfs::Credentials& credentials,
                               std::string_view name, vfs::OpenFlags flags, vfs::Mode mode,
                               const Attributes* attributes);
Result<void> unlink(const vfs::Credentials& credentials, std::string_view name);
// By the personality: who closes a descriptor, for notifications that go with it.
using OwnerHook = const void* (*)();
void set_owner_hook(OwnerHook hook);

}  // namespace mqueue
