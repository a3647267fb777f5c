#include <new>

#include "base/format.h"
#include "core/memory/io_buffer.h"
#include "mqueue/mqueue.h"

namespace mqueue {

using base::Errno;
using base::error;

// Followed by its bytes. Messages of one priority form a run, in the order of sending.
struct Queue::Message {
  Message* next = nullptr;
  std::uint32_t priority = 0;
  std::size_t size = 0;

  std::byte* bytes() { return static_cast<std::byte*>(static_cast<void*>(this + 1)); }
  static Result<Message*> create(std::size_t size, std::uint32_t priority) {
    void* memory = ::operator new(sizeof(Message) + size, std::nothrow);
    if (!memory) return error(Errno::enomem);
    auto* message = new (memory) Message;
    message->size = size;
    message->priority = priority;
    return message;
  }
  static void destroy(Message* message) {
    message->~Message();
    ::operator delete(static_cast<void*>(message));
  }
};

Queue::~Queue() {
  while (Message* message = head_) {
    head_ = message->next;
    Message::destroy(message);
  }
}

std::size_t Queue::message_count() {
  core::MutexGuard guard{lock_};
  return count_;
}

void Queue::insert_locked(Message& message) {
  Message** place = &head_;
  while (*place && (*place)->priority >= message.priority) place = &(*place)->next;
  message.next = *place;
  *place = &message;
  ++count_;
  bytes_ += message.size;
}

Result<void> Queue::send(core::IoBuffer& from, std::uint32_t priority, core::Deadline deadline,
                         bool non_blocking) {
  if (from.remaining() > attributes_.message_size_max) return error(Errno::emsgsize);
  Message* message = TRY(Message::create(from.remaining(), priority));
  struct Owner {
    Message*& message;
    ~Owner() {
      if (message) Message::destroy(message);
    }
  } owner{message};
  if (from.copy_in(std::span(message->bytes(), message->size)) < message->size) return error(Errno::efault);
  core::MutexGuard guard{lock_};
  if (count_ == attributes_.messages_max) {
    if (non_blocking) return error(Errno::eagain);
    TRY(writable_.wait(
        guard, core::WaitMode::interruptible,
        [&]() NO_THREAD_SAFETY_ANALYSIS { return count_ < attributes_.messages_max; }, deadline));
  }
  bool was_empty = count_ == 0;
  insert_locked(*std::exchange(message, nullptr));
  readable_.wake_all(vfs::poll_readable);
  if (was_empty && !receivers_ && notification_) {
    RefPtr<Notification> notification = std::move(notification_);
    notification->deliver();
  }
  return {};
}

Result<Queue::Received> Queue::receive(core::IoBuffer& to, core::Deadline deadline, bool non_blocking) {
  if (to.remaining() < attributes_.message_size_max) return error(Errno::emsgsize);
  Message* message = nullptr;
  {
    core::MutexGuard guard{lock_};
    if (!count_) {
      if (non_blocking) return error(Errno::eagain);
      ++receivers_;
      auto waited = readable_.wait(
          guard, core::WaitMode::interruptible, [&]() NO_THREAD_SAFETY_ANALYSIS { return count_ != 0; },
          deadline);
      --receivers_;
      TRY(waited);
    }
    message = head_;
    head_ = message->next;
    --count_;
    bytes_ -= message->size;
    writable_.wake_all(vfs::poll_writable);
  }
  Received received{message->size, message->priority};
  std::size_t done = to.copy_out(std::span(message->bytes(), message->size));
  Message::destroy(message);
  if (done < received.size) return error(Errno::efault);
  return received;
}

Result<void> Queue::set_notification(RefPtr<Notification> notification) {
  core::MutexGuard guard{lock_};
  if (notification_) return error(Errno::ebusy);
  notification_ = std::move(notification);
  return {};
}

void Queue::remove_notification(const void* owner) {
  RefPtr<Notification> removed;  // dropped after the lock
  core::MutexGuard guard{lock_};
  if (notification_ && notification_->owner() == owner) removed = std::move(notification_);
}

vfs::PollEvents Queue::poll(vfs::PollWaiter* waiter) {
  if (waiter) {
    waiter->watch(readable_);
    waiter->watch(writable_);
  }
  core::MutexGuard guard{lock_};
  vfs::PollEvents events = 0;
  if (count_) events |= vfs::poll_readable;
  if (count_ < attributes_.messages_max) events |= vfs::poll_writable;
  return events;
}

void Queue::put_text(base::TextSink& out) {
  core::MutexGuard guard{lock_};
  Notification* wanted = notification_.get();
  base::format(out, "QSIZE:{:<10} NOTIFY:{:<5} SIGNO:{:<5} NOTIFY_PID:{:<6}\n", bytes_,
               wanted ? wanted->kind() : 0, wanted ? wanted->signal_number() : 0,
               wanted ? wanted->process_id() : 0);
}

}  // namespace mqueue
