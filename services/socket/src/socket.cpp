#include "socket/socket.h"

#include <algorithm>
#include <cstring>

#include "core/time/clock.h"
#include "vfs/inode.h"

namespace socket {

namespace {

constinit std::atomic<SocketFamily*> families[64] = {};
constinit IdentityOfCaller identity_function = nullptr;

// SOL_SOCKET and its options (asm-generic/socket.h).
constexpr int level_socket = 1;
enum Option : int {
  so_debug = 1,
  so_reuse_address = 2,
  so_type = 3,
  so_error = 4,
  so_dont_route = 5,
  so_broadcast = 6,
  so_send_buffer = 7,
  so_receive_buffer = 8,
  so_keep_alive = 9,
  so_oob_inline = 10,
  so_no_check = 11,
  so_priority = 12,
  so_linger = 13,
  so_reuse_port = 15,
  so_pass_credentials = 16,
  so_receive_low_water = 18,
  so_send_low_water = 19,
  so_receive_timeout = 20,
  so_send_timeout = 21,
  so_timestamp = 29,
  so_accepts = 30,
  so_send_buffer_force = 32,
  so_receive_buffer_force = 33,
  so_pass_security = 34,
  so_timestamp_ns = 35,
  so_mark = 36,
  so_protocol = 38,
  so_domain = 39,
  so_rx_queue_overflow = 40,
};

constexpr std::uint32_t minimum_buffer = 2304, maximum_buffer = 212992;

struct TimeValue {
  std::int64_t seconds, microseconds;
};

template <typename T>
Result<T> value_of(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(T)) return error(Errno::einval);
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

template <typename T>
Result<void> append(base::Vector<std::byte>& out, const T& value) {
  return out.try_append(std::as_bytes(std::span(&value, 1)));
}

Result<std::uint64_t> timeout_of(std::span<const std::byte> bytes) {
  auto value = TRY(value_of<TimeValue>(bytes));
  if (value.microseconds < 0 || value.microseconds >= 1'000'000) return error(Errno::edom);
  if (value.seconds < 0) return 0;
  // Beyond 280 years there is no time-out.
  if (value.seconds > 9'000'000'000) return 0;
  return static_cast<std::uint64_t>(value.seconds) * core::ns_per_second +
         static_cast<std::uint64_t>(value.microseconds) * core::ns_per_us;
}

Result<void> append_timeout(base::Vector<std::byte>& out, std::uint64_t ns) {
  return append(out, TimeValue{static_cast<std::int64_t>(ns / core::ns_per_second),
                               static_cast<std::int64_t>(ns % core::ns_per_second / core::ns_per_us)});
}

core::Deadline deadline_after(std::uint64_t timeout_ns) {
  return timeout_ns ? core::Deadline::after(timeout_ns) : core::Deadline::never();
}

}  // namespace

void register_family(Family family, SocketFamily& implementation) {
  families[static_cast<std::size_t>(family)].store(&implementation);
}

Result<SocketFamily*> find_family(int family) {
  if (family < 0 || static_cast<std::size_t>(family) >= std::size(families))
    return error(Errno::eafnosupport);
  SocketFamily* found = families[family].load();
  if (!found) return error(Errno::eafnosupport);
  return found;
}

void set_identity_of_caller(IdentityOfCaller function) { identity_function = function; }
Party identity_of_caller() { return identity_function ? identity_function() : Party{}; }

core::Deadline Socket::receive_deadline() const { return deadline_after(receive_timeout_ns_.load()); }
core::Deadline Socket::send_deadline() const { return deadline_after(send_timeout_ns_.load()); }

Socket::Flag Socket::flag_of(int name) {
  switch (name) {
    case so_debug:
      return debug;
    case so_reuse_address:
      return reuse_address;
    case so_dont_route:
      return dont_route;
    case so_broadcast:
      return broadcast;
    case so_keep_alive:
      return keep_alive;
    case so_oob_inline:
      return oob_inline;
    case so_no_check:
      return no_check;
    case so_reuse_port:
      return reuse_port;
    case so_timestamp:
      return timestamp;
    case so_timestamp_ns:
      return timestamp_ns;
    case so_pass_security:
      return pass_security;
    case so_rx_queue_overflow:
      return rx_queue_overflow;
    default:
      return Flag{};
  }
}

Result<void> Socket::set_option(int level, int name, std::span<const std::byte> value,
                                const vfs::Credentials& credentials) {
  if (level != level_socket) return set_family_option(level, name, value);
  if (name == so_linger) {
    struct Linger {
      std::int32_t on, seconds;
    };
    auto given = TRY(value_of<Linger>(value));
    linger_.store((given.on ? 1 : 0) | static_cast<std::uint64_t>(static_cast<std::uint32_t>(given.seconds))
                                           << 32);
    return {};
  }
  if (name == so_receive_timeout || name == so_send_timeout) {
    (name == so_receive_timeout ? receive_timeout_ns_ : send_timeout_ns_).store(TRY(timeout_of(value)));
    return {};
  }
  int number = TRY(value_of<int>(value));
  auto buffer_size = [&](bool limited) {
    std::uint64_t wanted = static_cast<std::uint64_t>(std::max(number, 0));
    if (limited) wanted = std::min<std::uint64_t>(wanted, maximum_buffer);
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(wanted * 2, minimum_buffer, 0x7fffffff));
  };
  switch (name) {
    case so_send_buffer_force:
    case so_receive_buffer_force:
      if (!credentials.can(vfs::Capability::net_admin)) return error(Errno::eperm);
      (name == so_send_buffer_force ? send_buffer_size_ : receive_buffer_size_).store(buffer_size(false));
      return {};
    case so_send_buffer:
      send_buffer_size_.store(std::max(buffer_size(true), 2 * minimum_buffer));
      return {};
    case so_receive_buffer:
      receive_buffer_size_.store(buffer_size(true));
      return {};
    case so_receive_low_water:
      receive_low_water_.store(static_cast<std::uint32_t>(number > 0 ? number : number < 0 ? 0x7fffffff : 1));
      return {};
    case so_pass_credentials:
      pass_credentials_.store(number != 0);
      return {};
    case so_priority:
      if ((number < 0 || number > 6) && !credentials.can(vfs::Capability::net_admin))
        return error(Errno::eperm);
      priority_.store(static_cast<std::uint32_t>(number));
      return {};
    case so_mark:
      if (!credentials.can(vfs::Capability::net_admin)) return error(Errno::eperm);
      mark_.store(static_cast<std::uint32_t>(number));
      return {};
    case so_type:
    case so_protocol:
    case so_domain:
    case so_error:
    case so_accepts:
    case so_send_low_water:
      return error(Errno::enoprotoopt);
    default:
      break;
  }
  Flag flag = flag_of(name);
  if (!flag) return set_family_option(level, name, value);
  if (number)
    flags_.fetch_or(flag);
  else
    flags_.fetch_and(~static_cast<std::uint32_t>(flag));
  return {};
}

Result<void> Socket::get_option(int level, int name, base::Vector<std::byte>& value) {
  if (level != level_socket) return get_family_option(level, name, value);
  switch (name) {
    case so_type:
      return append(value, static_cast<int>(type_));
    case so_protocol:
      return append(value, protocol_);
    case so_domain:
      return append(value, static_cast<int>(family_));
    case so_error:
      return append(value, static_cast<int>(take_pending_error()));
    case so_accepts:
      return append(value, is_listening() ? 1 : 0);
    case so_send_buffer:
      return append(value, send_buffer_size());
    case so_receive_buffer:
      return append(value, receive_buffer_size());
    case so_receive_low_water:
      return append(value, receive_low_water());
    case so_send_low_water:
      return append(value, 1);
    case so_pass_credentials:
      return append(value, passes_credentials() ? 1 : 0);
    case so_priority:
      return append(value, priority_.load());
    case so_mark:
      return append(value, mark_.load());
    case so_receive_timeout:
      return append_timeout(value, receive_timeout_ns_.load());
    case so_send_timeout:
      return append_timeout(value, send_timeout_ns_.load());
    case so_linger:
      return append(value, linger_.load());
    default:
      break;
  }
  Flag flag = flag_of(name);
  if (!flag) return get_family_option(level, name, value);
  return append(value, flags_.load() & flag ? 1 : 0);
}

// ---- Files ----

namespace {

// Shows as "socket:[number]".
class SocketInode final : public vfs::Inode {
 public:
  explicit SocketInode(const vfs::NewInode& properties)
      : Inode(vfs::anonymous_file_system(), vfs::next_anonymous_inode_number(), properties) {}
  void describe(base::TextSink& out) const override { base::format(out, "socket:[{}]", number()); }
};

}  // namespace

namespace {

Result<RefPtr<SocketFile>> create_open(const RefPtr<Socket>& socket, vfs::OpenFlags flags,
                                       RefPtr<const vfs::Credentials> credentials) {
  vfs::NewInode properties{vfs::mode_socket | 0777, credentials->fsuid, credentials->fsgid, {}};
  auto* inode = new (std::nothrow) SocketInode(properties);
  if (!inode) return error(Errno::enomem);
  vfs::Path path = TRY(vfs::path_of_anonymous_inode(RefPtr<vfs::Inode>::adopt(inode)));
  auto file = TRY(base::try_make_ref<SocketFile>(socket));
  file->attach(std::move(path), vfs::open_read_write | flags, std::move(credentials));
  return file;
}

}  // namespace

Result<RefPtr<SocketFile>> SocketFile::create(RefPtr<Socket> socket, vfs::OpenFlags flags,
                                              RefPtr<const vfs::Credentials> credentials) {
  auto file = create_open(socket, flags, std::move(credentials));
  // A peer that it has is told, and the two do not hold each other for ever.
  if (!file) socket->close();
  return file;
}

Result<std::size_t> SocketFile::read_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags io_flags) {
  ReceiveRequest request{buffer};
  request.non_blocking = is_non_blocking() || (io_flags & vfs::io_no_wait);
  return socket_->receive(request);
}

Result<std::size_t> SocketFile::write_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags io_flags) {
  SendRequest request{buffer};
  request.non_blocking = is_non_blocking() || (io_flags & vfs::io_no_wait);
  Party party = identity_of_caller();
  if (party.credentials) request.credentials = {party.pid, party.credentials->euid, party.credentials->egid};
  return socket_->send(request, nullptr);
}

Result<long> SocketFile::ioctl(unsigned command, std::uintptr_t argument) {
  return socket_->ioctl(command, argument);
}

}  // namespace socket
