// Sockets.
#include <algorithm>

#include "syscalls/async_io/uring_ops.h"
#include "syscalls/sockets/common.h"

namespace linux_abi {

using namespace uring;

namespace {

Result<SocketUse> socket_of(UringIssue& issue) { return SocketUse::of_file(FileUse(&issue.file(), false)); }

// MSG_* for this try: without patience it never waits, and SIGPIPE is never sent.
Result<unsigned> flags_for(UringIssue& issue, vfs::PollEvents events) {
  unsigned flags = issue.sqe().op_flags;
  if (flags & socket::message_do_not_wait) issue.request.no_wait = true;
  issue.request.poll_events = events;
  if (!issue.may_wait) flags |= socket::message_do_not_wait;
  return flags | socket::message_no_signal;
}

// Header and vectors as they were at the first try.
Result<void> keep_message(UringIssue& issue) {
  UringRequest& request = issue.request;
  if (request.has_segments) return {};
  request.message = TRY(UserIn<Msghdr>(UserAddress(request.sqe.address)).read());
  if (request.message.iov_count > iov_max) return error(Errno::emsgsize);
  TRY(request.segments.try_resize(request.message.iov_count));
  TRY(UserArray<core::UserSegment>(UserAddress(request.message.iov)).read(request.segments.span()));
  std::uint64_t total = 0;
  for (core::UserSegment& segment : request.segments) {
    if (static_cast<std::int64_t>(segment.length) < 0) return error(Errno::einval);
    segment.length = std::min<std::uint64_t>(segment.length, max_transfer - total);
    total += segment.length;
  }
  request.has_segments = true;
  return {};
}

Result<long> receive_into(UringIssue& issue, SocketUse& socket, UserAddress to, std::size_t size,
                          unsigned flags) {
  if (!core::is_user_range(to, size)) return error(Errno::efault);
  auto buffer = core::IoBuffer::user(to, std::min<std::size_t>(size, max_transfer));
  socket::ReceiveRequest request{buffer};
  request.flags = flags;
  return static_cast<long>(TRY(socket->receive(request)));
}

Result<long> receive_once(UringIssue& issue, SocketUse& socket, unsigned flags) {
  UringRequest& request = issue.request;
  const UringSqe& sqe = request.sqe;
  if (sqe.opcode == op_recvmsg) {
    TRY(keep_message(issue));
    Msghdr header = request.message;
    core::UserSegment chosen;
    std::span<const core::UserSegment> segments = request.segments.span();
    if (request.has_flag(buffer_select)) {
      TRY(uring_select_buffer(issue));
      chosen = {request.buffer_address, request.buffer_length};
      if (!segments.empty() && segments[0].length && segments[0].length < chosen.length)
        chosen.length = segments[0].length;
      segments = std::span(&chosen, 1);
    }
    auto count = receive_message(issue.context, socket, header, segments, flags);
    if (count) TRY(write_message_header(UserAddress(sqe.address), header));
    return count;
  }
  if (!request.has_flag(buffer_select))
    return receive_into(issue, socket, UserAddress(sqe.address), sqe.length, flags);
  TRY(uring_select_buffer(issue));
  std::uint32_t length = request.buffer_length;
  if (sqe.length) length = std::min(length, sqe.length);
  return receive_into(issue, socket, UserAddress(request.buffer_address), length, flags);
}

// True when nobody need look again before there is something: the first look may be skipped.
bool wants_poll_first(UringIssue& issue, std::uint16_t bit) {
  if (!(issue.sqe().priority & bit) || issue.request.done || issue.may_wait) return false;
  issue.request.done = 1;
  return true;
}

}  // namespace

Result<long> uring_send(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  if (sqe.buffer || sqe.priority & ~recvsend_poll_first) return error(Errno::einval);
  SocketUse socket = TRY(socket_of(issue));
  unsigned flags = TRY(flags_for(issue, vfs::poll_writable));
  if (wants_poll_first(issue, recvsend_poll_first)) return error(Errno::eagain);
  if (sqe.opcode == op_sendmsg) {
    TRY(keep_message(issue));
    return send_message(issue.context, socket, issue.request.message, issue.request.segments.span(), flags);
  }
  if (!core::is_user_range(UserAddress(sqe.address), sqe.length)) return error(Errno::efault);
  Msghdr header;
  header.name = sqe.offset;
  header.name_length = sqe.extra_fd & 0xffff;
  core::UserSegment segment{static_cast<std::uintptr_t>(sqe.address),
                            std::min<std::uint64_t>(sqe.length, max_transfer)};
  return send_message(issue.context, socket, header, std::span(&segment, 1), flags);
}

Result<long> uring_receive(UringIssue& issue) {
  UringRequest& request = issue.request;
  const UringSqe& sqe = request.sqe;
  bool multishot = sqe.priority & recv_multishot;
  if (sqe.priority & ~(recvsend_poll_first | recv_multishot)) return error(Errno::einval);
  // Multishot recvmsg lays out its buffers itself: not there.
  if (multishot && (sqe.opcode == op_recvmsg || !request.has_flag(buffer_select) || sqe.length ||
                    (sqe.op_flags & socket::message_wait_all)))
    return error(Errno::einval);
  SocketUse socket = TRY(socket_of(issue));
  unsigned flags = TRY(flags_for(issue, vfs::poll_readable));
  if (wants_poll_first(issue, recvsend_poll_first)) return error(Errno::eagain);
  for (unsigned round = 0;; ++round) {
    auto got = receive_once(issue, socket, flags);
    if (!got) {
      uring_return_buffer(issue);
      return got;
    }
    if (request.has_buffer)
      request.cqe_flags = cqe_buffer | static_cast<std::uint32_t>(request.buffer_id) << cqe_buffer_shift;
    if (!multishot || *got == 0 || issue.may_wait) {
      if (*got == 0 && multishot) {
        uring_return_buffer(issue);
        request.cqe_flags = 0;
      }
      return got;
    }
    issue.ring.post(request, static_cast<std::int32_t>(*got), request.cqe_flags | cqe_more);
    request.has_buffer = false;
    request.cqe_flags = 0;
    if (round == 32) {
      // A sender that never pauses: others first.
      issue.ring.push_again(request);
      return error(uring_taken);
    }
  }
}

Result<long> uring_accept(UringIssue& issue) {
  UringRequest& request = issue.request;
  const UringSqe& sqe = request.sqe;
  bool multishot = sqe.priority & accept_multishot;
  auto place = static_cast<std::uint32_t>(sqe.extra_fd);
  if (sqe.length || sqe.priority & ~(accept_multishot | accept_dont_wait | accept_poll_first))
    return error(Errno::einval);
  if (sqe.op_flags & ~(sock_cloexec | sock_nonblock)) return error(Errno::einval);
  if (place && (sqe.op_flags & sock_cloexec)) return error(Errno::einval);
  if (place && multishot && place != ~0u) return error(Errno::einval);
  SocketUse socket = TRY(socket_of(issue));
  request.poll_events = vfs::poll_readable;
  if (sqe.priority & accept_dont_wait) request.no_wait = true;
  if (wants_poll_first(issue, accept_poll_first)) return error(Errno::eagain);
  for (unsigned round = 0;; ++round) {
    auto descriptor =
        accept_from(issue.context, socket, UserBuffer(UserAddress(sqe.address)),
                    UserInOut<int>(UserAddress(sqe.offset)), sqe.op_flags, !issue.may_wait || multishot);
    if (!descriptor && descriptor.error() == Errno::eagain) return descriptor;
    auto result = uring_move_to_fixed(issue, descriptor, place);
    if (!multishot || !result) return result;
    issue.ring.post(request, static_cast<std::int32_t>(*result), cqe_more);
    if (round == 32) {
      issue.ring.push_again(request);
      return error(uring_taken);
    }
  }
}

Result<long> uring_connect(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  if (sqe.length || sqe.buffer || sqe.op_flags || sqe.extra_fd) return error(Errno::einval);
  SocketUse socket = TRY(socket_of(issue));
  CallerIdentity caller{issue.context};
  auto address = TRY(read_address(UserBuffer(UserAddress(sqe.address)), static_cast<int>(sqe.offset)));
  auto done = socket->connect(address, *caller, !issue.may_wait);
  // A full backlog: somebody has to wait for it.
  if (!done && done.error() == Errno::eagain && !socket.is_non_blocking()) TRY(issue.in_worker());
  TRY(done);
  return 0;
}

Result<long> uring_socket_call(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  auto place = static_cast<std::uint32_t>(sqe.extra_fd);
  if (sqe.opcode == op_socket) {
    if (sqe.address || sqe.op_flags || sqe.buffer) return error(Errno::einval);
    auto type = static_cast<unsigned>(sqe.offset);
    if (place && (type & sock_cloexec)) return error(Errno::einval);
    return uring_move_to_fixed(issue, sys_socket(issue.context, sqe.fd, type, static_cast<int>(sqe.length)),
                               place);
  }
  if (sqe.op_flags || sqe.buffer || sqe.extra_fd) return error(Errno::einval);
  SocketUse socket = TRY(socket_of(issue));
  CallerIdentity caller{issue.context};
  if (sqe.opcode == op_shutdown) {
    if (sqe.offset || sqe.address) return error(Errno::einval);
    if (sqe.length > 2) return error(Errno::einval);
    TRY(socket->shutdown(static_cast<socket::Shutdown>(sqe.length)));
  } else if (sqe.opcode == op_listen) {
    if (sqe.address || sqe.offset) return error(Errno::einval);
    TRY(socket->listen(static_cast<int>(sqe.length), *caller));
  } else {
    if (sqe.length) return error(Errno::einval);
    TRY(socket->bind(TRY(read_address(UserBuffer(UserAddress(sqe.address)), static_cast<int>(sqe.offset))),
                     *caller));
  }
  return 0;
}

}  // namespace linux_abi
