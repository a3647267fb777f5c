// socket(2), socketpair(2), bind(2), connect(2), listen(2), accept(2), shutdown(2) and names
#include <algorithm>

#include "linux_abi/signal_state.h"
#include "syscalls/sockets/common.h"

namespace linux_abi {

namespace {

Result<RefPtr<socket::Socket>> create(Context& context, int family, unsigned type, int protocol) {
  if (type & ~(sock_type_mask | sock_cloexec | sock_nonblock)) return error(Errno::einval);
  socket::SocketFamily* implementation = TRY(socket::find_family(family));
  unsigned kind = type & sock_type_mask;
  if (kind == 0 || kind > 10) return error(Errno::einval);
  CallerIdentity caller{context};
  return implementation->create(static_cast<socket::Type>(kind), protocol, *caller);
}

Result<RefPtr<socket::SocketFile>> file_for(Context& context, RefPtr<socket::Socket> socket, unsigned flags) {
  return socket::SocketFile::create(std::move(socket), flags & sock_nonblock,
                                    context.task.credentials_reference());
}

CloseOnExec close_on_exec(unsigned flags) {
  return flags & sock_cloexec ? CloseOnExec::yes : CloseOnExec::no;
}

}  // namespace

Result<socket::Address> read_address(UserBuffer from, int size) {
  if (size < 0 || static_cast<std::size_t>(size) > socket::Address::maximum) return error(Errno::einval);
  socket::Address address;
  address.size = static_cast<std::size_t>(size);
  TRY(from.read(std::span(address.bytes).first(address.size)));
  return address;
}

Result<void> write_address(const socket::Address& address, UserBuffer to, UserInOut<int> size) {
  if (!to) return {};
  int room = TRY(size.read());
  if (room < 0) return error(Errno::einval);
  TRY(to.write(address.span().first(std::min<std::size_t>(static_cast<std::size_t>(room), address.size))));
  return size.write(static_cast<int>(address.size));
}

Result<long> finish_send(Context& context, Result<std::size_t> result, unsigned flags) {
  if (result) return static_cast<long>(*result);
  if (result.error() == Errno::epipe && !(flags & socket::message_no_signal))
    (void)!send_signal(context.task, signal_information_from(context.task, signal::pipe, si::user));
  return error(result.error());
}

Result<long> sys_socket(Context& context, int family, unsigned type, int protocol) {
  auto socket = TRY(create(context, family, type, protocol));
  auto file = TRY(file_for(context, std::move(socket), type));
  return TRY(context.task.files->add(std::move(file), close_on_exec(type), descriptor_limit(context)));
}

Result<long> sys_socketpair(Context& context, int family, unsigned type, int protocol,
                            UserOut<SocketPair> out) {
  std::uint64_t limit = descriptor_limit(context);
  auto first = TRY(create(context, family, type, protocol));
  auto second = TRY(create(context, family, type, protocol));
  CallerIdentity caller{context};
  TRY(TRY(socket::find_family(family))->connect_pair(*first, *second, *caller));
  auto first_file = TRY(file_for(context, std::move(first), type));
  auto second_file = TRY(file_for(context, std::move(second), type));
  ReservedDescriptor first_descriptor = TRY(context.task.files->reserve(close_on_exec(type), limit));
  ReservedDescriptor second_descriptor = TRY(context.task.files->reserve(close_on_exec(type), limit));
  TRY(out.write({first_descriptor.number(), second_descriptor.number()}));

  first_descriptor.publish(std::move(first_file));
  second_descriptor.publish(std::move(second_file));
  return 0;
}

Result<long> sys_bind(Context& context, FileDescriptor fd, UserBuffer address, int size) {
  SocketUse socket = TRY(SocketUse::of(context, fd));
  CallerIdentity caller{context};
  TRY(socket->bind(TRY(read_address(address, size)), *caller));
  return 0;
}

Result<long> sys_connect(Context& context, FileDescriptor fd, UserBuffer address, int size) {
  SocketUse socket = TRY(SocketUse::of(context, fd));
  CallerIdentity caller{context};
  TRY(socket->connect(TRY(read_address(address, size)), *caller, socket.is_non_blocking()));
  return 0;
}

Result<long> sys_listen(Context& context, FileDescriptor fd, int backlog) {
  SocketUse socket = TRY(SocketUse::of(context, fd));
  CallerIdentity caller{context};
  TRY(socket->listen(backlog, *caller));
  return 0;
}

Result<long> sys_accept4(Context& context, FileDescriptor fd, UserBuffer address, UserInOut<int> size,
                         unsigned flags) {
  if (flags & ~(sock_cloexec | sock_nonblock)) return error(Errno::einval);
  SocketUse socket = TRY(SocketUse::of(context, fd));
  return accept_from(context, socket, address, size, flags, socket.is_non_blocking());
}

Result<long> accept_from(Context& context, const SocketUse& socket, UserBuffer address, UserInOut<int> size,
                         unsigned flags, bool non_blocking) {
  ReservedDescriptor descriptor =
      TRY(context.task.files->reserve(close_on_exec(flags), descriptor_limit(context)));
  auto accepted = TRY(socket->accept(non_blocking));
  auto file = TRY(file_for(context, accepted, flags));
  if (address) {
    auto peer = accepted->peer_address();
    if (!peer) return error(Errno::econnaborted);
    TRY(write_address(*peer, address, size));
  }
  int number = descriptor.number();
  descriptor.publish(std::move(file));
  return number;
}

Result<long> sys_accept(Context& context, FileDescriptor fd, UserBuffer address, UserInOut<int> size) {
  return sys_accept4(context, fd, address, size, 0);
}

Result<long> sys_getsockname(Context& context, FileDescriptor fd, UserBuffer address, UserInOut<int> size) {
  SocketUse socket = TRY(SocketUse::of(context, fd));
  if (!address) return error(Errno::efault);
  TRY(write_address(socket->local_address(), address, size));
  return 0;
}

Result<long> sys_getpeername(Context& context, FileDescriptor fd, UserBuffer address, UserInOut<int> size) {
  SocketUse socket = TRY(SocketUse::of(context, fd));
  socket::Address peer = TRY(socket->peer_address());
  if (!address) return error(Errno::efault);
  TRY(write_address(peer, address, size));
  return 0;
}

Result<long> sys_shutdown(Context& context, FileDescriptor fd, int how) {
  SocketUse socket = TRY(SocketUse::of(context, fd));
  if (how < 0 || how > 2) return error(Errno::einval);
  TRY(socket->shutdown(static_cast<socket::Shutdown>(how)));
  return 0;
}

}  // namespace linux_abi
