// setsockopt(2), getsockopt(2)
#include <algorithm>

#include "syscalls/sockets/common.h"

namespace linux_abi {

namespace {

constexpr int level_socket = 1, so_peer_groups = 59;
constexpr std::size_t maximum_option = 4096;

}  // namespace

Result<long> sys_setsockopt(Context& context, FileDescriptor fd, int level, int name, UserBuffer value,
                            int size) {
  if (size < 0) return error(Errno::einval);
  SocketUse socket = TRY(SocketUse::of(context, fd));
  base::Vector<std::byte> bytes;
  TRY(bytes.try_resize(std::min<std::size_t>(static_cast<std::size_t>(size), maximum_option)));
  TRY(value.read(bytes.span()));
  TRY(socket->set_option(level, name, bytes.span(), context.task.credentials()));
  return 0;
}

Result<long> sys_getsockopt(Context& context, FileDescriptor fd, int level, int name, UserBuffer value,
                            UserInOut<int> size) {
  SocketUse socket = TRY(SocketUse::of(context, fd));
  int room = TRY(size.read());
  if (room < 0) return error(Errno::einval);
  base::Vector<std::byte> bytes;
  TRY(socket->get_option(level, name, bytes));
  // A list that does not fit is not cut off: the caller learns how long it is.
  if (level == level_socket && name == so_peer_groups && static_cast<std::size_t>(room) < bytes.size()) {
    TRY(size.write(static_cast<int>(bytes.size())));
    return error(Errno::erange);
  }
  std::size_t count = std::min<std::size_t>(static_cast<std::size_t>(room), bytes.size());
  TRY(value.write(bytes.span().first(count)));
  TRY(size.write(static_cast<int>(count)));
  return 0;
}

}  // namespace linux_abi
