// AF_UNIX sockets (unix(7)): stream, datagram and sequenced packets between processes of one machine.
//
// A message goes straight onto the receiver's queue; the sender pays for it from its send buffer until it is
// read.
//
// Locking:
//   state_lock_   of a socket: its state, peer, name, parties. A connecting socket takes it while it holds
//   none other;
//                 never two of them at once.
//   queue_lock_   of a receiver: queue_, backlog_, and the flags that say whether more may come. Taken alone
//   (user memory
//                 is copied with it held by readers) or inside state_lock_ of the same socket.
// References to peers are taken under state_lock_ and used without it.
//
// States: a connected pair holds references on each other until either closes; close() breaks both.
#pragma once

#include "message_queue.h"
#include "name_table.h"

namespace unix_socket {

using socket::Address;
using socket::MessageFlags;
using socket::Party;
using socket::ReceiveRequest;
using socket::SendRequest;
using socket::SocketCaller;
using socket::Type;

class UnixSocket final : public socket::Socket {
 public:
  static Result<RefPtr<UnixSocket>> create(Type type, const Party& owner);
  UnixSocket(Type type, RefPtr<SendBudget> budget)
      : Socket(socket::Family::unix_domain, type, 0), budget_(std::move(budget)) {}
  ~UnixSocket() override;

  Result<void> bind(const Address& address, const SocketCaller& caller) override;
  Result<void> connect(const Address& address, const SocketCaller& caller, bool non_blocking) override;
  Result<void> listen(int backlog, const SocketCaller& caller) override;
  Result<RefPtr<Socket>> accept(bool non_blocking) override;
  Result<std::size_t> send(SendRequest& request, const SocketCaller* caller) override;
  Result<std::size_t> receive(ReceiveRequest& request) override;
  Result<void> shutdown(socket::Shutdown how) override;
  Address local_address() override;
  Result<Address> peer_address() override;
  vfs::PollEvents poll(vfs::PollWaiter* waiter) override;
  Result<long> ioctl(unsigned command, std::uintptr_t argument) override;
  void close() override;
  Result<void> get_family_option(int level, int name, base::Vector<std::byte>& value) override;
  bool is_listening() const override { return listening_.load(std::memory_order_acquire); }

  // For the collector of sockets in flight.
  Vertex& vertex() { return vertex_; }
  // socketpair(2).
  static void connect_pair(UnixSocket& first, UnixSocket& second, const Party& owner);

 private:
  static constexpr std::size_t stream_chunk = 32768;
  static constexpr std::size_t datagram_queue_limit = 10;  // net.unix.max_dgram_qlen

  bool is_stream() const { return type() == Type::stream; }
  bool is_connection_based() const { return type() != Type::datagram; }

  RefPtr<UnixSocket> peer() EXCLUDES(state_lock_);
  Result<RefPtr<UnixSocket>> find_target(const Address& address, const SocketCaller& caller);
  Result<void> bind_path(const Address& address, const SocketCaller& caller) REQUIRES(state_lock_);
  Result<void> bind_abstract(const Address& address) REQUIRES(state_lock_);
  Result<void> bind_automatically() EXCLUDES(state_lock_);
  Result<void> connect_datagram(const Address& address, const SocketCaller& caller);
  Result<void> connect_stream(const Address& address, const SocketCaller& caller, bool non_blocking);
  Result<void> enter_backlog(RefPtr<UnixSocket> server, bool non_blocking, core::Deadline deadline)
      EXCLUDES(queue_lock_);
  Result<void> wait_for_queue_room(core::Deadline deadline) EXCLUDES(queue_lock_);
  Result<void> wait_for_budget(std::size_t size, bool non_blocking);
  Result<RefPtr<UnixSocket>> datagram_target(SendRequest& request, const SocketCaller* caller);
  Result<std::size_t> send_stream(SendRequest& request);
  Result<std::size_t> send_whole(SendRequest& request, UnixSocket& target);
  // Puts the message on our queue. EPIPE when nothing may come any more; EAGAIN when a datagram queue is
  // full.
  Result<void> deliver(std::unique_ptr<Message>& message, const UnixSocket& sender) EXCLUDES(queue_lock_);
  Result<void> wait_for_message(core::MutexGuard& guard, ReceiveRequest& request, core::Deadline deadline)
      REQUIRES(queue_lock_);
  Result<std::size_t> receive_stream(ReceiveRequest& request);
  Result<std::size_t> receive_whole(ReceiveRequest& request);
  bool copy_message_locked(Message& message, ReceiveRequest& request, std::size_t& done,
                           MessageList& finished) REQUIRES(queue_lock_);
  void take_control_locked(Message& message, ReceiveRequest& request) REQUIRES(queue_lock_);
  void peer_closed(bool unread_data) EXCLUDES(state_lock_);
  void stop_receiving() EXCLUDES(queue_lock_);
  void discard_backlog() EXCLUDES(queue_lock_);

  core::Mutex state_lock_{"unix socket"};
  // Protected by state_lock_:
  RefPtr<UnixSocket> peer_ GUARDED_BY(state_lock_);
  RefPtr<BoundName> name_ GUARDED_BY(state_lock_);
  Address address_ GUARDED_BY(state_lock_);
  Address peer_address_ GUARDED_BY(state_lock_);
  Party owner_ GUARDED_BY(state_lock_);
  Party peer_party_ GUARDED_BY(state_lock_);
  bool was_connected_ GUARDED_BY(state_lock_) = false;

  core::Mutex queue_lock_{"unix socket queue"};
  core::WaitQueue readers_{"unix socket readers"};
  core::WaitQueue connectors_{"unix socket connectors"};  // waiting for room in our backlog or queue
  // Protected by queue_lock_:
  MessageList queue_ GUARDED_BY(queue_lock_);
  std::size_t queue_length_ GUARDED_BY(queue_lock_) = 0;
  std::size_t queued_bytes_ GUARDED_BY(queue_lock_) = 0;
  base::Vector<RefPtr<UnixSocket>> backlog_ GUARDED_BY(queue_lock_);
  std::size_t backlog_limit_ GUARDED_BY(queue_lock_) = 0;
  bool receive_shut_ GUARDED_BY(queue_lock_) = false;  // by us, or the peer will send no more
  bool accepts_closed_ GUARDED_BY(queue_lock_) = false;

  std::atomic<bool> closed_{false};
  std::atomic<bool> send_shut_{false};
  std::atomic<bool> listening_{false};
  const RefPtr<SendBudget> budget_;
  Vertex vertex_;  // the collector's
};

}  // namespace unix_socket
