// epoll_create(2), epoll_ctl(2), epoll_wait(2)
#include "poll/epoll.h"
#include "arch/linux_abi.h"
#include "syscalls/polling/wait.h"

namespace linux_abi {

namespace {

using poll::EpollFile;
using UserEvent = arch::LinuxEpollEvent;

constexpr int epoll_ctl_add = 1, epoll_ctl_del = 2, epoll_ctl_mod = 3;
constexpr unsigned epoll_cloexec = 02000000;
constexpr int maximum_events = 0x7fffffff / static_cast<int>(sizeof(UserEvent));

Result<EpollFile*> epoll_of(vfs::File& file) {
  auto* epoll = file.as<EpollFile>();
  if (!epoll) return error(Errno::einval);
  return epoll;
}

Result<long> wait_on(Context& context, FileDescriptor fd, UserAddress events, int maximum,
                     core::Deadline deadline) {
  if (maximum <= 0 || maximum > maximum_events) return error(Errno::einval);
  FileUse file = TRY(context.task.files->use(fd.number));
  EpollFile* epoll = TRY(epoll_of(*file));
  std::size_t next = 0;
  auto deliver = [&](const poll::EpollEvent& event) {
    UserEvent out{};
    out.events = event.events;
    out.data = event.data;
    return UserOut<UserEvent>(events).write_at(next++, out).has_value();
  };
  auto count = epoll->wait(static_cast<std::size_t>(maximum), deadline, deliver);
  if (!count) return error(count.error() == Errno::eintr ? Errno::interrupted_finally : count.error());
  return static_cast<long>(*count);
}

}  // namespace

Result<long> sys_epoll_create1(Context& context, unsigned flags) {
  if (flags & ~epoll_cloexec) return error(Errno::einval);
  auto file = TRY(EpollFile::create(context.task.credentials_reference(), 0));
  return TRY(context.task.files->add(std::move(file),
                                     flags & epoll_cloexec ? CloseOnExec::yes : CloseOnExec::no,
                                     descriptor_limit(context)));
}

Result<long> sys_epoll_create(Context& context, int size) {
  if (size <= 0) return error(Errno::einval);
  return sys_epoll_create1(context, 0);
}

Result<long> sys_epoll_ctl(Context& context, FileDescriptor epoll_fd, int operation, FileDescriptor fd,
                           UserAddress event_address) {
  poll::EpollEvent event;
  if (operation != epoll_ctl_del) {
    UserEvent given = TRY(UserIn<UserEvent>(event_address).read());
    event = {given.events, given.data};
  }
  FileUse epoll_file = TRY(context.task.files->use(epoll_fd.number));
  FileUse watched = TRY(context.task.files->use(fd.number));
  EpollFile* epoll = epoll_file->as<EpollFile>();
  if (!epoll || &*watched == &*epoll_file) return error(Errno::einval);
  switch (operation) {
    case epoll_ctl_add:
      TRY(epoll->add(watched.share(), fd.number, event));
      return 0;
    case epoll_ctl_mod:
      TRY(epoll->modify(watched.share(), fd.number, event));
      return 0;
    case epoll_ctl_del:
      TRY(epoll->remove(watched.share(), fd.number));
      return 0;
    default:
      return error(Errno::einval);
  }
}

Result<long> sys_epoll_wait(Context& context, FileDescriptor epoll, UserAddress events, int maximum,
                            int timeout_ms) {
  return wait_on(context, epoll, events, maximum, deadline_of_ms(timeout_ms));
}

Result<long> sys_epoll_pwait(Context& context, FileDescriptor epoll, UserAddress events, int maximum,
                             int timeout_ms, UserIn<SignalSet> mask, std::size_t mask_size) {
  TRY(install_mask(context, mask, mask_size));
  return finish_with_mask(context, wait_on(context, epoll, events, maximum, deadline_of_ms(timeout_ms)));
}

Result<long> sys_epoll_pwait2(Context& context, FileDescriptor epoll, UserAddress events, int maximum,
                              UserIn<Timespec> timeout, UserIn<SignalSet> mask, std::size_t mask_size) {
  core::Deadline deadline = core::Deadline::never();
  if (timeout) deadline = TRY(deadline_of(TRY(timeout.read())));
  TRY(install_mask(context, mask, mask_size));
  return finish_with_mask(context, wait_on(context, epoll, events, maximum, deadline));
}

}  // namespace linux_abi
