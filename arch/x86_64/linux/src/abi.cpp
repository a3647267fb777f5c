#include <arch/cpu.h>
#include <arch/linux_abi.h>
#include <arch/user_copy.h>
#include <arch_impl/context.h>

#include "x86_64/features.h"

namespace arch {

namespace {

using base::Errno;
using base::error;

// One past the highest address of a program; the last page is left out for the sake of SYSRET.
constexpr std::uintptr_t task_end = 0x7ffffffff000;

base::Result<long> give(std::uintptr_t to, std::uint64_t value) {
  if (to >= task_end || copy_to_user_raw(to, &value, sizeof(value))) return error(Errno::efault);
  return 0;
}

}  // namespace

std::uint64_t linux_hwcap() { return cpu_features().leaf1_edx; }
std::uint64_t linux_hwcap2() {
  constexpr std::uint64_t fsgsbase = 2;
  return cpu_features().fsgsbase ? fsgsbase : 0;
}
const char* linux_platform() { return linux_machine; }
std::uintptr_t linux_stack_top() { return task_end; }

base::Result<long> linux_arch_prctl(UserRegisters&, ThreadState& state, int operation, std::uintptr_t argument) {
  constexpr int set_gs = 0x1001, set_fs = 0x1002, get_fs = 0x1003, get_gs = 0x1004, get_cpuid = 0x1011,
                set_cpuid = 0x1012;
  switch (operation) {
    case set_fs:
    case set_gs:
      if (argument >= task_end) return error(Errno::eperm);
      operation == set_fs ? set_thread_pointer(state, argument) : set_user_gs_base(state, argument);
      return 0;
    case get_fs: return give(argument, thread_pointer(state));
    case get_gs: return give(argument, user_gs_base(state));
    case get_cpuid: return 1;
    case set_cpuid: return error(Errno::enodev);
    default: return error(Errno::einval);
  }
}

void linux_start_program(UserRegisters& registers, std::uintptr_t program_counter, std::uintptr_t stack_pointer) {
  registers = UserRegisters::for_program_start(program_counter, stack_pointer);
}

void linux_start_child(UserRegisters& registers, std::uintptr_t stack_pointer_or_zero) {
  registers.set_result(0);
  if (stack_pointer_or_zero) registers.set_stack_pointer(stack_pointer_or_zero);
}

}  // namespace arch
