// dup(2), dup2(2), dup3(2), fcntl(2), flock(2), ioctl(2)
#include "linux_abi/async_owner.h"
#include "linux_abi/directory_notices.h"
#include "linux_abi/open_flags.h"
#include "pipe/pipe.h"
#include "pty/master_file.h"
#include "syscalls/files/rows.h"
#include "vfs/inode.h"
#include "vfs/locks.h"
#include "vfs/notify.h"

namespace linux_abi {

namespace {

CloseOnExec close_on_exec_if(bool wanted) { return wanted ? CloseOnExec::yes : CloseOnExec::no; }

Result<long> duplicate_to(Context& context, int from, int to, CloseOnExec close_on_exec) {
  FileTable& files = *context.task.files;
  auto file = TRY(files.get(from));
  auto old = TRY(files.replace(to, std::move(file), close_on_exec, descriptor_limit(context)));
  if (old) (void)close_file(files, std::move(old));
  return to;
}

}  // namespace

Result<long> sys_dup(Context& context, FileDescriptor fd) {
  auto file = TRY(context.task.files->get(fd.number));
  return TRY(context.task.files->add(std::move(file), CloseOnExec::no, descriptor_limit(context)));
}

Result<long> sys_dup3(Context& context, FileDescriptor from, FileDescriptor to, unsigned flags) {
  if (flags & ~o_cloexec || from.number == to.number) return error(Errno::einval);
  return duplicate_to(context, from.number, to.number, close_on_exec_if(flags & o_cloexec));
}

Result<long> sys_dup2(Context& context, FileDescriptor from, FileDescriptor to) {
  if (from.number == to.number) {
    [[maybe_unused]] FileUse open = TRY(context.task.files->use_any(from.number));
    return to.number;
  }
  return duplicate_to(context, from.number, to.number, CloseOnExec::no);
}

namespace {

// --- Record locks

Result<vfs::LockRange> to_range(Context& context, vfs::File& file, const Flock& wanted, vfs::LockKind kind) {
  vfs::LockRange range;
  range.kind = kind;
  switch (wanted.type) {
    case f_rdlck:
      range.type = vfs::LockType::read;
      break;
    case f_wrlck:
      range.type = vfs::LockType::write;
      break;
    case f_unlck:
      range.type = vfs::LockType::unlock;
      break;
    default:
      return error(Errno::einval);
  }
  std::int64_t base = 0;
  switch (wanted.whence) {
    case 0:
      break;
    case 1:
      base = static_cast<std::int64_t>(file.position());
      break;
    case 2:
      base = static_cast<std::int64_t>(file.inode().size());
      break;
    default:
      return error(Errno::einval);
  }
  auto start = base::checked_add(base, wanted.start);
  if (!start) return error(Errno::eoverflow);
  if (*start < 0) return error(Errno::einval);
  std::int64_t first = *start, last = 0x7fffffffffffffff;
  if (wanted.length > 0) {
    auto end = base::checked_add(first, wanted.length - 1);
    if (!end) return error(Errno::eoverflow);
    last = *end;
  } else if (wanted.length < 0) {
    last = first - 1;
    first += wanted.length;
    if (first < 0) return error(Errno::einval);
  }
  range.start = static_cast<std::uint64_t>(first);
  range.end = static_cast<std::uint64_t>(last);
  bool of_file = kind == vfs::LockKind::open_file;
  range.owner = of_file ? static_cast<const void*>(&file) : context.task.files.get();
  range.process_id = of_file ? -1 : context.process.id();
  return range;
}

Result<long> set_record_lock(Context& context, vfs::File& file, UserIn<Flock> in, vfs::LockKind kind,
                             vfs::LockWait wait) {
  Flock wanted = TRY(in.read());
  if (kind == vfs::LockKind::open_file && wanted.pid) return error(Errno::einval);
  vfs::LockRange range = TRY(to_range(context, file, wanted, kind));
  if (range.type == vfs::LockType::read && !file.can_read()) return error(Errno::ebadf);
  if (range.type == vfs::LockType::write && !file.can_write()) return error(Errno::ebadf);
  TRY(vfs::set_lock(file, range, wait));
  return 0;
}

Result<long> get_record_lock(Context& context, vfs::File& file, UserInOut<Flock> buffer, vfs::LockKind kind) {
  Flock wanted = TRY(buffer.read());
  if (kind == vfs::LockKind::open_file && wanted.pid) return error(Errno::einval);
  if (wanted.type == f_unlck) return error(Errno::einval);
  vfs::LockRange range = TRY(to_range(context, file, wanted, kind));
  auto conflict = vfs::find_conflict(file, range);
  if (!conflict) {
    wanted.type = f_unlck;
  } else {
    wanted.type = conflict->type == vfs::LockType::read ? f_rdlck : f_wrlck;
    wanted.whence = 0;
    wanted.start = static_cast<std::int64_t>(conflict->start);
    bool to_end = conflict->end == ~std::uint64_t{0} >> 1;
    wanted.length = to_end ? 0 : static_cast<std::int64_t>(conflict->end - conflict->start + 1);
    wanted.pid = conflict->process_id;
  }
  TRY(buffer.write(wanted));
  return 0;
}

Result<long> set_status_flags(vfs::File& file, std::uint64_t argument) {
  auto wanted = to_open_flags(static_cast<unsigned>(argument)) & vfs::open_changeable;
  vfs::OpenFlags changed = (file.flags() & ~vfs::open_changeable) | wanted;
  TRY(file.check_flags(changed));
  file.set_flags(wanted);
  return 0;
}

bool allowed_on_path_only(int command) {
  return command == f_dupfd || command == f_dupfd_cloexec || command == f_getfd || command == f_setfd ||
         command == f_getfl || command == f_dupfd_query;
}

Result<long> duplicate_above(Context& context, FileDescriptor fd, std::uint64_t minimum,
                             CloseOnExec close_on_exec) {
  if (minimum >= descriptor_limit(context)) return error(Errno::einval);
  auto file = TRY(context.task.files->get(fd.number));
  return TRY(context.task.files->add(std::move(file), close_on_exec, descriptor_limit(context),
                                     static_cast<unsigned>(minimum)));
}

}  // namespace

Result<long> sys_fcntl(Context& context, FileDescriptor fd, int command, std::uint64_t argument) {
  FileTable& files = *context.task.files;
  FileUse file = TRY(files.use_any(fd.number));
  if ((file->flags() & vfs::open_path) && !allowed_on_path_only(command)) return error(Errno::ebadf);
  switch (command) {
    case f_dupfd:
      return duplicate_above(context, fd, argument, CloseOnExec::no);
    case f_dupfd_cloexec:
      return duplicate_above(context, fd, argument, CloseOnExec::yes);
    case f_dupfd_query:
      return &*file == &*TRY(files.use_any(static_cast<int>(argument)));
    case f_getfd:
      return TRY(files.close_on_exec(fd.number)) == CloseOnExec::yes ? fd_cloexec : 0;
    case f_setfd:
      TRY(files.set_close_on_exec(fd.number, close_on_exec_if(argument & fd_cloexec)));
      return 0;
    case f_getfl:
      return static_cast<long>(
          from_open_flags(file->flags() & ~(vfs::open_close_on_exec | vfs::open_without_notice)));
    case f_setfl:
      return set_status_flags(*file, argument);
    case f_getlk:
      return get_record_lock(context, *file, UserInOut<Flock>(argument), vfs::LockKind::posix);
    case f_setlk:
      return set_record_lock(context, *file, UserIn<Flock>(argument), vfs::LockKind::posix,
                             vfs::LockWait::fail);
    case f_setlkw:
      return set_record_lock(context, *file, UserIn<Flock>(argument), vfs::LockKind::posix,
                             vfs::LockWait::wait);
    case f_ofd_getlk:
      return get_record_lock(context, *file, UserInOut<Flock>(argument), vfs::LockKind::open_file);
    case f_ofd_setlk:
      return set_record_lock(context, *file, UserIn<Flock>(argument), vfs::LockKind::open_file,
                             vfs::LockWait::fail);
    case f_ofd_setlkw:
      return set_record_lock(context, *file, UserIn<Flock>(argument), vfs::LockKind::open_file,
                             vfs::LockWait::wait);
    case f_setown:
    case f_getown:
    case f_setown_ex:
    case f_getown_ex:
    case f_getowner_uids:
    case f_setsig:
    case f_getsig:
      return async_owner_control(context, *file, command, argument);
    case f_notify:
      return notice_directory(context, *file, fd.number, argument);
    case f_add_seals:
      TRY(file->add_seals(static_cast<unsigned>(argument)));
      return 0;
    case f_get_seals:
      return static_cast<long>(TRY(file->seals()));
    case f_setpipe_sz:
    case f_getpipe_sz: {
      auto* pipe_file = file->as<pipe::PipeFile>();
      if (!pipe_file) return error(Errno::ebadf);
      if (command == f_getpipe_sz) return static_cast<long>(pipe_file->pipe().capacity());
      bool privileged = context.task.can(vfs::Capability::sys_resource);
      return static_cast<long>(TRY(pipe_file->pipe().set_capacity(argument, privileged)));
    }
    default:
      return error(Errno::einval);
  }
}

Result<long> sys_flock(Context& context, FileDescriptor fd, int operation) {
  FileUse file = TRY(context.task.files->use(fd.number));
  vfs::LockRange range;
  range.kind = vfs::LockKind::flock;
  range.owner = &*file;
  range.process_id = context.process.id();
  switch (operation & ~lock_nb) {
    case lock_sh:
      range.type = vfs::LockType::read;
      break;
    case lock_ex:
      range.type = vfs::LockType::write;
      break;
    case lock_un:
      range.type = vfs::LockType::unlock;
      break;
    default:
      return error(Errno::einval);
  }
  TRY(vfs::set_lock(*file, range, operation & lock_nb ? vfs::LockWait::fail : vfs::LockWait::wait));
  return 0;
}

// TIOCGPTPEER: the slave of this very master, whatever name space the caller lives in.
static Result<long> open_terminal_peer(Context& context, vfs::File& file, unsigned flags) {
  auto* master = file.as<pty::MasterFile>();
  if (!master) return file.ioctl(pty::ioctl_get_peer, flags);
  auto close_on_exec = flags & o_cloexec ? CloseOnExec::yes : CloseOnExec::no;
  auto descriptor = TRY(context.task.files->reserve(close_on_exec, descriptor_limit(context)));
  constexpr vfs::OpenFlags meant = vfs::open_access_mask | vfs::open_non_blocking;
  auto peer = TRY(master->open_peer(caller_of(context.task), flags & meant));
  int number = descriptor.number();
  descriptor.publish(std::move(peer));
  return number;
}

Result<long> sys_ioctl(Context& context, FileDescriptor fd, unsigned command, std::uintptr_t argument) {
  FileTable& files = *context.task.files;
  FileUse file = TRY(files.use(fd.number));
  switch (command) {
    case ioctl_fioclex:
      TRY(files.set_close_on_exec(fd.number, CloseOnExec::yes));
      return 0;
    case ioctl_fionclex:
      TRY(files.set_close_on_exec(fd.number, CloseOnExec::no));
      return 0;
    case ioctl_fionbio:
    case ioctl_fioasync: {
      int on = TRY(UserIn<int>(argument).read());
      vfs::OpenFlags bit = command == ioctl_fionbio ? vfs::open_non_blocking : vfs::open_async;
      vfs::OpenFlags now = file->flags() & vfs::open_changeable;
      file->set_flags(on ? now | bit : now & ~bit);
      return 0;
    }
    case pty::ioctl_get_peer:
      return open_terminal_peer(context, *file, static_cast<unsigned>(argument));
    case ioctl_fionread:
      if (vfs::is_regular(file->inode().mode())) {
        auto left =
            static_cast<std::int64_t>(file->inode().size()) - static_cast<std::int64_t>(file->position());
        TRY(UserOut<int>(argument).write(static_cast<int>(left)));
        return 0;
      }
      break;
    default:
      break;
  }
  return file->ioctl(command, argument);
}

}  // namespace linux_abi
