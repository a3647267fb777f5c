#include <arch/linux_abi.h>

#include <arch/page_table.h>

#include "aarch64/features.h"
#include "aarch64/registers.h"
#include "hwcap.h"

namespace arch {

std::uint64_t linux_hwcap() { return collect_capabilities(1); }
std::uint64_t linux_hwcap2() { return collect_capabilities(2); }
const char* linux_platform() { return "aarch64"; }

base::Result<long> linux_arch_prctl(UserRegisters&, ThreadState&, int, std::uintptr_t) {
  return base::error(base::Errno::enosys);
}

void linux_start_program(UserRegisters& registers, std::uintptr_t program_counter,
                         std::uintptr_t stack_pointer) {
  registers = UserRegisters::for_program_start(program_counter, stack_pointer);
}

void linux_start_child(UserRegisters& registers, ThreadState& state, std::uintptr_t stack_pointer,
                       std::optional<std::uintptr_t> thread_pointer) {
  registers.set_result(0);
  if (stack_pointer) registers.set_stack_pointer(stack_pointer);
  if (thread_pointer) set_thread_pointer(state, *thread_pointer);
}

base::Result<long> linux_own_system_call(UserRegisters&, ThreadState&) {
  return base::error(base::Errno::enosys);
}

std::uintptr_t linux_stack_top() { return user_address_limit; }

}  // namespace arch
