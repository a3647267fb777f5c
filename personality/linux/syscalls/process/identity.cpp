// getpid(2), gettid(2), getppid(2)
#include "syscalls/process/rows.h"

namespace linux_abi {

Result<long> sys_getpid(Context& context) { return context.process.id(); }
Result<long> sys_gettid(Context& context) { return context.task.id(); }

Result<long> sys_getppid(Context& context) {
  // The parent may end at any moment; under RCU it stays readable.
  core::RcuReadGuard guard;
  Process* parent = context.process.parent;
  if (!parent) [[unlikely]]
    return 0;
  return parent->id();
}

Result<long> sys_set_tid_address(Context& context, UserAddress address) {
  context.task.clear_child_tid = address.value();
  return context.task.id();
}

}  // namespace linux_abi
