// seccomp(2)
#include "linux_abi/seccomp.h"
#include "syscalls/tracing/rows.h"

namespace linux_abi {

namespace {

Result<long> action_available(UserAddress address) {
  using namespace seccomp;
  std::uint32_t action = TRY(UserIn<std::uint32_t>(address).read());
  for (std::uint32_t known :
       {kill_process, kill_thread, trap, fail_with_error, ask_tracer, seccomp::log, allow})
    if (action == known) return 0;
  return error(Errno::eopnotsupp);
}

}  // namespace

Result<long> sys_seccomp(Context& context, unsigned operation, unsigned flags, UserAddress argument) {
  constexpr unsigned known = seccomp::flag_sync_threads | seccomp::flag_log |
                             seccomp::flag_allow_speculation | seccomp::flag_sync_threads_esrch;
  switch (operation) {
    case seccomp::set_mode_strict:
      if (flags || !argument.is_null()) return error(Errno::einval);
      TRY(enter_strict_seccomp(context.task));
      return 0;
    case seccomp::set_mode_filter:
      if (flags & ~known) return error(Errno::einval);
      return add_seccomp_filter(context.task, argument, flags);
    case seccomp::get_action_available:
      if (flags) return error(Errno::einval);
      return action_available(argument);
    default:
      return error(Errno::einval);
  }
}

}  // namespace linux_abi
