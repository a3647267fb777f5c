#include "syscalls/sockets/control.h"

#include <algorithm>

namespace linux_abi {

namespace {

constexpr int level_socket = 1, scm_rights = 1, scm_credentials = 2;
constexpr std::uint64_t maximum_control = 20480;  // net.core.optmem_max

constexpr std::uint64_t aligned(std::uint64_t size) { return (size + 7) & ~std::uint64_t{7}; }

Result<void> read_rights(Context& context, UserAddress data, std::uint64_t size,
                         socket::SendRequest& request) {
  std::uint64_t count = size / sizeof(std::int32_t);
  if (count + request.files.size() > socket::maximum_passed_files) return error(Errno::einval);
  for (std::uint64_t i = 0; i < count; ++i) {
    int number = TRY(UserIn<std::int32_t>(data).read_at(i));
    TRY(request.files.try_push_back(TRY(context.task.files->use_any(number)).share()));
  }
  return {};
}

Result<void> read_credentials(Context& context, UserAddress data, std::uint64_t size,
                              socket::SendRequest& request) {
  if (size != sizeof(Ucred)) return error(Errno::einval);
  Ucred claimed = TRY(UserIn<Ucred>(data).read());
  const vfs::Credentials& own = context.task.credentials();
  bool pid_allowed = claimed.pid == context.process.id() || own.can(vfs::Capability::sys_admin);
  bool uid_allowed = claimed.uid == own.uid || claimed.uid == own.euid || claimed.uid == own.suid ||
                     own.can(vfs::Capability::setuid);
  bool gid_allowed = claimed.gid == own.gid || claimed.gid == own.egid || claimed.gid == own.sgid ||
                     own.can(vfs::Capability::setgid);
  if (!pid_allowed || !uid_allowed || !gid_allowed) return error(Errno::eperm);
  if (!Pid::get(claimed.pid)) return error(Errno::esrch);
  request.credentials = {claimed.pid, claimed.uid, claimed.gid};
  request.has_credentials = true;
  return {};
}

// Puts one control message if its header and at least part of its data fit.
class ControlWriter {
 public:
  explicit ControlWriter(Msghdr& header)
      : header_(header), at_(header.control), room_(header.control ? header.control_length : 0) {}

  // Bytes of data that a message could still carry.
  std::uint64_t data_room() const { return room_ > sizeof(Cmsghdr) ? room_ - sizeof(Cmsghdr) : 0; }
  Result<void> put(int type, std::span<const std::byte> data) {
    std::uint64_t length = sizeof(Cmsghdr) + data.size();
    TRY(UserOut<Cmsghdr>(static_cast<std::uintptr_t>(at_)).write({length, level_socket, type}));
    TRY(UserBuffer(static_cast<std::uintptr_t>(at_ + sizeof(Cmsghdr))).write(data));
    std::uint64_t step = std::min(aligned(length), room_);
    at_ += step;
    room_ -= step;
    return {};
  }
  void finish() { header_.control_length = header_.control ? at_ - header_.control : 0; }

 private:
  Msghdr& header_;
  std::uint64_t at_, room_;
};

Result<void> write_rights(Context& context, ControlWriter& writer, Msghdr& header,
                          base::Vector<RefPtr<vfs::File>>& files, CloseOnExec close_on_exec) {
  std::size_t fits = std::min<std::size_t>(files.size(), writer.data_room() / sizeof(std::int32_t));
  std::int32_t numbers[socket::maximum_passed_files];
  std::size_t count = 0;
  while (count < fits) {
    auto added = context.task.files->add(files[count], close_on_exec, descriptor_limit(context));
    if (!added) break;
    numbers[count++] = *added;
  }
  if (count < files.size()) header.flags |= socket::message_control_truncated;
  if (count == 0) return {};
  return writer.put(scm_rights, std::as_bytes(std::span(numbers, count)));
}

}  // namespace

Result<void> read_control(Context& context, const Msghdr& header, socket::SendRequest& request) {
  if (header.control_length > maximum_control) return error(Errno::enobufs);
  std::uint64_t at = 0;
  while (header.control_length - at >= sizeof(Cmsghdr)) {
    auto place = static_cast<std::uintptr_t>(header.control + at);
    Cmsghdr control = TRY(UserIn<Cmsghdr>(place).read());
    if (control.length < sizeof(Cmsghdr) || control.length > header.control_length - at)
      return error(Errno::einval);
    if (control.level == level_socket) {
      UserAddress data{place + sizeof(Cmsghdr)};
      std::uint64_t size = control.length - sizeof(Cmsghdr);
      if (control.type == scm_rights)
        TRY(read_rights(context, data, size, request));
      else if (control.type == scm_credentials)
        TRY(read_credentials(context, data, size, request));
      else
        return error(Errno::einval);
    }
    if (aligned(control.length) >= header.control_length - at) break;
    at += aligned(control.length);
  }
  return {};
}

Result<void> write_control(Context& context, Msghdr& header, socket::ReceiveRequest& request,
                           CloseOnExec close_on_exec) {
  ControlWriter writer{header};
  if (request.has_credentials) {
    Ucred out{request.credentials.pid, request.credentials.uid, request.credentials.gid};
    if (writer.data_room() >= sizeof(out))
      TRY(writer.put(scm_credentials, std::as_bytes(std::span(&out, 1))));
    else
      header.flags |= socket::message_control_truncated;
  }
  if (!request.files.empty()) TRY(write_rights(context, writer, header, request.files, close_on_exec));
  writer.finish();
  return {};
}

}  // namespace linux_abi
