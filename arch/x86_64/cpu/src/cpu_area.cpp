#include "x86_64/cpu_area.h"

#include <cstring>
#include <new>

#include <arch/cpu.h>
#include <arch_impl/user.h>

#include "base/check.h"
#include "trap_frame.h"
#include "x86_64/features.h"
#include "x86_64/registers.h"

extern "C" {
void arch_system_call_entry();
extern const char arch_trap_stubs[];  // 256 stubs of 16 bytes
}

namespace arch {
namespace {

constinit CpuArea areas[max_cpus];
constinit TrapStacks boot_stacks{};

// Limit and address follow each other without a gap; the padding keeps the address aligned, for relocation.
struct TablePointer {
  std::uint16_t padding[3];
  std::uint16_t limit;
  std::uint64_t base;
};

struct Gate {
  std::uint64_t low = 0, high = 0;
};
alignas(4096) constinit Gate gates[256];

void set_gate(unsigned vector, unsigned privilege, unsigned stack) {
  // SAFETY: the stubs are equally spaced code.
  auto address = reinterpret_cast<std::uint64_t>(arch_trap_stubs) + vector * 16;
  gates[vector].low = (address & 0xffff) | std::uint64_t{SELECTOR_KERNEL_CODE} << 16 |
                      std::uint64_t{stack} << 32 | std::uint64_t{0x8e | privilege << 5} << 40 |
                      (address >> 16 & 0xffff) << 48;
  gates[vector].high = address >> 32;
}

void fill_gates() {
  for (unsigned vector = 0; vector < 256; ++vector) set_gate(vector, 0, 0);
  set_gate(3, 3, 0);  // INT3 and INTO are for programs
  set_gate(4, 3, 0);
  set_gate(2, 0, static_cast<unsigned>(TrapStack::non_maskable));
  set_gate(8, 0, static_cast<unsigned>(TrapStack::double_fault));
  set_gate(18, 0, static_cast<unsigned>(TrapStack::machine_check));
  set_gate(1, 0, static_cast<unsigned>(TrapStack::debug));
}

void complete(unsigned cpu, CpuLocal* local, TrapStacks* stacks, std::uint32_t apic_id) {
  CpuArea& area = areas[cpu];
  area.stacks = stacks;
  local->self = local;
  local->apic_id = apic_id;
  for (unsigned i = 0; i < trap_stack_count; ++i) {
    // The word above the hardware's frame tells the trap code which CPU it is on, whatever GS holds.
    std::byte* top = stacks->stack[i] + trap_stack_size - 16;
    std::memcpy(top, &local, sizeof(local));
    local->task_state.interrupt_stacks[i] = reinterpret_cast<std::uint64_t>(top);
  }
  auto task = reinterpret_cast<std::uint64_t>(&local->task_state);
  area.gdt[SELECTOR_KERNEL_CODE / 8] = 0x00af9b000000ffff;
  area.gdt[SELECTOR_KERNEL_DATA / 8] = 0x00cf93000000ffff;
  area.gdt[SELECTOR_USER_DATA / 8] = 0x00cff3000000ffff;
  area.gdt[SELECTOR_USER_CODE / 8] = 0x00affb000000ffff;
  area.gdt[SELECTOR_TASK_STATE / 8] =
      0x0000890000000000 | (sizeof(TaskState) - 1) | (task & 0xffffff) << 16 | (task >> 24 & 0xff) << 56;
  area.gdt[SELECTOR_TASK_STATE / 8 + 1] = task >> 32;
  area.gdt[15] = 0x0040f50000000000 | (cpu & 0xffff) | std::uint64_t{cpu >> 16 & 15} << 48;
}

}  // namespace

CpuArea& cpu_area(unsigned cpu) {
  base::verify(cpu < max_cpus);
  return areas[cpu];
}

void install_boot_cpu_area() {
  CpuLocal* local = fill_boot_cpu_area();
  local->self = local;
  write_msr(Msr::gs_base, reinterpret_cast<std::uint64_t>(local));  // SAFETY: GS is the kernel's
  complete(0, local, &boot_stacks, cpuid(1).ebx >> 24);
  fill_gates();
  load_cpu_tables();
}

base::Result<void> create_cpu_area(unsigned cpu, std::uint32_t apic_id) {
  CpuLocal* local = TRY(allocate_cpu_area(cpu));
  auto* stacks = new (std::nothrow) TrapStacks;
  if (!stacks) {
    free_cpu_area(cpu);
    return base::error(base::Errno::enomem);
  }
  complete(cpu, local, stacks, apic_id);
  return {};
}

void destroy_cpu_area(unsigned cpu) {
  delete cpu_area(cpu).stacks;
  free_cpu_area(cpu);
}

void load_cpu_tables() {
  CpuLocal& local = this_cpu_local();
  CpuArea& area = areas[local.cpu_index];
  // SAFETY: loads the tables just filled; the selectors are those of the table.
  TablePointer gdt{{}, sizeof(area.gdt) - 1, reinterpret_cast<std::uint64_t>(area.gdt)};
  asm volatile("lgdt %0" ::"m"(gdt.limit), "m"(gdt));
  asm volatile(
      "pushq %0\n leaq 1f(%%rip), %%rax\n pushq %%rax\n lretq\n 1:\n"
      "movl %1, %%eax\n movl %%eax, %%ds\n movl %%eax, %%es\n movl %%eax, %%ss\n"
      "xorl %%eax, %%eax\n movl %%eax, %%fs\n" ::"i"(SELECTOR_KERNEL_CODE),
      "i"(SELECTOR_KERNEL_DATA)
      : "rax", "memory");
  // Loading a selector into GS would clear its base: it is null since boot.
  area.gdt[SELECTOR_TASK_STATE / 8] &= ~(std::uint64_t{2} << 40);  // not busy
  // SAFETY: the descriptor and the gates below live as long as the CPU; interrupts are off.
  asm volatile("ltr %w0" ::"r"(SELECTOR_TASK_STATE));
  TablePointer idt{{}, sizeof(gates) - 1, reinterpret_cast<std::uint64_t>(gates)};
  asm volatile("lidt %0" ::"m"(idt.limit), "m"(idt));

  // SYSCALL: kernel code and stack selectors 0x10/0x18, SYSRET: user ones from 0x23; flags cleared on entry:
  // TF IF DF IOPL NT RF AC ID.
  write_msr(Msr::star, std::uint64_t{SELECTOR_KERNEL_CODE} << 32 | std::uint64_t{0x23} << 48);
  write_msr(Msr::lstar, reinterpret_cast<std::uint64_t>(&arch_system_call_entry));
  write_msr(Msr::cstar, 0);
  write_msr(Msr::syscall_mask, 0x257fd5);
  write_msr(Msr::kernel_gs_base, 0);
  write_msr(Msr::fs_base, 0);
  if (cpu_features().rdtscp || cpu_features().rdpid) write_msr(Msr::tsc_aux, local.cpu_index);
}

}  // namespace arch
