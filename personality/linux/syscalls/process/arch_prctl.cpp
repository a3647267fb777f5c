// arch_prctl(2): thread pointers and processor features.
#include "arch/linux_abi.h"
#include "syscalls/process/rows.h"

namespace linux_abi {

Result<long> sys_arch_prctl(Context& context, int operation, std::uintptr_t argument) {
  return arch::linux_arch_prctl(context.registers, context.task.thread().arch_state, operation, argument);
}

}  // namespace linux_abi
