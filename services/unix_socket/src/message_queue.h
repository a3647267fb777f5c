// What is on its way to a Unix socket: messages in order, each charged to the sender until it is read.
//
// The queue belongs to the receiver and has no lock of its own: UnixSocket::queue_lock_ protects it. A
// message is one allocation, its bytes behind it. Files in it are dropped outside that lock, because closing
// may do anything.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/intrusive_list.h"
#include "core/sync/wait_queue.h"
#include "in_flight.h"
#include "socket/socket.h"

namespace unix_socket {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;

// How many bytes a socket has under way; shared by the socket and its messages, which may outlive it.
class SendBudget : public base::RefCounted<SendBudget> {
 public:
  std::size_t used() const { return used_.load(); }
  void charge(std::size_t bytes) { used_.fetch_add(bytes); }
  void credit(std::size_t bytes) {
    used_.fetch_sub(bytes);
    if (writers.has_waiters()) writers.wake_all(vfs::poll_writable);
  }
  core::WaitQueue writers{"unix socket writers"};

 private:
  std::atomic<std::size_t> used_{0};
};

class Message {
 public:
  static Result<std::unique_ptr<Message>> create(std::size_t size, RefPtr<SendBudget> budget);
  ~Message() {
    in_flight::release(in_flight::take(*this));
    budget_->credit(charged());
  }

  std::span<std::byte> bytes() { return {reinterpret_cast<std::byte*>(this + 1), size_}; }
  std::span<const std::byte> unread() { return bytes().subspan(consumed); }
  void shrink(std::size_t size) {
    budget_->credit(size_ - size);
    size_ = size;
  }
  // The bookkeeping of a message costs the sender too, so that empty ones cannot be piled up without end.
  std::size_t charged() const { return size_ + overhead; }
  const SendBudget* budget() const { return budget_.get(); }

  // Allocated with its bytes behind it.
  static void operator delete(void* memory) { ::operator delete(memory); }

  base::ListHook hook;
  std::size_t consumed = 0;
  socket::UserCredentials credentials;
  bool explicit_credentials = false;
  bool end_of_record = false;
  socket::Address source;

  // ---- Files, see in_flight.h ----
  Result<void> set_files(base::Vector<RefPtr<vfs::File>> files) {
    if (files.empty()) return {};
    passed_ = TRY(PassedFiles::create(std::move(files)));
    carries_files_ = true;
    may_pass_sockets_ = passed_->has_sockets();
    return {};
  }
  // Had some when it was sent and was not received since.
  bool carries_files() const { return carries_files_; }
  bool may_pass_sockets() const { return may_pass_sockets_; }
  PassedFiles* passed_files() { return passed_.get(); }
  std::unique_ptr<PassedFiles> release_files() {
    carries_files_ = false;
    return std::move(passed_);
  }
  // The collector took them.
  void forget_files() { (void)passed_.release(); }

 private:
  static constexpr std::size_t overhead = 256;
  Message(std::size_t size, RefPtr<SendBudget> budget) : size_(size), budget_(std::move(budget)) {
    budget_->charge(charged());
  }
  std::size_t size_;
  const RefPtr<SendBudget> budget_;
  std::unique_ptr<PassedFiles> passed_;
  bool carries_files_ = false, may_pass_sockets_ = false;
};

using MessageList = base::IntrusiveList<Message, &Message::hook>;

}  // namespace unix_socket
