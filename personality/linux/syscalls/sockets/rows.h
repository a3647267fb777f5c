// Sockets of every family.
#pragma once

#include "linux_abi/abi/socket.h"
#include "linux_abi/prelude.h"

namespace linux_abi {

struct SocketPair {
  std::int32_t first = -1, second = -1;
};

Result<long> sys_socket(Context& context, int family, unsigned type, int protocol);
Result<long> sys_socketpair(Context& context, int family, unsigned type, int protocol,
                            UserOut<SocketPair> out);
Result<long> sys_bind(Context& context, FileDescriptor fd, UserBuffer address, int size);
Result<long> sys_connect(Context& context, FileDescriptor fd, UserBuffer address, int size);
Result<long> sys_listen(Context& context, FileDescriptor fd, int backlog);
Result<long> sys_accept(Context& context, FileDescriptor fd, UserBuffer address, UserInOut<int> size);
Result<long> sys_accept4(Context& context, FileDescriptor fd, UserBuffer address, UserInOut<int> size,
                         unsigned flags);
Result<long> sys_getsockname(Context& context, FileDescriptor fd, UserBuffer address, UserInOut<int> size);
Result<long> sys_getpeername(Context& context, FileDescriptor fd, UserBuffer address, UserInOut<int> size);
Result<long> sys_shutdown(Context& context, FileDescriptor fd, int how);
Result<long> sys_setsockopt(Context& context, FileDescriptor fd, int level, int name, UserBuffer value,
                            int size);
Result<long> sys_getsockopt(Context& context, FileDescriptor fd, int level, int name, UserBuffer value,
                            UserInOut<int> size);
Result<long> sys_sendto(Context& context, FileDescriptor fd, UserBuffer data, std::size_t size,
                        unsigned flags, UserBuffer address, int address_size);
Result<long> sys_recvfrom(Context& context, FileDescriptor fd, UserBuffer data, std::size_t size,
                          unsigned flags, UserBuffer address, UserInOut<int> address_size);
Result<long> sys_sendmsg(Context& context, FileDescriptor fd, UserInOut<Msghdr> message, unsigned flags);
Result<long> sys_recvmsg(Context& context, FileDescriptor fd, UserInOut<Msghdr> message, unsigned flags);
Result<long> sys_sendmmsg(Context& context, FileDescriptor fd, UserAddress messages, unsigned count,
                          unsigned flags);
Result<long> sys_recvmmsg(Context& context, FileDescriptor fd, UserAddress messages, unsigned count,
                          unsigned flags, UserInOut<Timespec> timeout);

namespace syscalls::sockets {

inline constexpr SyscallRow rows[] = {
    row<number::socket, sys_socket>("socket", "AF_UNIX; SOCK_CLOEXEC SOCK_NONBLOCK"),
    row<number::socketpair, sys_socketpair>("socketpair", "AF_UNIX; SOCK_CLOEXEC SOCK_NONBLOCK"),
    row<number::bind, sys_bind>("bind"),
    row<number::connect, sys_connect>("connect"),
    row<number::listen, sys_listen>("listen"),
    row<number::accept, sys_accept>("accept"),
    row<number::accept4, sys_accept4>("accept4", "SOCK_CLOEXEC SOCK_NONBLOCK"),
    row<number::getsockname, sys_getsockname>("getsockname"),
    row<number::getpeername, sys_getpeername>("getpeername"),
    row<number::shutdown, sys_shutdown>("shutdown"),
    row<number::setsockopt, sys_setsockopt>("setsockopt"),
    row<number::getsockopt, sys_getsockopt>("getsockopt"),
    row<number::sendto, sys_sendto>("sendto", "MSG_DONTWAIT MSG_EOR MSG_MORE MSG_NOSIGNAL"),
    row<number::recvfrom, sys_recvfrom>("recvfrom", "MSG_DONTWAIT MSG_PEEK MSG_TRUNC MSG_WAITALL"),
    row<number::sendmsg, sys_sendmsg>("sendmsg", "SCM_RIGHTS SCM_CREDENTIALS"),
    row<number::recvmsg, sys_recvmsg>("recvmsg", "SCM_RIGHTS SCM_CREDENTIALS MSG_CMSG_CLOEXEC"),
    row<number::sendmmsg, sys_sendmmsg>("sendmmsg"),
    row<number::recvmmsg, sys_recvmmsg>("recvmmsg", "MSG_WAITFORONE"),
};

}  // namespace syscalls::sockets

}  // namespace linux_abi
