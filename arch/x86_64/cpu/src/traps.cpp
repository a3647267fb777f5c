// Traps of the processor.
#include <cstdint>

#include <arch/cpu.h>
#include <arch/page_table.h>
#include <arch/upcalls.h>
#include <arch_impl/context.h>

#include "arch_common/calls.h"
#include "arch_common/exception_table.h"
#include "base/format.h"
#include "core/log/log.h"
#include "interrupts.h"
#include "trap_frame.h"
#include "user_entry.h"
#include "x86_64/cpu_area.h"
#include "x86_64/registers.h"

namespace arch {
namespace {

using Kind = UserFault::Kind;

constexpr const char* trap_names[] = {"divide error",
                                      "debug trap",
                                      "non-maskable interrupt",
                                      "breakpoint",
                                      "overflow",
                                      "bound range exceeded",
                                      "invalid opcode",
                                      "device not available",
                                      "double fault",
                                      "coprocessor segment overrun",
                                      "invalid task state",
                                      "segment not present",
                                      "stack fault",
                                      "general protection fault",
                                      "page fault",
                                      "reserved",
                                      "floating-point error",
                                      "alignment check",
                                      "machine check",
                                      "SIMD floating-point error",
                                      "virtualisation exception",
                                      "control protection fault"};

// Not a table of strings with relocations at fault: names may be null past the end.
const char* trap_name(std::uint64_t vector) {
  return vector < sizeof(trap_names) / sizeof(trap_names[0]) ? trap_names[vector] : "unexpected trap";
}

struct FatalTrap {
  std::uint64_t vector, error;
  const TrapFrame& frame;
};

void print_registers(const void* argument) {
  constexpr auto level = core::LogLevel::emergency;
  const FatalTrap& trap = *static_cast<const FatalTrap*>(argument);
  const TrapFrame& f = trap.frame;
  core::log(level, "RIP {:016x}  RSP {:016x}  flags {:#x}  CS {:#x}  error {:#x}  trap {}", f.rip, f.rsp,
            f.flags, f.cs, trap.error, trap.vector);
  core::log(level, "RAX {:016x}  RBX {:016x}  RCX {:016x}  RDX {:016x}", f.rax, f.rbx, f.rcx, f.rdx);
  core::log(level, "RSI {:016x}  RDI {:016x}  RBP {:016x}  R8  {:016x}", f.rsi, f.rdi, f.rbp, f.r8);
  core::log(level, "R9  {:016x}  R10 {:016x}  R11 {:016x}  R12 {:016x}", f.r9, f.r10, f.r11, f.r12);
  core::log(level, "R13 {:016x}  R14 {:016x}  R15 {:016x}", f.r13, f.r14, f.r15);
  core::log(level, "CR0 {:016x}  CR2 {:016x}  CR3 {:016x}  CR4 {:016x}", read_cr0(), read_cr2(), read_cr3(),
            read_cr4());
}

[[noreturn]] void die(std::uint64_t vector, std::uint64_t error, const TrapFrame& frame) {
  char memory[200];
  base::TextBuffer reason{memory};
  if (vector == static_cast<std::uint64_t>(Trap::page_fault)) {
    std::uintptr_t address = read_cr2();
    const char* what = core::describe_kernel_address(address);
    base::format(reason, "page fault in the kernel: {} at {:#x}, {}{}{}",
                 error & 16  ? "execution"
                 : error & 2 ? "write"
                             : "read",
                 address, error & 1 ? "not allowed" : "nothing mapped", what ? ": " : "", what ? what : "");
  } else {
    base::format(reason, "{} in the kernel, error {:#x}", trap_name(vector), error);
  }
  reason.put({"", 1});
  FatalTrap trap{vector, error, frame};
  core::fatal_trap(memory, frame.rip, frame.rbp, print_registers, &trap);
}

Access access_of(std::uint64_t error) {
  return error & 16 ? Access::execute : error & 2 ? Access::write : Access::read;
}

// True when the trapped kernel code can go on.
bool mend_kernel_trap(std::uint64_t vector, std::uint64_t error, TrapFrame& frame) {
  bool page_fault = vector == static_cast<std::uint64_t>(Trap::page_fault);
  if (!page_fault && vector != static_cast<std::uint64_t>(Trap::general_protection)) return false;
  std::uintptr_t fixup = find_fixup(frame.rip);
  if (!fixup) return false;
  if (page_fault) {
    std::uintptr_t address = read_cr2();
    bool may_sleep = (frame.flags & 0x200) && preempt_count() == 0;
    if (address < user_address_limit && may_sleep) {
      enable_interrupts();
      bool again = core::handle_kernel_fault_on_user_address(address, access_of(error));
      disable_interrupts();
      if (again) return true;
    }
  }
  frame.rip = fixup;
  return true;
}

// si_code of a floating-point trap from the unmasked condition bits (invalid, denormal, zero divide,
// overflow, underflow, precision).
int floating_point_code(unsigned conditions) {
  if (conditions & 1) return 7;     // FPE_FLTINV
  if (conditions & 4) return 3;     // FPE_FLTDIV
  if (conditions & 8) return 4;     // FPE_FLTOVF
  if (conditions & 0x12) return 5;  // FPE_FLTUND
  if (conditions & 0x20) return 6;  // FPE_FLTRES
  return 0;
}

int x87_code() {
  std::uint16_t control, status;
  // SAFETY: reads the user's floating-point control and status words from the unit.
  asm volatile("fnstcw %0" : "=m"(control));
  asm volatile("fnstsw %0" : "=m"(status));
  return floating_point_code(static_cast<unsigned>(~control & status));
}

int simd_code() {
  std::uint32_t control;
  asm volatile("stmxcsr %0" : "=m"(control));  // SAFETY: as above
  return floating_point_code(~(control >> 7) & control);
}

void describe_user_trap(UserFault& fault, std::uint64_t vector, std::uint64_t error) {
  fault = UserFault{};
  fault.trap_number = vector;
  fault.error_code = error == ~std::uint64_t{0} ? 0 : error;
  switch (static_cast<Trap>(vector)) {
    case Trap::divide_error:
      fault.kind = Kind::divide_error;
      fault.signal_code = 1;
      break;  // FPE_INTDIV
    case Trap::debug: {
      std::uint64_t status = read_dr6();
      write_dr6(0xffff0ff0);
      fault.kind = Kind::debug_step;
      fault.signal_code = status & 0xf ? 4 : 2;  // TRAP_HWBKPT, TRAP_TRACE
      current_thread_state()->debug.status = status ^ 0xffff0ff0;
      break;
    }
    case Trap::breakpoint:
      fault.kind = Kind::breakpoint;
      break;
    case Trap::overflow:
      fault.kind = Kind::overflow;
      break;
    case Trap::bounds:
      fault.kind = Kind::bounds;
      break;
    case Trap::invalid_opcode:
      fault.kind = Kind::illegal_instruction;
      fault.signal_code = 2;
      break;  // ILL_ILLOPN
    case Trap::segment_not_present:
      fault.kind = Kind::segment_not_present;
      break;
    case Trap::stack:
      fault.kind = Kind::stack;
      break;
    case Trap::page_fault:
      fault.kind = error & 0x20 ? Kind::protection_key : Kind::page_fault;
      fault.address = read_cr2();
      fault.access = access_of(error);
      fault.page_present = error & 1;
      // Programs must not learn what is mapped in the kernel's half: always "refused".
      if (fault.address >= user_address_limit) fault.error_code |= 1;
      break;
    case Trap::floating_point:
      fault.kind = Kind::floating_point;
      fault.signal_code = x87_code();
      break;
    case Trap::simd:
      fault.kind = Kind::simd_floating_point;
      fault.signal_code = simd_code();
      break;
    case Trap::alignment:
      fault.kind = Kind::alignment;
      fault.signal_code = 1;
      break;  // BUS_ADRALN
    default:
      fault.kind = Kind::general_protection;
      break;
  }
}

}  // namespace

const UserFault& last_user_fault() { return current_thread_state()->fault; }

// Shared with tests and the smp code: the state of an interrupt's end in kernel code.
static void preempt_if_wanted(const TrapFrame& frame) {
  if (!(frame.flags & 0x200)) return;
  while (preempt_count() == 0 && need_reschedule()) core::preempt_from_interrupt();
}

}  // namespace arch

using namespace arch;

extern "C" unsigned arch_handle_user_trap(std::uint64_t vector, std::uint64_t error_code, TrapFrame& frame) {
  if (vector >= 32) {
    dispatch_interrupt(static_cast<unsigned>(vector));
    enable_interrupts();
    return static_cast<unsigned>(UserEvent::interrupt);
  }
  describe_user_trap(current_thread_state()->fault, vector, error_code);
  enable_interrupts();
  return static_cast<unsigned>(UserEvent::fault);
}

extern "C" void arch_handle_kernel_trap(std::uint64_t vector, std::uint64_t error_code, TrapFrame& frame) {
  if (vector >= 32) {
    dispatch_interrupt(static_cast<unsigned>(vector));
    preempt_if_wanted(frame);
    return;
  }
  if (!mend_kernel_trap(vector, error_code, frame)) die(vector, error_code, frame);
}

extern "C" void arch_handle_special_trap(std::uint64_t vector, std::uint64_t error_code, TrapFrame& frame) {
  switch (static_cast<Trap>(vector)) {
    case Trap::non_maskable:
      ++cpu_area(this_cpu_local().cpu_index).non_maskable_interrupts;
      if (stop_requested()) stop_this_cpu();
      core::non_maskable_request(frame.rip, frame.rbp);
      return;
    case Trap::debug:
      // Kernel code touched memory that a debugger watches for its program: not an event for anybody.
      write_dr6(0xffff0ff0);
      return;
    default:
      die(vector, error_code, frame);
  }
}

extern "C" unsigned arch_enter_user_slow(UserRegisters& registers) {
  core::prepare_to_enter_user();
  if (ThreadState* state = current_thread_state()) {
    state->user_registers_end = reinterpret_cast<std::uint64_t>(&registers + 1);
    use_user_registers(this_cpu_local(), *state);
    // seq_cst: the caller looks for the reason afterwards, and whoever adds one from now on sets the flag
    // again.
    __atomic_exchange_n(&state->user_interruption, false, __ATOMIC_SEQ_CST);
  }
  enable_interrupts();
  return static_cast<unsigned>(UserEvent::interrupt);
}

extern "C" unsigned arch_bad_program_counter(UserRegisters& registers) {
  UserFault& fault = current_thread_state()->fault;
  fault = UserFault{.kind = Kind::general_protection};
  fault.trap_number = static_cast<std::uint64_t>(Trap::general_protection);
  enable_interrupts();
  return static_cast<unsigned>(UserEvent::fault);
}
