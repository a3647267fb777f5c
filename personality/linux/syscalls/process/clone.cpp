// fork(2), vfork(2), clone(2), clone3(2)
#include "arch/linux_abi.h"
#include "linux_abi/lifecycle.h"
#include "linux_abi/user_structure.h"
#include "syscalls/process/rows.h"

namespace linux_abi {

Result<long> sys_fork(Context& context) {
  CloneArguments arguments;
  arguments.exit_signal = signal::chld;
  return clone_task(context, arguments, {});
}

Result<long> sys_vfork(Context& context) {
  CloneArguments arguments;
  arguments.flags = clone_vfork | clone_vm;
  arguments.exit_signal = signal::chld;
  return clone_task(context, arguments, {});
}

Result<long> sys_clone(Context& context, std::uint64_t flags, UserAddress stack, UserAddress parent_tid,
                       std::uint64_t fourth, std::uint64_t fifth) {
  CloneArguments arguments;
  arguments.exit_signal = flags & csignal;
  arguments.flags = flags & 0xffffffff & ~csignal;
  if ((arguments.flags & clone_pidfd) && (arguments.flags & (clone_parent_settid | clone_detached)))
    return error(Errno::einval);
  arguments.stack = stack.value();
  arguments.parent_tid = arguments.pidfd = parent_tid.value();
  arguments.child_tid = arch::linux_clone_thread_pointer_last ? fourth : fifth;
  arguments.tls = arch::linux_clone_thread_pointer_last ? fifth : fourth;
  return clone_task(context, arguments, {});
}

Result<long> sys_clone3(Context& context, UserAddress address, std::size_t size) {
  constexpr std::size_t first_version = 64;
  constexpr std::uint64_t known = 0x3ffffff00ull & ~clone_detached;
  auto arguments = TRY(read_extensible<CloneArguments>(address, size, first_version));
  if (arguments.flags & ~(known | clone_newtime)) return error(Errno::einval);
  if (arguments.exit_signal & ~csignal) return error(Errno::einval);
  if (arguments.exit_signal > static_cast<std::uint64_t>(signal_count)) return error(Errno::einval);
  if ((arguments.flags & (clone_thread | clone_parent)) && arguments.exit_signal) return error(Errno::einval);
  if ((arguments.stack == 0) != (arguments.stack_size == 0)) return error(Errno::einval);
  if (arguments.stack && !core::is_user_range(UserAddress(arguments.stack), arguments.stack_size))
    return error(Errno::einval);
  if (arguments.flags & clone_newtime) return error(Errno::einval);

  // One pid namespace, so at most one number can be chosen.
  int wanted = 0;
  if (arguments.set_tid_size > 32 || (arguments.set_tid == 0) != (arguments.set_tid_size == 0) ||
      arguments.set_tid_size > 1)
    return error(Errno::einval);
  if (arguments.set_tid_size) {
    if (!context.task.can(vfs::Capability::checkpoint_restore) &&
        !context.task.can(vfs::Capability::sys_admin))
      return error(Errno::eperm);
    wanted = TRY(UserIn<int>(arguments.set_tid).read());
    if (wanted < 1) return error(Errno::einval);
    return clone_task(context, arguments, std::span(&wanted, 1));
  }
  return clone_task(context, arguments, {});
}

}  // namespace linux_abi
