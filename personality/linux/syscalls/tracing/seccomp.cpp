// seccomp(2)
#include "linux_abi/seccomp.h"
#include "syscalls/tracing/rows.h"

namespace linux_abi {

namespace {

Result<long> action_available(UserAddress address) {
  using namespace seccomp;
  std::uint32_t action = TRY(UserIn<std::uint32_t>(address).read());
  for (std::uint32_t known :
       {kill_process, kill_thread, trap, fail_with_error, ask_listener, ask_tracer, seccomp::log, allow})
    if (action == known) return 0;
  return error(Errno::eopnotsupp);
}

}  // namespace

Result<long> sys_seccomp(Context& context, unsigned operation, unsigned flags, UserAddress argument) {
  constexpr unsigned known = seccomp::flag_sync_threads | seccomp::flag_log |
                             seccomp::flag_allow_speculation | seccomp::flag_sync_threads_esrch |
                             seccomp::flag_new_listener | seccomp::flag_wait_killable;
  switch (operation) {
    case seccomp::set_mode_strict:
      if (flags || !argument.is_null()) return error(Errno::einval);
      TRY(enter_strict_seccomp(context.task));
      return 0;
    case seccomp::set_mode_filter:
      if (flags & ~known) return error(Errno::einval);
      // A descriptor and a thread's number could not be told apart.
      if ((flags & seccomp::flag_new_listener) && (flags & seccomp::flag_sync_threads) &&
          !(flags & seccomp::flag_sync_threads_esrch))
        return error(Errno::einval);
      if ((flags & seccomp::flag_wait_killable) && !(flags & seccomp::flag_new_listener))
        return error(Errno::einval);
      return add_seccomp_filter(context.task, argument, flags);
    case seccomp::get_action_available:
      if (flags) return error(Errno::einval);
      return action_available(argument);
    case seccomp::get_notification_sizes: {
      if (flags) return error(Errno::einval);
      constexpr std::uint16_t sizes[3] = {80, 24, sizeof(seccomp::Data)};
      TRY(UserArray<std::uint16_t>(argument).write(sizes));
      return 0;
    }
    default:
      return error(Errno::einval);
  }
}

}  // namespace linux_abi
