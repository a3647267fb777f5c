// send(2), recv(2) and their relatives
#include <algorithm>

#include "core/time/clock.h"
#include "syscalls/sockets/control.h"

namespace linux_abi {

namespace {

constexpr unsigned message_wait_for_one = 0x10000;

// The iovecs of a message header in kernel memory.
class Segments {
 public:
  Result<void> read(const Msghdr& header) {
    if (header.iov_count > iov_max) return error(Errno::emsgsize);
    TRY(list_.try_resize(header.iov_count));
    TRY(UserArray<core::UserSegment>(static_cast<std::uintptr_t>(header.iov)).read(list_.span()));
    std::uint64_t total = 0;
    for (core::UserSegment& segment : list_) {
      if (segment.length > static_cast<std::uint64_t>(INT64_MAX)) return error(Errno::einval);
      segment.length = std::min<std::uint64_t>(segment.length, max_transfer - total);
      total += segment.length;
    }
    return {};
  }
  std::span<const core::UserSegment> span() const { return list_.span(); }

 private:
  base::Vector<core::UserSegment> list_;
};

}  // namespace

Result<long> send_message(Context& context, const SocketUse& socket, const Msghdr& header,
                          std::span<const core::UserSegment> segments, unsigned flags) {
  auto buffer = core::IoBuffer::user(segments);
  CallerIdentity caller{context};
  socket::SendRequest request{buffer};
  request.flags = flags;
  request.credentials = caller.credentials();
  request.non_blocking = socket.is_non_blocking();
  socket::Address destination;
  if (header.name) {
    destination = TRY(read_address(UserBuffer(static_cast<std::uintptr_t>(header.name)), header.name_length));
    request.destination = &destination;
  }
  if (header.control && header.control_length) TRY(read_control(context, header, request));
  return finish_send(context, socket->send(request, &caller), flags);
}

Result<long> receive_message(Context& context, const SocketUse& socket, Msghdr& header,
                             std::span<const core::UserSegment> segments, unsigned flags) {
  auto buffer = core::IoBuffer::user(segments);
  socket::ReceiveRequest request{buffer};
  request.flags = flags;
  request.non_blocking = socket.is_non_blocking();
  std::size_t count = TRY(socket->receive(request));
  header.flags = request.result_flags | (flags & socket::message_close_on_exec);
  TRY(write_control(context, header, request,
                    flags & socket::message_close_on_exec ? CloseOnExec::yes : CloseOnExec::no));
  if (header.name) {
    std::size_t room = static_cast<std::size_t>(std::max(header.name_length, 0));
    UserBuffer name{static_cast<std::uintptr_t>(header.name)};
    TRY(name.write(request.source.span().first(std::min(room, request.source.size))));
  }
  header.name_length = static_cast<std::int32_t>(request.source.size);
  return static_cast<long>(count);
}

Result<void> write_message_header(UserAddress place, const Msghdr& header) {
  TRY(UserOut<std::int32_t>(place + offsetof(Msghdr, name_length)).write(header.name_length));
  TRY(UserOut<std::uint64_t>(place + offsetof(Msghdr, control_length)).write(header.control_length));
  return UserOut<std::uint32_t>(place + offsetof(Msghdr, flags)).write(header.flags);
}

namespace {

Result<long> send_message(Context& context, const SocketUse& socket, const Msghdr& header, unsigned flags) {
  Segments segments;
  TRY(segments.read(header));
  return send_message(context, socket, header, segments.span(), flags);
}

Result<long> receive_message(Context& context, const SocketUse& socket, Msghdr& header, unsigned flags) {
  Segments segments;
  TRY(segments.read(header));
  return receive_message(context, socket, header, segments.span(), flags);
}

}  // namespace

Result<long> sys_sendto(Context& context, FileDescriptor fd, UserBuffer data, std::size_t size,
                        unsigned flags, UserBuffer address, int address_size) {
  SocketUse socket = TRY(SocketUse::of(context, fd));
  auto buffer = core::IoBuffer::user(data.address(), std::min<std::size_t>(size, max_transfer));
  CallerIdentity caller{context};
  socket::SendRequest request{buffer};
  request.flags = flags;
  request.credentials = caller.credentials();
  request.non_blocking = socket.is_non_blocking();
  socket::Address destination;
  if (address) {
    destination = TRY(read_address(address, address_size));
    request.destination = &destination;
  }
  return finish_send(context, socket->send(request, &caller), flags);
}

Result<long> sys_recvfrom(Context& context, FileDescriptor fd, UserBuffer data, std::size_t size,
                          unsigned flags, UserBuffer address, UserInOut<int> address_size) {
  SocketUse socket = TRY(SocketUse::of(context, fd));
  auto buffer = core::IoBuffer::user(data.address(), std::min<std::size_t>(size, max_transfer));
  socket::ReceiveRequest request{buffer};
  request.flags = flags;
  request.non_blocking = socket.is_non_blocking();
  std::size_t count = TRY(socket->receive(request));
  if (address) TRY(write_address(request.source, address, address_size));
  return static_cast<long>(count);
}

Result<long> sys_sendmsg(Context& context, FileDescriptor fd, UserInOut<Msghdr> message, unsigned flags) {
  SocketUse socket = TRY(SocketUse::of(context, fd));
  return send_message(context, socket, TRY(message.read()), flags);
}

Result<long> sys_recvmsg(Context& context, FileDescriptor fd, UserInOut<Msghdr> message, unsigned flags) {
  SocketUse socket = TRY(SocketUse::of(context, fd));
  Msghdr header = TRY(message.read());
  long count = TRY(receive_message(context, socket, header, flags));
  TRY(write_message_header(message.address(), header));
  return count;
}

Result<long> sys_sendmmsg(Context& context, FileDescriptor fd, UserAddress messages, unsigned count,
                          unsigned flags) {
  SocketUse socket = TRY(SocketUse::of(context, fd));
  count = std::min(count, iov_max);
  for (unsigned done = 0; done < count; ++done) {
    UserAddress place = messages + done * sizeof(Mmsghdr);
    auto header = UserIn<Msghdr>(place).read();
    Result<long> sent =
        header ? send_message(context, socket, *header, flags) : Result<long>(error(header.error()));
    if (sent) {
      auto written =
          UserOut<std::uint32_t>(place + offsetof(Mmsghdr, length)).write(static_cast<std::uint32_t>(*sent));
      if (!written) sent = error(written.error());
    }
    if (!sent) return done ? Result<long>(done) : sent;
  }
  return count;
}

Result<long> sys_recvmmsg(Context& context, FileDescriptor fd, UserAddress messages, unsigned count,
                          unsigned flags, UserInOut<Timespec> timeout) {
  core::Deadline deadline = core::Deadline::never();
  if (timeout) {
    Timespec given = TRY(timeout.read());
    if (!given.is_valid()) return error(Errno::einval);
    deadline = core::Deadline::after(to_nanoseconds(given));
  }
  SocketUse socket = TRY(SocketUse::of(context, fd));
  count = std::min(count, iov_max);
  unsigned done = 0;
  while (done < count) {
    UserAddress place = messages + done * sizeof(Mmsghdr);
    auto header = UserIn<Msghdr>(place).read();
    if (!header) return done ? Result<long>(done) : error(header.error());
    auto received = receive_message(context, socket, *header, flags & ~message_wait_for_one);
    if (received) {
      auto written = write_message_header(place, *header);
      if (written)
        written = UserOut<std::uint32_t>(place + offsetof(Mmsghdr, length))
                      .write(static_cast<std::uint32_t>(*received));
      if (!written) received = error(written.error());
    }
    if (!received) return done ? Result<long>(done) : received;
    ++done;
    if (flags & message_wait_for_one) flags |= socket::message_do_not_wait;
    if (deadline.is_over()) break;
  }
  if (timeout) TRY(timeout.write(to_timespec(deadline.remaining_ns())));
  return done;
}

}  // namespace linux_abi
