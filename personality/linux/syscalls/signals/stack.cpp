// sigaltstack(2), rt_sigreturn(2), restart_syscall(2)
#include "arch/linux_signal.h"
#include "linux_abi/signal_delivery.h"
#include "syscalls/signals/rows.h"

namespace linux_abi {

Result<long> sys_sigaltstack(Context& context, UserIn<SigAltStack> in, UserOut<SigAltStack> out) {
  SigAltStack& stack = context.task.alternate_stack;
  std::uintptr_t sp = context.registers.stack_pointer();
  bool autodisarm = static_cast<std::uint32_t>(stack.flags) & ss_autodisarm;
  bool inside = !autodisarm && sp > stack.base && sp - stack.base <= stack.size;
  SigAltStack old = stack;
  old.pad = 0;
  old.flags = (stack.flags & static_cast<std::int32_t>(ss_autodisarm)) | (stack.size == 0 ? ss_disable
                                                                          : inside        ? ss_onstack
                                                                                          : 0);
  if (in) {
    SigAltStack wanted = TRY(in.read());
    if (inside) return error(Errno::eperm);
    auto mode = wanted.flags & ~static_cast<std::int32_t>(ss_autodisarm);
    if (mode != 0 && mode != ss_onstack && mode != ss_disable) return error(Errno::einval);
    if (mode == ss_disable) {
      wanted.base = wanted.size = 0;
    } else if (wanted.size < minimum_signal_stack) {
      return error(Errno::enomem);
    }
    stack = wanted;
    stack.flags = wanted.flags & static_cast<std::int32_t>(ss_autodisarm);
  }
  if (out) TRY(out.write(old));
  return 0;
}

Result<long> sys_rt_sigreturn(Context& context) { return return_from_signal(context); }

Result<long> sys_restart_syscall(Context& context) {
  RestartBlock& block = context.task.restart;
  if (!block.function) return error(Errno::interrupted_finally);
  return std::exchange(block.function, nullptr)(context.task, block);
}

}  // namespace linux_abi
