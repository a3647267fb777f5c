// What the socket calls share: from descriptor to socket, addresses in and out.
#pragma once

#include "socket/socket.h"
#include "syscalls/sockets/rows.h"

namespace linux_abi {

// The socket behind a descriptor, for the length of a call. ENOTSOCK.
class SocketUse {
 public:
  static Result<SocketUse> of(Context& context, FileDescriptor fd) {
    return of_file(TRY(context.task.files->use(fd.number)));
  }
  static Result<SocketUse> of_file(FileUse file) {
    auto* socket_file = file->as<socket::SocketFile>();
    if (!socket_file) return error(Errno::enotsock);
    return SocketUse(std::move(file), socket_file->socket());
  }
  socket::Socket* operator->() const { return &socket_; }
  socket::Socket& operator*() const { return socket_; }
  bool is_non_blocking() const { return file_->is_non_blocking(); }

 private:
  SocketUse(FileUse file, socket::Socket& socket) : file_(std::move(file)), socket_(socket) {}
  FileUse file_;
  socket::Socket& socket_;
};

// The calling task as the sockets see it; lives as long as the call.
class CallerIdentity {
 public:
  explicit CallerIdentity(Context& context)
      : files_(caller_of(context.task)),
        party_{context.process.id(), context.task.credentials_reference()},
        caller_{files_, party_} {}
  const socket::SocketCaller& operator*() const { return caller_; }
  const socket::SocketCaller* operator&() const { return &caller_; }
  const socket::Party& party() const { return party_; }
  socket::UserCredentials credentials() const {
    return {party_.pid, party_.credentials->euid, party_.credentials->egid};
  }

 private:
  vfs::Caller files_;
  socket::Party party_;
  socket::SocketCaller caller_;
};

Result<socket::Address> read_address(UserBuffer from, int size);
// Writes what fits in *size bytes and sets *size to the full length. Nothing when the buffer is null.
Result<void> write_address(const socket::Address& address, UserBuffer to, UserInOut<int> size);

inline constexpr unsigned sock_type_mask = 0xf, sock_cloexec = 02000000, sock_nonblock = 04000;

// What is behind sendmsg, recvmsg and accept4, for asynchronous ones too: the header and its vectors are in
// kernel memory, the vectors' sum fits.
Result<long> send_message(Context& context, const SocketUse& socket, const Msghdr& header,
                          std::span<const core::UserSegment> segments, unsigned flags);
Result<long> receive_message(Context& context, const SocketUse& socket, Msghdr& header,
                             std::span<const core::UserSegment> segments, unsigned flags);
// Writes back what recvmsg changes in the header.
Result<void> write_message_header(UserAddress place, const Msghdr& header);
Result<long> accept_from(Context& context, const SocketUse& socket, UserBuffer address, UserInOut<int> size,
                         unsigned flags, bool non_blocking);

// Sends SIGPIPE for a broken pipe unless the flags say not to.
Result<long> finish_send(Context& context, Result<std::size_t> result, unsigned flags);

}  // namespace linux_abi
