// Names, connections and the end of Unix sockets. Sending and receiving are in unix_transfer.cpp.
#include "unix_socket.h"

#include <algorithm>
#include <cstring>

#include "core/init/init_step.h"
#include "vfs/dentry.h"
#include "vfs/inode.h"
#include "vfs/lookup.h"
#include "vfs/operations.h"

namespace unix_socket {

using core::MutexGuard;
using core::WaitMode;

namespace {

constexpr std::size_t family_size = 2, maximum_address = 2 + 108;

// The address's path, up to its zero byte.
std::string_view path_of(const Address& address) {
  // SAFETY: bytes are looked at as characters.
  std::string_view text{reinterpret_cast<const char*>(address.bytes.data()) + family_size,
                        address.size - family_size};
  return text.substr(0, text.find('\0'));
}

Result<void> check_address(const Address& address) {
  if (address.size < family_size || address.size > maximum_address) return error(Errno::einval);
  if (address.family() != static_cast<std::uint16_t>(socket::Family::unix_domain))
    return error(Errno::einval);
  return {};
}

bool is_abstract(const Address& address) {
  return address.size > family_size && address.bytes[family_size] == std::byte{0};
}

}  // namespace

Result<RefPtr<UnixSocket>> UnixSocket::create(Type type, const Party& owner) {
  auto budget = TRY(base::try_make_ref<SendBudget>());
  auto socket = TRY(base::try_make_ref<UnixSocket>(type, std::move(budget)));
  MutexGuard guard{socket->state_lock_};
  socket->owner_ = owner;
  guard.unlock();
  return socket;
}

UnixSocket::~UnixSocket() {
  // close() emptied it; a message that came in between is dropped here.
  while (Message* message = queue_.pop_front()) delete message;
}

RefPtr<UnixSocket> UnixSocket::peer() {
  MutexGuard guard{state_lock_};
  return peer_;
}

// ---- Names ----

Result<void> UnixSocket::bind(const Address& address, const SocketCaller& caller) {
  TRY(check_address(address));
  if (address.size == family_size) return bind_automatically();
  MutexGuard guard{state_lock_};
  if (name_) return error(Errno::einval);
  return is_abstract(address) ? bind_abstract(address) : bind_path(address, caller);
}

Result<void> UnixSocket::bind_path(const Address& address, const SocketCaller& caller) {
  std::string_view path = path_of(address);
  Address stored = address;
  stored.size = family_size + path.size() + (path.size() < maximum_address - family_size ? 1 : 0);
  auto name = TRY(base::try_make_ref<BoundName>(stored));
  vfs::Path node = TRY(vfs::make_socket_node(caller.files, nullptr, path, 0777));
  name->set_socket(this);
  node.dentry().inode()->attach(name);
  name_ = std::move(name);
  address_ = stored;
  return {};
}

Result<void> UnixSocket::bind_abstract(const Address& address) {
  auto name = TRY(base::try_make_ref<BoundName>(address));
  name->set_socket(this);
  auto inserted = insert_abstract(*name);
  if (!inserted) return inserted;
  name_ = std::move(name);
  address_ = address;
  return {};
}

Result<void> UnixSocket::bind_automatically() {
  for (;;) {
    Address address = TRY(free_abstract_address());
    MutexGuard guard{state_lock_};
    if (name_) return {};
    auto bound = bind_abstract(address);
    // Somebody bound the same name by hand in between: try the next.
    if (bound || bound.error() != Errno::eaddrinuse) return bound;
  }
}

Result<RefPtr<UnixSocket>> UnixSocket::find_target(const Address& address, const SocketCaller& caller) {
  TRY(check_address(address));
  if (address.size == family_size) return error(Errno::einval);
  RefPtr<UnixSocket> target;
  if (is_abstract(address)) {
    target = find_abstract(address);
  } else {
    vfs::Path path = TRY(vfs::resolve(caller.files, nullptr, path_of(address), vfs::lookup_follow));
    vfs::Inode& inode = *path.dentry().inode();
    TRY(vfs::check_permission(inode, caller.files.credentials, vfs::access_write));
    if (!vfs::is_socket(inode.mode())) return error(Errno::econnrefused);
    // Only bind_path() attaches to the inode of a socket.
    if (auto attached = inode.attachment()) target = static_cast<BoundName*>(attached.get())->socket();
  }
  if (!target) return error(Errno::econnrefused);
  if (target->type() != type()) return error(Errno::eprototype);
  return target;
}

Address UnixSocket::local_address() {
  MutexGuard guard{state_lock_};
  if (address_.size) return address_;
  Address unnamed;
  unnamed.bytes[0] = std::byte{static_cast<std::uint8_t>(socket::Family::unix_domain)};
  unnamed.size = family_size;
  return unnamed;
}

Result<Address> UnixSocket::peer_address() {
  MutexGuard guard{state_lock_};
  // A connection keeps the name of a peer that has closed: accept() may come later than that.
  if (!peer_ && !(was_connected_ && is_connection_based())) return error(Errno::enotconn);
  if (peer_address_.size) return peer_address_;
  Address unnamed;
  unnamed.bytes[0] = std::byte{static_cast<std::uint8_t>(socket::Family::unix_domain)};
  unnamed.size = family_size;
  return unnamed;
}

// ---- Connections ----

void UnixSocket::connect_pair(UnixSocket& first, UnixSocket& second, const Party& owner) {
  auto join = [&owner](UnixSocket& one, UnixSocket& other) {
    MutexGuard guard{one.state_lock_};
    one.peer_ = RefPtr<UnixSocket>(&other);
    one.peer_party_ = owner;
    one.was_connected_ = true;
  };
  join(first, second);
  join(second, first);
}

Result<void> UnixSocket::listen(int backlog, const SocketCaller& caller) {
  if (!is_connection_based()) return error(Errno::eopnotsupp);
  MutexGuard guard{state_lock_};
  if (!name_ || was_connected_) return error(Errno::einval);
  owner_ = caller.party;  // SO_PEERCRED of those who connect shows who listened
  {
    MutexGuard queue_guard{queue_lock_};
    // somaxconn caps it; a negative number means that cap.
    constexpr std::size_t somaxconn = 4096;
    backlog_limit_ =
        backlog < 0 ? somaxconn : std::min<std::size_t>(static_cast<std::size_t>(backlog), somaxconn);
    accepts_closed_ = false;
  }
  listening_.store(true, std::memory_order_release);
  connectors_.wake_all();
  return {};
}

Result<void> UnixSocket::connect(const Address& address, const SocketCaller& caller, bool non_blocking) {
  return is_connection_based() ? connect_stream(address, caller, non_blocking)
                               : connect_datagram(address, caller);
}

Result<void> UnixSocket::connect_datagram(const Address& address, const SocketCaller& caller) {
  RefPtr<UnixSocket> target;
  Address target_address;
  if (address.family() != 0) {  // AF_UNSPEC dissolves the association
    target = TRY(find_target(address, caller));
    target_address = target->local_address();
    // A connected target takes datagrams from its own peer only.
    RefPtr<UnixSocket> of_target = target->peer();
    if (of_target && of_target.get() != this) return error(Errno::eperm);
    if (passes_credentials()) TRY(bind_automatically());
  }
  MutexGuard guard{state_lock_};
  std::swap(peer_, target);
  peer_address_ = target_address;
  was_connected_ = static_cast<bool>(peer_);
  peer_party_ = {};
  guard.unlock();
  return {};
}

Result<void> UnixSocket::connect_stream(const Address& address, const SocketCaller& caller,
                                        bool non_blocking) {
  if (passes_credentials()) TRY(bind_automatically());
  core::Deadline deadline = send_deadline();
  RefPtr<UnixSocket> target = TRY(find_target(address, caller));
  if (!target->is_listening()) return error(Errno::econnrefused);
  Party target_owner;
  Address target_address;
  {
    MutexGuard guard{target->state_lock_};
    target_owner = target->owner_;
    target_address = target->address_;
  }
  RefPtr<UnixSocket> server = TRY(create(type(), target_owner));
  {
    MutexGuard guard{server->state_lock_};
    server->peer_ = RefPtr<UnixSocket>(this);
    server->peer_party_ = caller.party;
    server->address_ = target_address;
    server->was_connected_ = true;
  }
  if (target->passes_credentials()) server->set_passes_credentials(true);
  {
    MutexGuard guard{state_lock_};
    if (listening_) return error(Errno::einval);
    if (was_connected_) return error(Errno::eisconn);
    peer_ = server;
    peer_address_ = target_address;
    peer_party_ = target_owner;
    was_connected_ = true;
    MutexGuard server_guard{server->state_lock_, core::LockNesting::child};
    server->peer_address_ = address_;
  }
  auto joined = target->enter_backlog(server, non_blocking, deadline);
  if (joined) return {};
  RefPtr<UnixSocket> dropped;
  MutexGuard guard{state_lock_};
  std::swap(peer_, dropped);
  was_connected_ = false;
  guard.unlock();
  MutexGuard server_guard{server->state_lock_};
  server->peer_ = {};
  server_guard.unlock();
  return joined;
}

Result<void> UnixSocket::enter_backlog(RefPtr<UnixSocket> server, bool non_blocking,
                                       core::Deadline deadline) {
  {
    MutexGuard guard{queue_lock_};
    auto ready = [&]() NO_THREAD_SAFETY_ANALYSIS {
      return accepts_closed_ || backlog_.size() <= backlog_limit_;
    };
    if (!ready()) {
      if (non_blocking) return error(Errno::eagain);
      auto waited = connectors_.wait(guard, WaitMode::interruptible, ready, deadline);
      if (!waited) return error(waited.error() == Errno::etimedout ? Errno::eagain : waited.error());
    }
    if (accepts_closed_) return error(Errno::econnrefused);
    Vertex& connection = server->vertex_;
    TRY(backlog_.try_push_back(std::move(server)));
    in_flight::connection_pending(vertex_, connection);
  }
  readers_.wake_one(vfs::poll_readable);
  return {};
}

Result<RefPtr<socket::Socket>> UnixSocket::accept(bool non_blocking) {
  if (!is_connection_based()) return error(Errno::eopnotsupp);
  if (!is_listening()) return error(Errno::einval);
  RefPtr<UnixSocket> accepted;
  {
    MutexGuard guard{queue_lock_};
    auto ready = [&]() NO_THREAD_SAFETY_ANALYSIS { return !backlog_.empty() || accepts_closed_; };
    if (!ready()) {
      if (non_blocking) return error(Errno::eagain);
      auto waited = readers_.wait(guard, WaitMode::interruptible, ready, receive_deadline());
      if (!waited) return error(waited.error() == Errno::etimedout ? Errno::eagain : waited.error());
    }
    if (backlog_.empty()) return error(Errno::einval);  // shut down
    accepted = std::move(backlog_.front());
    backlog_.erase(0);
    in_flight::connection_taken(accepted->vertex_);
  }
  connectors_.wake_one();
  return RefPtr<Socket>(std::move(accepted));
}

// ---- The end ----

Result<void> UnixSocket::shutdown(socket::Shutdown how) {
  bool receive = how != socket::Shutdown::send, send = how != socket::Shutdown::receive;
  RefPtr<UnixSocket> other;
  {
    MutexGuard guard{state_lock_};
    if (!was_connected_ && !listening_ && is_connection_based()) return error(Errno::enotconn);
    if (is_connection_based()) other = peer_;
  }
  if (send) send_shut_.store(true);
  if (receive) stop_receiving();
  if (send && other) other->stop_receiving();
  if (receive && other) other->send_shut_.store(true);
  for (UnixSocket* one : {this, other.get()}) {
    if (!one) continue;
    one->readers_.wake_all(vfs::poll_readable | vfs::poll_read_hang_up | vfs::poll_hang_up);
    one->budget_->writers.wake_all(vfs::poll_writable | vfs::poll_hang_up);
  }
  return {};
}

void UnixSocket::stop_receiving() {
  {
    MutexGuard guard{queue_lock_};
    receive_shut_ = true;
    accepts_closed_ = true;
  }
  readers_.wake_all(vfs::poll_readable | vfs::poll_read_hang_up);
  connectors_.wake_all();
}

void UnixSocket::discard_backlog() {
  base::Vector<RefPtr<UnixSocket>> pending;
  {
    MutexGuard guard{queue_lock_};
    accepts_closed_ = true;
    std::swap(pending, backlog_);
  }
  for (auto& one : pending) {
    in_flight::connection_taken(one->vertex_);
    RefPtr<UnixSocket> client = one->peer();
    one->close();
    if (client) client->set_pending_error(Errno::econnreset);
  }
}

void UnixSocket::close() {
  RefPtr<UnixSocket> other;
  RefPtr<BoundName> name;
  {
    MutexGuard guard{state_lock_};
    closed_.store(true);
    other = std::move(peer_);
    name = std::move(name_);
  }
  if (name) {
    if (name->is_abstract()) remove_abstract(*name);
    name->set_socket(nullptr);
  }
  listening_.store(false, std::memory_order_release);
  send_shut_.store(true);
  stop_receiving();
  discard_backlog();
  MessageList unread;
  {
    MutexGuard guard{queue_lock_};
    unread.splice_back(queue_);
    queue_length_ = 0;
    queued_bytes_ = 0;
  }
  bool had_unread = !unread.empty();
  while (Message* message = unread.pop_front()) delete message;
  if (other && is_connection_based()) other->peer_closed(had_unread);
  // Datagram senders that wait for room find nobody.
  connectors_.wake_all(vfs::poll_writable);
  in_flight::collect_later();
}

void UnixSocket::peer_closed(bool unread_data) {
  RefPtr<UnixSocket> gone;
  {
    MutexGuard guard{state_lock_};
    std::swap(gone, peer_);
  }
  send_shut_.store(true);
  if (unread_data) set_pending_error(Errno::econnreset);
  stop_receiving();
  readers_.wake_all(vfs::poll_readable | vfs::poll_read_hang_up | vfs::poll_hang_up);
  budget_->writers.wake_all(vfs::poll_writable | vfs::poll_hang_up);
}

// ---- State ----

vfs::PollEvents UnixSocket::poll(vfs::PollWaiter* waiter) {
  if (waiter) {
    waiter->watch(readers_);
    waiter->watch(budget_->writers);
  }
  RefPtr<UnixSocket> target = peer();
  if (waiter && target && !is_connection_based()) waiter->watch(target->connectors_);
  vfs::PollEvents events = 0;
  if (has_pending_error()) events |= vfs::poll_error;
  bool receive_shut;
  {
    MutexGuard guard{queue_lock_};
    receive_shut = receive_shut_;
    if (!queue_.empty() || !backlog_.empty()) events |= vfs::poll_readable;
  }
  bool unconnected = is_connection_based() && !target && !is_listening();
  if (receive_shut) events |= vfs::poll_readable | vfs::poll_read_hang_up;
  if ((receive_shut && send_shut_.load()) || unconnected) events |= vfs::poll_hang_up;
  if (is_listening()) return events;
  bool room = budget_->used() * 4 <= send_buffer_size();
  if (room && target && !is_connection_based() && target.get() != this && target->peer().get() != this) {
    MutexGuard guard{target->queue_lock_};
    room = target->queue_length_ <= datagram_queue_limit;
  }
  if (room) events |= vfs::poll_writable | vfs::poll_write_band;
  return events;
}

Result<void> UnixSocket::get_family_option(int level, int name, base::Vector<std::byte>& value) {
  constexpr int level_socket = 1, so_peer_credentials = 17, so_peer_groups = 59;
  if (level != level_socket) return error(Errno::eopnotsupp);
  Party party;
  {
    MutexGuard guard{state_lock_};
    party = peer_party_;
  }
  if (name == so_peer_credentials) {
    socket::UserCredentials out;
    if (party.credentials) out = {party.pid, party.credentials->euid, party.credentials->egid};
    return value.try_append(std::as_bytes(std::span(&out, 1)));
  }
  if (name == so_peer_groups) {
    if (!party.credentials) return error(Errno::enodata);
    return value.try_append(std::as_bytes(party.credentials->groups()));
  }
  return error(Errno::enoprotoopt);
}

// ---- The family ----

namespace {

class UnixFamily final : public socket::SocketFamily {
 public:
  Result<RefPtr<socket::Socket>> create(Type type, int protocol, const SocketCaller& caller) override {
    if (protocol != 0 && protocol != static_cast<int>(socket::Family::unix_domain))
      return error(Errno::eprotonosupport);
    if (type == Type::raw) type = Type::datagram;  // as Linux does
    if (type != Type::stream && type != Type::datagram && type != Type::sequenced_packets)
      return error(Errno::esocktnosupport);
    return RefPtr<socket::Socket>(TRY(UnixSocket::create(type, caller.party)));
  }
  Result<void> connect_pair(socket::Socket& first, socket::Socket& second,
                            const SocketCaller& caller) override {
    UnixSocket::connect_pair(static_cast<UnixSocket&>(first), static_cast<UnixSocket&>(second), caller.party);
    return {};
  }
};
constinit UnixFamily unix_family;

Result<void> register_unix_family() {
  socket::register_family(socket::Family::unix_domain, unix_family);
  return {};
}
INIT_STEP unix_family_step{"socket.unix", {"threads"}, register_unix_family, {"personality"}};

}  // namespace
}  // namespace unix_socket
