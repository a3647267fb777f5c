#include <arch/linux_abi.h>
#include <arch/linux_syscall_numbers.h>

#include <arch/cpu.h>
#include <arch/page_table.h>
#include <arch/smp.h>

#include "hardware_probe.h"
#include "riscv64/sbi.h"
#include "riscv64/vector.h"

namespace arch {
namespace {

// All processors are told, whatever the flag for "this thread only" says: it may move.
base::Result<long> flush_instruction_cache(std::uint64_t flags) {
  constexpr std::uint64_t local = 1;
  if (flags & ~local) return base::error(base::Errno::einval);
  full_memory_barrier();
  synchronize_instruction_fetch(nullptr, 0);
  if (cpu_count() > 1 && !fence_remote_instruction_fetch())
    call_on_all_cpus([] { synchronize_instruction_fetch(nullptr, 0); });
  return 0;
}

}  // namespace

// One bit for each of the letters I M A F D C V.
std::uint64_t linux_hwcap() {
  std::uint64_t bits = 0;
  for (char letter : {'a', 'c', 'd', 'f', 'i', 'm'}) bits |= std::uint64_t{1} << (letter - 'a');
  if (vector_registers_size()) bits |= std::uint64_t{1} << ('v' - 'a');
  return bits;
}
std::uint64_t linux_hwcap2() { return 0; }
const char* linux_platform() { return nullptr; }

base::Result<long> linux_arch_prctl(UserRegisters&, ThreadState&, int, std::uintptr_t) {
  return base::error(base::Errno::enosys);
}

base::Result<long> linux_own_system_call(UserRegisters& registers, ThreadState&) {
  switch (registers.system_call_number()) {
    case linux_number::riscv_flush_icache:
      return flush_instruction_cache(registers.argument(2));
    case linux_number::riscv_hwprobe:
      return probe_hardware(registers.argument(0), registers.argument(1), registers.argument(2),
                            registers.argument(3), static_cast<std::uint32_t>(registers.argument(4)));
    default:
      return base::error(base::Errno::enosys);
  }
}

base::Result<long> linux_own_prctl(ThreadState&, long, std::span<const std::uint64_t, 4>) {
  return base::error(base::Errno::einval);
}

void linux_start_program(UserRegisters& registers, std::uintptr_t program_counter,
                         std::uintptr_t stack_pointer) {
  registers = UserRegisters::for_program_start(program_counter, stack_pointer);
}

void linux_start_child(UserRegisters& registers, ThreadState&, std::uintptr_t stack_pointer,
                       std::optional<std::uintptr_t> thread_pointer) {
  registers.set_result(0);
  if (stack_pointer) registers.set_stack_pointer(stack_pointer);
  if (thread_pointer) registers.tp = *thread_pointer;
}

// As on Linux, programs get no more than 47 bits unless they ask: pointers with marks in them would break.
std::uintptr_t linux_stack_top() {
  constexpr std::uintptr_t usual = std::uintptr_t{1} << 47;
  return user_address_limit < usual ? user_address_limit : usual;
}

LinuxGuard linux_guard() { return {}; }
std::span<const LinuxSetting> linux_own_settings() { return {}; }

}  // namespace arch
