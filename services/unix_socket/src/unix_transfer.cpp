// Sending and receiving on Unix sockets.
#include <algorithm>

#include "core/memory/user_pointer.h"
#include "unix_socket.h"

namespace unix_socket {

using core::MutexGuard;
using core::WaitMode;

namespace {

// A wait that ran into SO_RCVTIMEO or SO_SNDTIMEO reports EAGAIN (socket(7)).
Errno wait_error(Errno code) { return code == Errno::etimedout ? Errno::eagain : code; }

}  // namespace

Result<std::unique_ptr<Message>> Message::create(std::size_t size, RefPtr<SendBudget> budget) {
  void* memory = ::operator new(sizeof(Message) + size, std::nothrow);
  if (!memory) return error(Errno::enomem);
  return std::unique_ptr<Message>(::new (memory) Message(size, std::move(budget)));
}

// ---- Sending ----

Result<void> UnixSocket::wait_for_budget(std::size_t size, bool non_blocking) {
  // One message always goes, however small the buffer.
  auto ready = [&] {
    return budget_->used() == 0 || budget_->used() + size <= send_buffer_size() || send_shut_.load() ||
           has_pending_error();
  };
  if (ready()) return {};
  if (non_blocking) return error(Errno::eagain);
  auto waited = budget_->writers.wait(WaitMode::interruptible, ready, send_deadline());
  if (!waited) return error(wait_error(waited.error()));
  return {};
}

Result<void> UnixSocket::deliver(std::unique_ptr<Message>& message, const UnixSocket& sender) {
  RefPtr<UnixSocket> own_peer = is_connection_based() ? nullptr : peer();
  {
    MutexGuard guard{queue_lock_};
    if (receive_shut_)
      return error(!is_connection_based() && closed_.load() ? Errno::econnrefused : Errno::epipe);
    bool limited = !is_connection_based() && &sender != this && own_peer.get() != &sender;
    if (limited && queue_length_ > datagram_queue_limit) return error(Errno::eagain);
    queued_bytes_ += message->bytes().size();
    ++queue_length_;
    in_flight::message_queued(vertex_, *message);
    queue_.push_back(*message.release());
  }
  readers_.wake_one(vfs::poll_readable);
  return {};
}

Result<std::size_t> UnixSocket::send(SendRequest& request, const SocketCaller* caller) {
  if (request.flags & socket::message_out_of_band) return error(Errno::eopnotsupp);
  request.non_blocking |= (request.flags & socket::message_do_not_wait) != 0;
  if (Errno pending = take_pending_error(); pending != Errno{}) return error(pending);
  if (is_connection_based()) {
    if (request.destination && request.destination->size)
      return error(peer() ? Errno::eisconn : Errno::eopnotsupp);
    RefPtr<UnixSocket> target = peer();
    if (!target) {
      MutexGuard guard{state_lock_};
      return error(was_connected_ ? Errno::epipe : Errno::enotconn);
    }
    if (send_shut_.load()) return error(Errno::epipe);
    return is_stream() ? send_stream(request) : send_whole(request, *target);
  }
  RefPtr<UnixSocket> target = TRY(datagram_target(request, caller));
  if (send_shut_.load()) return error(Errno::epipe);
  if (passes_credentials()) TRY(bind_automatically());
  return send_whole(request, *target);
}

Result<RefPtr<UnixSocket>> UnixSocket::datagram_target(SendRequest& request, const SocketCaller* caller) {
  RefPtr<UnixSocket> target;
  if (request.destination && request.destination->size && caller) {
    target = TRY(find_target(*request.destination, *caller));
    RefPtr<UnixSocket> of_target = target->peer();
    if (of_target && of_target.get() != this) return error(Errno::eperm);
    return target;
  }
  target = peer();
  if (!target) return error(Errno::enotconn);
  return target;
}

Result<std::size_t> UnixSocket::send_stream(SendRequest& request) {
  std::size_t total = 0;
  do {
    std::size_t limit = std::max<std::size_t>(send_buffer_size() / 2, 64) - 64;
    std::size_t size = std::min({request.data.remaining(), stream_chunk, std::max<std::size_t>(limit, 1)});
    if (size == 0 && request.files.empty()) return total;  // an empty write sends nothing
    auto partial = [&](Errno code) { return total ? Result<std::size_t>(total) : error(code); };
    auto ready = wait_for_budget(size, request.non_blocking);
    if (!ready) return partial(ready.error());
    if (Errno pending = take_pending_error(); pending != Errno{}) return partial(pending);
    if (send_shut_.load()) return partial(Errno::epipe);
    auto message = Message::create(size, budget_);
    if (!message) return partial(message.error());
    std::size_t copied = request.data.copy_in((*message)->bytes());
    if (copied == 0 && size) return partial(Errno::efault);
    (*message)->shrink(copied);
    (*message)->credentials = request.credentials;
    (*message)->explicit_credentials = request.has_credentials;
    if (auto set = (*message)->set_files(std::move(request.files)); !set) return partial(set.error());
    RefPtr<UnixSocket> target = peer();
    if (!target) return partial(Errno::epipe);
    auto delivered = target->deliver(*message, *this);
    if (!delivered) return partial(delivered.error());
    total += copied;
    if (copied < size) return total;
  } while (!request.data.empty());
  return total;
}

Result<std::size_t> UnixSocket::send_whole(SendRequest& request, UnixSocket& target) {
  std::size_t size = request.data.remaining();
  if (size + 32 > send_buffer_size()) return error(Errno::emsgsize);
  TRY(wait_for_budget(size, request.non_blocking));
  auto message = TRY(Message::create(size, budget_));
  if (request.data.copy_in(message->bytes()) < size) return error(Errno::efault);
  message->credentials = request.credentials;
  message->explicit_credentials = request.has_credentials;
  message->end_of_record = request.flags & socket::message_end_of_record;
  TRY(message->set_files(std::move(request.files)));
  {
    MutexGuard guard{state_lock_};
    message->source = address_;
  }
  for (;;) {
    auto delivered = target.deliver(message, *this);
    if (delivered) return size;
    if (delivered.error() == Errno::econnrefused) {
      // A connected datagram socket whose target is gone forgets it.
      RefPtr<UnixSocket> gone;
      MutexGuard guard{state_lock_};
      if (peer_.get() == &target) std::swap(gone, peer_);
      guard.unlock();
      return error(Errno::econnrefused);
    }
    if (delivered.error() != Errno::eagain || request.non_blocking) return error(delivered.error());
    auto waited = target.wait_for_queue_room(send_deadline());
    if (!waited) return error(wait_error(waited.error()));
  }
}

Result<void> UnixSocket::wait_for_queue_room(core::Deadline deadline) {
  MutexGuard guard{queue_lock_};
  return connectors_.wait(
      guard, WaitMode::interruptible,
      [&]() NO_THREAD_SAFETY_ANALYSIS { return queue_length_ <= datagram_queue_limit || receive_shut_; },
      deadline);
}

// ---- Receiving ----

Result<std::size_t> UnixSocket::receive(ReceiveRequest& request) {
  if (request.flags & socket::message_out_of_band) return error(Errno::eopnotsupp);
  request.non_blocking |= (request.flags & socket::message_do_not_wait) != 0;
  if (is_connection_based()) {
    MutexGuard guard{state_lock_};
    if (!was_connected_) return error(is_stream() ? Errno::einval : Errno::enotconn);
  }
  return is_stream() ? receive_stream(request) : receive_whole(request);
}

Result<void> UnixSocket::wait_for_message(MutexGuard& guard, ReceiveRequest& request,
                                          core::Deadline deadline) {
  auto ready = [&]() NO_THREAD_SAFETY_ANALYSIS {
    return !queue_.empty() || receive_shut_ || has_pending_error();
  };
  if (ready()) return {};
  if (request.non_blocking) return error(Errno::eagain);
  auto waited = readers_.wait(guard, WaitMode::interruptible, ready, deadline);
  if (!waited) return error(wait_error(waited.error()));
  return {};
}

// Credentials and files of a message, for the caller's control buffer.
void UnixSocket::take_control_locked(Message& message, ReceiveRequest& request) {
  request.has_credentials = passes_credentials();
  request.credentials = message.credentials;
  request.source = message.source;
  if (!message.carries_files()) return;
  if (request.flags & socket::message_peek) {
    in_flight::copy(message, request.files);
  } else if (auto passed = in_flight::take(message)) {
    request.files = std::move(passed->files());
  }
}

// Copies what fits of one message of a stream; false when the stream must be cut here.
bool UnixSocket::copy_message_locked(Message& message, ReceiveRequest& request, std::size_t& done,
                                     MessageList& finished) {
  bool first = done == 0 && request.files.empty();
  bool same_sender = message.credentials.pid == request.credentials.pid &&
                     message.credentials.uid == request.credentials.uid &&
                     message.credentials.gid == request.credentials.gid;
  if (!first && (message.carries_files() || (passes_credentials() && !same_sender))) return false;
  bool has_files = message.carries_files();
  if (first) take_control_locked(message, request);
  auto unread = message.unread();
  std::size_t count = request.data.copy_out(unread);
  done += count;
  if (!(request.flags & socket::message_peek)) {
    message.consumed += count;
    queued_bytes_ -= count;
    if (message.unread().empty()) {
      queue_.remove(message);
      --queue_length_;
      finished.push_back(message);
    }
  }
  return count == unread.size() && !has_files;
}

Result<std::size_t> UnixSocket::receive_stream(ReceiveRequest& request) {
  MessageList finished;  // freed without the lock: their files close, their senders are woken
  struct FreeAtEnd {
    MessageList& list;
    ~FreeAtEnd() {
      while (Message* message = list.pop_front()) delete message;
    }
  } free_at_end{finished};
  std::size_t wanted = request.flags & socket::message_wait_all
                           ? request.data.remaining()
                           : std::min<std::size_t>(receive_low_water(), request.data.remaining());
  std::size_t total = 0;
  core::Deadline deadline = receive_deadline();
  MutexGuard guard{queue_lock_};
  for (;;) {
    auto waited = wait_for_message(guard, request, deadline);
    if (!waited) return total ? Result<std::size_t>(total) : error(waited.error());
    if (queue_.empty()) {
      if (total) return total;
      if (Errno pending = take_pending_error(); pending != Errno{}) return error(pending);
      return 0;
    }
    bool go_on = true;
    for (Message* message = queue_.first(); message && go_on && !request.data.empty();) {
      Message* next = queue_.next(*message);
      go_on = copy_message_locked(*message, request, total, finished);
      message = next;
    }
    if (request.data.faulted() && total == 0) return error(Errno::efault);
    if (!go_on || total >= wanted || (request.flags & socket::message_peek)) break;
  }
  if (!queue_.empty()) readers_.wake_one(vfs::poll_readable);
  return total;
}

Result<std::size_t> UnixSocket::receive_whole(ReceiveRequest& request) {
  std::unique_ptr<Message> message;  // freed without the lock
  std::size_t size, copied;
  bool peek = request.flags & socket::message_peek;
  {
    MutexGuard guard{queue_lock_};
    TRY(wait_for_message(guard, request, receive_deadline()));
    Message* first = queue_.first();
    if (!first) {
      if (Errno pending = take_pending_error(); pending != Errno{}) return error(pending);
      return 0;
    }
    size = first->bytes().size();
    take_control_locked(*first, request);
    if (!peek) {
      queue_.remove(*first);
      --queue_length_;
      queued_bytes_ -= size;
      message.reset(first);
    }
    std::size_t fits = std::min(size, request.data.remaining());
    copied = request.data.copy_out(first->bytes().first(fits));
    if (copied < fits) return error(Errno::efault);
    if (first->end_of_record) request.result_flags |= socket::message_end_of_record;
  }
  if (!peek && !is_connection_based()) connectors_.wake_one(vfs::poll_writable);
  if (copied < size) request.result_flags |= socket::message_truncated;
  return request.flags & socket::message_truncated ? size : copied;
}

Result<long> UnixSocket::ioctl(unsigned command, std::uintptr_t argument) {
  constexpr unsigned queued_input = 0x541b, queued_output = 0x5411;
  int value;
  if (command == queued_input) {
    if (is_listening()) return error(Errno::einval);
    MutexGuard guard{queue_lock_};
    Message* first = queue_.first();
    value = static_cast<int>(is_stream() ? queued_bytes_ : first ? first->bytes().size() : 0);
  } else if (command == queued_output) {
    value = static_cast<int>(budget_->used());
  } else {
    return error(Errno::enotty);
  }
  TRY(core::UserOut<int>(argument).write(value));
  return 0;
}

}  // namespace unix_socket
