#include <arch/linux_abi.h>

#include <arch/page_table.h>
#include <arch_impl/context.h>

#include "core/memory/user_copy.h"
#include "x86_64/features.h"

namespace arch {
namespace {

// asm/prctl.h
enum Operation : int {
  set_gs = 0x1001,
  set_fs = 0x1002,
  get_fs = 0x1003,
  get_gs = 0x1004,
  get_cpuid = 0x1011,
  set_cpuid = 0x1012,
  get_extended_supported = 0x1021,
  get_extended_permitted = 0x1022,
  request_extended = 0x1023,
};

base::Result<long> store(std::uintptr_t address, std::uint64_t value) {
  TRY(core::copy_to_user(core::UserAddress(address), std::as_bytes(std::span(&value, 1))));
  return 0;
}

}  // namespace

std::uint64_t linux_hwcap() { return cpu_features().leaf1_edx; }
std::uint64_t linux_hwcap2() { return cpu_features().fsgsbase ? 2 : 0; }
const char* linux_platform() { return "x86_64"; }

base::Result<long> linux_arch_prctl(UserRegisters& registers, ThreadState& state, int operation,
                                    std::uintptr_t argument) {
  switch (operation) {
    case set_fs:
    case set_gs:
      if (argument >= user_address_limit) return base::error(base::Errno::eperm);
      if (operation == set_fs)
        set_thread_pointer(state, argument);
      else
        set_user_gs_base(state, argument);
      return 0;
    case get_fs:
      return store(argument, thread_pointer(state));
    case get_gs:
      return store(argument, user_gs_base(state));
    case get_cpuid:
      return 1;
    case set_cpuid:
      return base::error(base::Errno::enodev);
    case get_extended_supported:
    case get_extended_permitted:
      return store(argument, cpu_features().extended_components);
    case request_extended:
      if (argument >= 64) return base::error(base::Errno::einval);
      if (cpu_features().extended_components >> argument & 1) return 0;
      return base::error(base::Errno::eopnotsupp);
    default:
      return base::error(base::Errno::einval);
  }
}

base::Result<long> linux_own_prctl(ThreadState&, long, std::span<const std::uint64_t, 4>) {
  return base::error(base::Errno::einval);
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

LinuxGuard linux_guard() { return {}; }
std::span<const LinuxSetting> linux_own_settings() { return {}; }

}  // namespace arch
