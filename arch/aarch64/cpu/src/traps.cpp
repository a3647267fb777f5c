// Traps of the processor.
#include <cstdint>

#include <arch/cpu.h>
#include <arch/page_table.h>
#include <arch/upcalls.h>
#include <arch_impl/context.h>

#include "aarch64/cpu_area.h"
#include "aarch64/floating_point.h"
#include "aarch64/registers.h"
#include "aarch64/tlb.h"
#include "arch_common/exception_table.h"
#include "base/format.h"
#include "core/log/log.h"
#include "id_registers.h"
#include "interrupts.h"
#include "trap_frame.h"

namespace arch {
namespace {

using Kind = UserFault::Kind;

constexpr std::uint64_t interrupts_masked = 0x80, branch_type = 0xc00;

// The top byte of a user address is the program's.
std::uintptr_t fault_address() {
  std::uintptr_t address = NOS_READ_REGISTER("far_el1");  // SAFETY: only read
  return address >> 55 & 1 ? address : address & 0x00ffffffffffffff;
}

const char* trap_name(std::uint64_t syndrome) {
  switch (class_of(syndrome)) {
    case TrapClass::unknown:
      return "undefined instruction";
    case TrapClass::no_unit:
      return "floating-point instruction";
    case TrapClass::branch_target:
      return "branch to no target";
    case TrapClass::illegal_state:
      return "illegal state";
    case TrapClass::pointer_failure:
      return "pointer authentication failure";
    case TrapClass::program_counter_alignment:
      return "misaligned program counter";
    case TrapClass::stack_alignment:
      return "misaligned stack pointer";
    case TrapClass::error:
      return "hardware error";
    case TrapClass::break_instruction:
      return "break instruction";
    default:
      return "unexpected trap";
  }
}

bool is_abort(std::uint64_t syndrome) {
  TrapClass trap = class_of(syndrome);
  return trap == TrapClass::data_abort_kernel || trap == TrapClass::instruction_abort_kernel ||
         trap == TrapClass::data_abort_user || trap == TrapClass::instruction_abort_user;
}

struct FatalTrap {
  std::uint64_t syndrome;
  const TrapFrame& frame;
};

void print_registers(const void* argument) {
  constexpr auto level = core::LogLevel::emergency;
  const FatalTrap& trap = *static_cast<const FatalTrap*>(argument);
  const TrapFrame& f = trap.frame;
  core::log(level, "PC  {:016x}  SP  {:016x}  state {:#x}  syndrome {:#x}", f.pc, f.sp, f.pstate,
            trap.syndrome);
  for (unsigned i = 0; i + 1 < 31; i += 2)
    core::log(level, "X{:<2} {:016x}  X{:<2} {:016x}", i, f.x[i], i + 1, f.x[i + 1]);
  core::log(level, "X30 {:016x}  FAR {:016x}  TTBR0 {:016x}", f.x[30], NOS_READ_REGISTER("far_el1"),
            NOS_READ_REGISTER("ttbr0_el1"));
}

[[noreturn]] void die(const char* what, const TrapFrame& frame, std::uint64_t syndrome) {
  FatalTrap trap{syndrome, frame};
  core::fatal_trap(what, frame.pc, frame.x[29], print_registers, &trap);
}

[[noreturn]] void die_of_trap(const TrapFrame& frame, std::uint64_t syndrome) {
  char memory[200];
  base::TextBuffer reason{memory};
  if (is_abort(syndrome)) {
    std::uintptr_t address = fault_address();
    const char* what = core::describe_kernel_address(address);
    Access access = access_of(syndrome);
    base::format(reason, "page fault in the kernel: {} at {:#x}, {}{}{}",
                 access == Access::execute ? "execution"
                 : access == Access::write ? "write"
                                           : "read",
                 address,
                 !is_translation_fault(syndrome)                      ? "refused by the bus"
                 : fault_status(syndrome) == FaultStatus::translation ? "nothing mapped"
                                                                      : "not allowed",
                 what ? ": " : "", what ? what : "");
  } else {
    base::format(reason, "{} in the kernel, syndrome {:#x}", trap_name(syndrome), syndrome);
  }
  reason.put({"", 1});
  die(memory, frame, syndrome);
}

// A refusal may come from a cached translation that is older than the entry: unlike others, this processor
// keeps it. The next try sees the entry itself.
void forget_refusal(std::uint64_t syndrome) {
  if (is_translation_fault(syndrome) && fault_status(syndrome) == FaultStatus::permission)
    flush_tlb_address(fault_address());
}

// True when the trapped kernel code can go on.
bool mend_kernel_trap(TrapFrame& frame, std::uint64_t syndrome) {
  // A branch that a test tries out: the program counter is where it went.
  if (class_of(syndrome) == TrapClass::branch_target) {
    std::uintptr_t fixup = find_fixup(frame.pc);
    if (!fixup) return false;
    frame.pc = fixup;
    frame.pstate &= ~branch_type;
    return true;
  }
  if (class_of(syndrome) != TrapClass::data_abort_kernel) return false;
  std::uintptr_t address = fault_address();
  if (mend_access_and_dirty(address, syndrome)) return true;
  forget_refusal(syndrome);
  std::uintptr_t fixup = find_fixup(frame.pc);
  if (!fixup) return false;
  bool may_sleep = !(frame.pstate & interrupts_masked) && preempt_count() == 0;
  if (is_translation_fault(syndrome) && address < user_address_limit && may_sleep) {
    enable_interrupts();
    bool again = core::handle_kernel_fault_on_user_address(address, access_of(syndrome));
    disable_interrupts();
    if (again) return true;
  }
  frame.pc = fixup;
  return true;
}

// si_code of a floating-point trap: IOF, DZF, OFF, UFF, IXF (D19.2.37, ISS of a floating-point exception).
int floating_point_code(std::uint64_t syndrome) {
  if (!(syndrome >> 23 & 1)) return 0;  // the bits say nothing
  if (syndrome & 1) return 7;           // FPE_FLTINV
  if (syndrome & 2) return 3;           // FPE_FLTDIV
  if (syndrome & 4) return 4;           // FPE_FLTOVF
  if (syndrome & 8) return 5;           // FPE_FLTUND
  if (syndrome & 16) return 6;          // FPE_FLTRES
  return 0;
}

void describe_abort(UserFault& fault, std::uint64_t syndrome) {
  fault.address = fault_address();
  fault.access = access_of(syndrome);
  if ((syndrome & 0x3f) == 0x21) {
    fault.kind = Kind::alignment;
    fault.signal_code = 1;  // BUS_ADRALN
    return;
  }
  fault.kind = is_translation_fault(syndrome) ? Kind::page_fault : Kind::machine_check;
  fault.page_present = fault_status(syndrome) == FaultStatus::permission;
  // Programs must not learn what is mapped in the kernel's half: always "nothing mapped".
  if (fault.address >= user_address_limit) fault.error_code = (syndrome & ~std::uint64_t{0x3f}) | 4;
}

void describe_user_trap(UserFault& fault, std::uint64_t syndrome, const TrapFrame& frame) {
  fault = UserFault{};
  fault.trap_number = syndrome >> 26;
  fault.error_code = syndrome;
  fault.address = frame.pc;
  switch (class_of(syndrome)) {
    case TrapClass::instruction_abort_user:
    case TrapClass::data_abort_user:
      describe_abort(fault, syndrome);
      break;
    case TrapClass::program_counter_alignment:
    case TrapClass::stack_alignment:
      fault.kind = Kind::alignment;
      fault.signal_code = 1;  // BUS_ADRALN
      break;
    case TrapClass::floating_point:
      fault.kind = Kind::floating_point;
      fault.signal_code = floating_point_code(syndrome);
      break;
    case TrapClass::break_instruction:
      fault.kind = Kind::debug_step;
      fault.signal_code = 1;  // TRAP_BRKPT
      break;
    case TrapClass::hardware_break_user:
    case TrapClass::watch_user:
      fault.kind = Kind::debug_event;
      if (class_of(syndrome) == TrapClass::watch_user) fault.address = fault_address();
      fault.signal_code = 4;  // TRAP_HWBKPT
      break;
    case TrapClass::single_step_user:
      fault.kind = Kind::debug_step;
      fault.signal_code = 2;  // TRAP_TRACE
      break;
    case TrapClass::scalable_vector:
      fault.kind = Kind::alignment;  // no memory for the registers: there is no better signal
      break;
    case TrapClass::pointer_failure:
      fault.kind = Kind::illegal_instruction;
      fault.signal_code = 2;  // ILL_ILLOPN
      break;
    default:
      fault.kind = Kind::illegal_instruction;
      fault.signal_code = 1;  // ILL_ILLOPC
      break;
  }
}

// A thread's first SVE instruction since its last system call. True when it may be tried again; interrupts
// are on then.
bool turn_on_vectors() {
  enable_interrupts();
  if (start_using_vectors(*current_thread_state())) return true;
  disable_interrupts();
  return false;
}

}  // namespace

const UserFault& last_user_fault() { return current_thread_state()->fault; }

}  // namespace arch

using namespace arch;

extern "C" unsigned arch_handle_user_trap(TrapFrame& frame, std::uint64_t syndrome) {
  frame.number = -1;
  if (is_abort(syndrome) && mend_access_and_dirty(fault_address(), syndrome)) {
    enable_interrupts();
    return static_cast<unsigned>(UserEvent::interrupt);
  }
  if (is_abort(syndrome)) forget_refusal(syndrome);
  if (class_of(syndrome) == TrapClass::scalable_vector && turn_on_vectors())
    return static_cast<unsigned>(UserEvent::interrupt);
  describe_user_trap(current_thread_state()->fault, syndrome, frame);
  enable_interrupts();
  if (emulate_id_register_read(frame, syndrome)) return static_cast<unsigned>(UserEvent::interrupt);
  return static_cast<unsigned>(UserEvent::fault);
}

extern "C" unsigned arch_handle_user_interrupt(TrapFrame& frame) {
  frame.number = -1;
  dispatch_interrupts();
  enable_interrupts();
  return static_cast<unsigned>(UserEvent::interrupt);
}

extern "C" void arch_handle_kernel_interrupt(TrapFrame& frame) {
  dispatch_interrupts();
  while (preempt_count() == 0 && need_reschedule()) core::preempt_from_interrupt();
}

extern "C" void arch_handle_kernel_trap(TrapFrame& frame, std::uint64_t syndrome) {
  if (!mend_kernel_trap(frame, syndrome)) die_of_trap(frame, syndrome);
}

extern "C" void arch_handle_error(TrapFrame& frame, std::uint64_t syndrome) {
  // RAS: corrected or restartable is no reason to stop (D19.2.37, AET).
  unsigned type = static_cast<unsigned>(syndrome >> 10 & 7);
  bool described = !(syndrome >> 24 & 1) && (syndrome & 0x3f) == 0x11;
  if (described && (type == 2 || type == 6)) return;
  die("hardware error", frame, syndrome);
}

extern "C" void arch_bad_trap(TrapFrame& frame, std::uint64_t syndrome) {
  die("trap through a vector that is never used", frame, syndrome);
}

extern "C" void arch_stack_overflow(TrapFrame& frame, std::uint64_t syndrome) {
  die("kernel stack overflow", frame, syndrome);
}

extern "C" unsigned arch_enter_user_slow(UserRegisters&) {
  core::prepare_to_enter_user();
  // seq_cst: what the wish is about was made visible before it.
  __atomic_exchange_n(&current_thread_state()->user_interruption, false, __ATOMIC_SEQ_CST);
  enable_interrupts();
  return static_cast<unsigned>(UserEvent::interrupt);
}
