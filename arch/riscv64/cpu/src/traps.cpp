// Traps of the processor.
#include <cstdint>

#include <arch/cpu.h>
#include <arch/page_table.h>
#include <arch/upcalls.h>
#include <arch_impl/context.h>

#include "arch_common/exception_table.h"
#include "base/format.h"
#include "boot/boot_info.h"
#include "core/log/log.h"
#include "core/memory/user_copy.h"
#include "interrupts.h"
#include "riscv64/cpu_area.h"
#include "riscv64/registers.h"
#include "riscv64/vector.h"
#include "trap_frame.h"

namespace arch {
namespace {

using Kind = UserFault::Kind;

constexpr std::uint64_t interrupt_flag = std::uint64_t{1} << 63;

const char* trap_name(std::uint64_t cause) {
  switch (static_cast<Trap>(cause)) {
    case Trap::instruction_misaligned:
      return "misaligned instruction";
    case Trap::instruction_access:
    case Trap::load_access:
    case Trap::store_access:
      return "access fault";
    case Trap::illegal_instruction:
      return "illegal instruction";
    case Trap::breakpoint:
      return "breakpoint";
    case Trap::load_misaligned:
    case Trap::store_misaligned:
      return "misaligned access";
    case Trap::instruction_page:
    case Trap::load_page:
    case Trap::store_page:
      return "page fault";
    default:
      return "unexpected trap";
  }
}

bool is_page_fault(std::uint64_t cause) {
  auto trap = static_cast<Trap>(cause);
  return trap == Trap::instruction_page || trap == Trap::load_page || trap == Trap::store_page;
}

Access access_of(std::uint64_t cause) {
  return static_cast<Trap>(cause) == Trap::instruction_page ? Access::execute
         : static_cast<Trap>(cause) == Trap::store_page     ? Access::write
                                                            : Access::read;
}

struct FatalTrap {
  std::uint64_t cause, value;
  const TrapFrame& frame;
};

void print_registers(const void* argument) {
  constexpr auto level = core::LogLevel::emergency;
  const FatalTrap& trap = *static_cast<const FatalTrap*>(argument);
  const TrapFrame& f = trap.frame;
  core::log(level, "pc {:016x}  ra {:016x}  sp {:016x}  status {:#x}  cause {}  value {:#x}", f.pc, f.ra,
            f.sp, f.status, trap.cause, trap.value);
  core::log(level, "gp {:016x}  tp {:016x}  t0 {:016x}  t1 {:016x}", f.gp, f.tp, f.t0, f.t1);
  core::log(level, "t2 {:016x}  s0 {:016x}  s1 {:016x}  satp {:016x}", f.t2, f.s0, f.s1, read_satp());
  for (unsigned i = 0; i < 8; i += 4)
    core::log(level, "a{} {:016x}  a{} {:016x}  a{} {:016x}  a{} {:016x}", i, f.a[i], i + 1, f.a[i + 1],
              i + 2, f.a[i + 2], i + 3, f.a[i + 3]);
  const std::uint64_t* s = f.s2_to_s11;
  core::log(level, "s2 {:016x}  s3 {:016x}  s4 {:016x}  s5 {:016x}", s[0], s[1], s[2], s[3]);
  core::log(level, "s6 {:016x}  s7 {:016x}  s8 {:016x}  s9 {:016x}", s[4], s[5], s[6], s[7]);
  core::log(level, "s10 {:016x}  s11 {:016x}  t3 {:016x}  t4 {:016x}", s[8], s[9], f.t3_to_t6[0],
            f.t3_to_t6[1]);
  core::log(level, "t5 {:016x}  t6 {:016x}", f.t3_to_t6[2], f.t3_to_t6[3]);
}

[[noreturn]] void die(std::uint64_t cause, std::uint64_t value, const TrapFrame& frame) {
  char memory[200];
  base::TextBuffer reason{memory};
  if (is_page_fault(cause)) {
    const char* what = core::describe_kernel_address(value);
    Access access = access_of(cause);
    base::format(reason, "page fault in the kernel: {} at {:#x}{}{}",
                 access == Access::execute ? "execution"
                 : access == Access::write ? "write"
                                           : "read",
                 value, what ? ": " : "", what ? what : "");
  } else {
    base::format(reason, "{} in the kernel, cause {}, value {:#x}", trap_name(cause), cause, value);
  }
  reason.put({"", 1});
  FatalTrap trap{cause, value, frame};
  core::fatal_trap(memory, frame.pc, frame.s0, print_registers, &trap);
}

// A processor may remember for a while that there was no translation: the kernel does not tell it of each new
// one. True if there is one by now that allows the access.
bool kernel_translation_exists(std::uintptr_t address, Access access) {
  if (address < kernel_address_start) return false;
  std::uintptr_t table = kernel_root();
  if (!table) return false;
  for (unsigned level = levels() - 1;; --level) {
    // SAFETY: the kernel's page tables are in the direct map.
    const auto* entries = reinterpret_cast<const PageTableEntry*>(boot::boot_info().direct_map_base + table);
    PageTableEntry entry = read_entry(entries + table_index(address, level));
    if (!(entry.raw() & 1)) return false;
    if (entry.is_leaf(level))
      return access == Access::write     ? entry.writable() && entry.dirty()
             : access == Access::execute ? entry.executable()
                                         : entry.readable();
    if (level == 0) return false;
    table = entry.physical(level);
  }
}

// The last page that turned out to be there, and how often in a row: a page that stays refused is a defect.
struct StaleTranslation {
  std::uintptr_t page = 0;
  unsigned repetitions = 0;
};
constinit StaleTranslation stale[max_cpus];

// SAFETY (this file): SFENCE.VMA only drops cached translations.
bool mend_kernel_translation(std::uintptr_t address, Access access) {
  asm volatile("sfence.vma %0" ::"r"(address) : "memory");
  if (!kernel_translation_exists(address, access)) return false;
  StaleTranslation& last = stale[cpu_index()];
  std::uintptr_t page = address >> page_shift;
  last.repetitions = last.page == page ? last.repetitions + 1 : 0;
  last.page = page;
  constexpr unsigned most_repetitions = 16;
  return last.repetitions < most_repetitions;
}

// True when the trapped kernel code can go on.
bool mend_kernel_trap(std::uint64_t cause, std::uint64_t value, TrapFrame& frame) {
  bool page_fault = is_page_fault(cause);
  if (page_fault && value >= kernel_address_start && mend_kernel_translation(value, access_of(cause)))
    return true;
  std::uintptr_t fixup = find_fixup(frame.pc);
  if (!fixup) return false;
  if (page_fault) {
    asm volatile("sfence.vma %0" ::"r"(value) : "memory");
    bool may_sleep = (frame.status & STATUS_PREVIOUS_INTERRUPTS) && preempt_count() == 0;
    if (value < user_address_limit && may_sleep) {
      enable_interrupts();
      bool again = core::handle_kernel_fault_on_user_address(value, access_of(cause));
      disable_interrupts();
      if (again) return true;
    }
  }
  frame.pc = fixup;
  return true;
}

void describe_user_trap(UserFault& fault, std::uint64_t cause, std::uint64_t value) {
  fault = UserFault{};
  fault.trap_number = cause;
  fault.address = value;
  switch (static_cast<Trap>(cause)) {
    case Trap::instruction_page:
    case Trap::load_page:
    case Trap::store_page:
      fault.kind = Kind::page_fault;
      fault.access = access_of(cause);
      // The fault may come from a translation that was missing once and is there now.
      asm volatile("sfence.vma %0" ::"r"(value) : "memory");
      break;
    case Trap::illegal_instruction:
      fault.kind = Kind::illegal_instruction;
      fault.signal_code = 1;  // ILL_ILLOPC
      break;
    case Trap::breakpoint:
      fault.kind = Kind::debug_step;
      fault.signal_code = 1;  // TRAP_BRKPT
      break;
    case Trap::instruction_misaligned:
    case Trap::load_misaligned:
    case Trap::store_misaligned:
      fault.kind = Kind::alignment;
      fault.signal_code = 1;  // BUS_ADRALN
      break;
    default:
      fault.kind = Kind::general_protection;
      break;
  }
}

// A program's first vector instruction finds the unit off. True when it may be tried again.
bool turn_on_vectors(UserFault& fault, const TrapFrame& frame) {
  if (!vector_registers_size()) return false;
  // The register with the cause may hold the instruction, and may be zero.
  auto instruction = static_cast<std::uint32_t>(fault.address);
  auto bytes = std::as_writable_bytes(std::span(&instruction, 1));
  if (!instruction && !core::copy_from_user(bytes, core::UserAddress(frame.pc))) return false;
  if (!is_vector_instruction(instruction)) return false;
  auto started = start_using_vectors(*current_thread_state());
  // As Linux: there is no better signal for want of memory.
  if (!started && started.error() == base::Errno::enomem) fault.kind = Kind::alignment;
  return static_cast<bool>(started);
}

void preempt_if_wanted(const TrapFrame& frame) {
  if (!(frame.status & STATUS_PREVIOUS_INTERRUPTS)) return;
  while (preempt_count() == 0 && need_reschedule()) core::preempt_from_interrupt();
}

}  // namespace

const UserFault& last_user_fault() { return current_thread_state()->fault; }

}  // namespace arch

using namespace arch;

extern "C" unsigned arch_handle_user_trap(std::uint64_t cause, std::uint64_t value, TrapFrame& frame) {
  if (cause & interrupt_flag) {
    dispatch_interrupt(cause & ~interrupt_flag);
    enable_interrupts();
    return static_cast<unsigned>(UserEvent::interrupt);
  }
  UserFault& fault = current_thread_state()->fault;
  describe_user_trap(fault, cause, value);
  enable_interrupts();
  if (fault.kind == Kind::illegal_instruction && turn_on_vectors(fault, frame))
    return static_cast<unsigned>(UserEvent::interrupt);
  return static_cast<unsigned>(UserEvent::fault);
}

extern "C" void arch_handle_kernel_trap(std::uint64_t cause, std::uint64_t value, TrapFrame& frame) {
  if (cause & interrupt_flag) {
    dispatch_interrupt(cause & ~interrupt_flag);
    answer_non_maskable_request(frame);
    preempt_if_wanted(frame);
    return;
  }
  if (!mend_kernel_trap(cause, value, frame)) die(cause, value, frame);
}

extern "C" unsigned arch_enter_user_slow() {
  core::prepare_to_enter_user();
  ThreadState* state = current_thread_state();
  // seq_cst: the caller looks for the reason afterwards, and whoever adds one from now on sets the flag
  // again.
  if (state) __atomic_exchange_n(&state->user_interruption, false, __ATOMIC_SEQ_CST);
  enable_interrupts();
  return static_cast<unsigned>(UserEvent::interrupt);
}
