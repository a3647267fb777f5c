#include "x86_64/cpu_area.h"

#include <atomic>
#include <cstring>
#include <new>

#include <arch/cpu.h>
#include <arch_impl/user.h>

#include "base/check.h"
#include "trap_frame.h"
#include "x86_64/features.h"
#include "x86_64/registers.h"

extern "C" {
extern char __percpu_start[], __percpu_end[], __percpu_boot[];
[[gnu::section(".percpu.first"), gnu::used]] constinit arch::CpuLocal cpu_local_template{};
void arch_system_call_entry();
extern const char arch_trap_stubs[];  // 256 stubs of 16 bytes
}

namespace arch {
namespace {

constinit CpuArea areas[max_cpus];
constinit TrapStacks boot_stacks{};
constinit std::atomic<unsigned> online_count{1};

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

}  // namespace

void fill_cpu_area(unsigned cpu, CpuLocal* local, TrapStacks* stacks, std::uint32_t apic_id) {
  CpuArea& area = areas[cpu];
  area.local = local;
  area.stacks = stacks;
  local->self = local;
  // SAFETY: difference of two addresses in the copy and the template.
  local->offset = reinterpret_cast<std::uintptr_t>(local) - reinterpret_cast<std::uintptr_t>(__percpu_start);
  local->cpu_index = cpu;
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

CpuArea& cpu_area(unsigned cpu) {
  base::verify(cpu < max_cpus);
  return areas[cpu];
}

unsigned cpu_count() { return online_count.load(std::memory_order_acquire); }

std::uintptr_t cpu_offset(unsigned cpu) {
  base::debug_verify(cpu < max_cpus && areas[cpu].local, "CPU without an area");
  return areas[cpu].local->offset;
}

void mark_cpu_online(unsigned cpu) {
  base::verify(online_count.load(std::memory_order_relaxed) == cpu);
  online_count.store(cpu + 1, std::memory_order_release);  // its area is filled before
}

void install_boot_cpu_area() {
  // SAFETY: linker symbols around the template and the room for the boot CPU's copy.
  char* to = __percpu_boot;
  for (const char* from = __percpu_start; from != __percpu_end;) *to++ = *from++;
  auto* local = reinterpret_cast<CpuLocal*>(__percpu_boot);
  local->self = local;
  write_msr(Msr::gs_base, reinterpret_cast<std::uint64_t>(local));
  CpuId leaf = cpuid(1);
  fill_cpu_area(0, local, &boot_stacks, leaf.ebx >> 24);
  fill_gates();
  load_cpu_tables();
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
