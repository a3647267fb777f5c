// madvise(2), process_madvise(2), process_mrelease(2)
#include "linux_abi/access_control.h"
#include "linux_abi/pidfd.h"
#include "syscalls/memory/rows.h"

namespace linux_abi {

namespace {

Result<core::Advice> to_advice(int advice) {
  using core::Advice;
  switch (advice) {
    case 0:
      return Advice::normal;
    case 1:
      return Advice::random;
    case 2:
      return Advice::sequential;
    case 3:
      return Advice::will_need;
    case 4:
      return Advice::dont_need;
    case 8:
      return Advice::free;
    case 9:
      return Advice::remove;
    case 10:
      return Advice::dont_fork;
    case 11:
      return Advice::do_fork;
    case 12:
      return Advice::mergeable;
    case 13:
      return Advice::unmergeable;
    case 14:
      return Advice::huge_page;
    case 15:
      return Advice::no_huge_page;
    case 16:
      return Advice::dont_dump;
    case 17:
      return Advice::do_dump;
    case 18:
      return Advice::wipe_on_fork;
    case 19:
      return Advice::keep_on_fork;
    case 20:
      return Advice::cold;
    case 21:
      return Advice::page_out;
    case 22:
      return Advice::populate_read;
    case 23:
      return Advice::populate_write;
    case 24:
      return Advice::dont_need_locked;
    case 25:
      return Advice::collapse;
    default:
      return error(Errno::einval);
  }
}

}  // namespace

Result<long> sys_madvise(Context& context, UserAddress address, std::size_t length, int advice) {
  TRY(context.task.thread().address_space->advise(address, length, TRY(to_advice(advice))));
  return 0;
}

Result<long> sys_process_madvise(Context& context, FileDescriptor fd, UserArray<Iovec> vectors,
                                 std::size_t count, int advice, unsigned flags) {
  if (flags) return error(Errno::einval);
  if (count > iov_max) return error(Errno::einval);
  FileUse file = TRY(context.task.files->use(fd.number));
  auto process = TRY(pid_of_pidfd(*file))->process_reference();
  if (!process) return error(Errno::esrch);
  core::Advice wanted = TRY(to_advice(advice));
  if (wanted != core::Advice::cold && wanted != core::Advice::page_out && wanted != core::Advice::will_need &&
      wanted != core::Advice::collapse)
    return error(Errno::einval);
  TRY(may_inspect(context.task, *process));
  if (!context.task.can(vfs::Capability::sys_nice)) return error(Errno::eperm);
  auto space = process->address_space();
  if (!space) return error(Errno::esrch);
  std::uint64_t done = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Iovec vector;
    TRY(vectors.read(std::span(&vector, 1), i));
    auto result = space->advise(UserAddress(vector.base), vector.length, wanted);
    if (!result) {
      if (done) break;
      return error(result.error());
    }
    done += vector.length;
  }
  return static_cast<long>(done);
}

Result<long> sys_process_mrelease(Context& context, FileDescriptor fd, unsigned flags) {
  if (flags) return error(Errno::einval);
  FileUse file = TRY(context.task.files->use(fd.number));
  auto process = TRY(pid_of_pidfd(*file))->process_reference();
  if (!process) return error(Errno::esrch);
  {
    core::MutexGuard guard{process->signal_lock};
    if (!process->group_exiting) return error(Errno::einval);
  }
  auto space = process->address_space();
  if (!space) return error(Errno::esrch);
  // Nobody who goes on may need it: children of vfork and clone share it.
  bool needed = false;
  for_each_process([&](Process& other) {
    core::MutexGuard guard{other.signal_lock};
    needed = !other.group_exiting && other.address_space().get() == space.get();
    return !needed;
  });
  if (needed) return error(Errno::einval);
  space->reap();
  return 0;
}

}  // namespace linux_abi
