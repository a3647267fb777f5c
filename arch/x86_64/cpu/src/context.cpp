#include <arch/context.h>

#include <cstring>
#include <new>
#include <utility>

#include <arch/cpu.h>
#include <arch_impl/context.h>

#include "arch_common/user_state.h"
#include "base/check.h"
#include "user_entry.h"
#include "x86_64/cpu_area.h"
#include "x86_64/extended_state.h"
#include "x86_64/features.h"
#include "x86_64/registers.h"

extern "C" {
core::Thread* arch_switch_stacks(arch::ThreadState* from, arch::ThreadState* to, core::Thread* previous);
void arch_thread_start();
}

namespace arch {
namespace {

// SAFETY (this file): register accesses of the thread that runs here, with interrupts off.
std::uint64_t read_fs_base() {
  if (!cpu_features().fsgsbase) return read_msr(Msr::fs_base);
  std::uint64_t value;
  asm volatile("rdfsbase %0" : "=r"(value));
  return value;
}
void write_fs_base(std::uint64_t value) {
  if (!cpu_features().fsgsbase) return write_msr(Msr::fs_base, value);
  asm volatile("wrfsbase %0" ::"r"(value));
}
// The user's GS base waits in the register that SWAPGS exchanges.
std::uint64_t read_user_gs_base() {
  if (!cpu_features().fsgsbase) return read_msr(Msr::kernel_gs_base);
  std::uint64_t value;
  asm volatile("swapgs\n rdgsbase %0\n swapgs" : "=r"(value)::"memory");
  return value;
}
void write_user_gs_base(std::uint64_t value) {
  if (!cpu_features().fsgsbase) return write_msr(Msr::kernel_gs_base, value);
  asm volatile("swapgs\n wrgsbase %0\n swapgs" ::"r"(value) : "memory");
}

void load_debug_registers(const DebugRegisters& debug) {
  write_dr7(0);
  write_dr0(debug.address[0]);
  write_dr1(debug.address[1]);
  write_dr2(debug.address[2]);
  write_dr3(debug.address[3]);
  if (debug.control) write_dr7(debug.control);
}

void leave_user_state(ThreadState& state) {
  state.fs_base = read_fs_base();
  state.gs_base = read_user_gs_base();
  save_extended_state(state.unit);
}

void take_up_user_state(ThreadState& state, CpuLocal& local) {
  write_fs_base(state.fs_base);
  write_user_gs_base(state.gs_base);
  if (local.unit_owner == &state && state.unit_cpu == local.cpu_index) return;
  restore_extended_state(state.unit);
  local.unit_owner = &state;
  state.unit_cpu = local.cpu_index;
}

}  // namespace

bool is_current(const ThreadState& state) { return this_cpu_local().current_state == &state; }

base::Result<UnitMemory> allocate_unit() { return allocate_extended_state(); }

// In the form in which programs see it: every component is there.
void save_unit(ThreadState& state) {
  save_whole_extended_state(state.unit);
  state.fs_base = read_fs_base();
  state.gs_base = read_user_gs_base();
}

void load_unit(ThreadState& state) {
  state.unit_cpu = ~0u;
  if (std::exchange(state.debug_changed, false)) load_debug_registers(state.debug);
  take_up_user_state(state, this_cpu_local());
}

base::Result<void> initialize(ThreadState& state, void* stack_top, void (*entry)(void*), void* argument) {
  // SAFETY: builds the frame that arch_switch_stacks pops: r15 r14 r13 r12 rbx rbp, return address; below an
  // end of the frame pointer chain.
  auto top = reinterpret_cast<std::uintptr_t>(stack_top) & ~std::uintptr_t{15};
  auto* word = reinterpret_cast<std::uint64_t*>(top);
  *--word = 0;
  *--word = 0;
  *--word = reinterpret_cast<std::uint64_t>(&arch_thread_start);
  *--word = 0;                                          // rbp
  *--word = reinterpret_cast<std::uint64_t>(entry);     // rbx
  *--word = reinterpret_cast<std::uint64_t>(argument);  // r12
  *--word = 0;
  *--word = 0;
  *--word = 0;
  state.stack_pointer = reinterpret_cast<std::uint64_t>(word);
  return {};
}

void destroy(ThreadState& state) {
  free_extended_state(state.unit);
  free_extended_state(state.frozen);
  state.unit = state.frozen = nullptr;
  state.unit_cpu = ~0u;
}

core::Thread* switch_to(ThreadState& from, ThreadState& to, core::Thread* previous) {
  CpuLocal& local = this_cpu_local();
  if (from.unit) leave_user_state(from);
  if (from.debug.control != to.debug.control || to.debug.control) load_debug_registers(to.debug);
  local.current_state = &to;
  use_user_registers(local, to);
  if (to.unit) take_up_user_state(to, local);
  return arch_switch_stacks(&from, &to, previous);
}

base::Result<void> copy_user_state(ThreadState& child, const ThreadState& parent) {
  if (!parent.unit) return prepare_user_state(child);
  if (!child.unit) child.unit = TRY(allocate_extended_state());
  InterruptsOff off;
  base::verify(is_current(parent), "copy_user_state: the parent is not the caller");
  save_extended_state(child.unit);
  child.fs_base = read_fs_base();
  child.gs_base = read_user_gs_base();
  child.unit_cpu = ~0u;
  child.debug = {};
  return {};
}

void reset_user_state(ThreadState& state) {
  InterruptsOff off;
  base::verify(is_current(state), "reset_user_state: not the calling thread");
  state.debug = {};
  write_dr7(0);
  state.fs_base = state.gs_base = 0;
  if (!state.unit) return;
  reset_extended_state(state.unit);
  state.unit_cpu = ~0u;
  take_up_user_state(state, this_cpu_local());
}

std::byte* capture_extended_state(ThreadState& state) {
  InterruptsOff off;
  base::verify(is_current(state) && state.unit, "not the calling thread's registers");
  save_whole_extended_state(state.unit);
  return state.unit;
}

void reset_user_extended_state(ThreadState& state) {
  InterruptsOff off;
  if (!state.unit) return;
  reset_extended_state(state.unit);
  restore_extended_state(state.unit);
  this_cpu_local().unit_owner = &state;
  state.unit_cpu = cpu_index();
}

void set_thread_pointer(ThreadState& state, std::uintptr_t address) {
  InterruptsOff off;
  state.fs_base = address;
  if (is_current(state)) write_fs_base(address);
}
std::uintptr_t thread_pointer(const ThreadState& state) {
  InterruptsOff off;
  return is_current(state) ? read_fs_base() : state.fs_base;
}

void set_user_gs_base(ThreadState& state, std::uintptr_t address) {
  InterruptsOff off;
  state.gs_base = address;
  if (is_current(state)) write_user_gs_base(address);
}
std::uintptr_t user_gs_base(const ThreadState& state) {
  InterruptsOff off;
  return is_current(state) ? read_user_gs_base() : state.gs_base;
}

void set_debug_registers(ThreadState& state, const DebugRegisters& registers) {
  InterruptsOff off;
  state.debug = registers;
  if (is_current(state)) load_debug_registers(registers);
}

void set_boot_thread_state(ThreadState& state) { this_cpu_local().current_state = &state; }

}  // namespace arch
