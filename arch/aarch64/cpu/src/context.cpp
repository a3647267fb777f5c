#include <arch/context.h>

#include <new>
#include <utility>

#include <arch/cpu.h>
#include <arch/linux_trace.h>
#include <arch/upcalls.h>
#include <arch_impl/context.h>

#include "aarch64/cpu_area.h"
#include "aarch64/debugging.h"
#include "aarch64/floating_point.h"
#include "aarch64/pointer_keys.h"
#include "aarch64/registers.h"
#include "base/check.h"
#include "core/memory/kernel_map.h"
#include "thread_offsets.h"
extern "C" {
core::Thread* arch_switch_stacks(arch::ThreadState* from, arch::ThreadState* to, core::Thread* previous);
void arch_thread_start();
void arch_save_floating_point(arch::FloatingPointState* state);
void arch_load_floating_point(const arch::FloatingPointState* state);
void arch_thread_started(core::Thread* previous);
}

namespace arch {

static_assert(offsetof(ThreadState, user_interruption) == THREAD_STATE_USER_INTERRUPTION);

namespace {

// SAFETY (this file): register accesses of the thread that runs here, with interrupts off.
std::uint64_t read_thread_pointer() { return NOS_READ_REGISTER("tpidr_el0"); }
void write_thread_pointer(std::uint64_t value) { NOS_WRITE_REGISTER("tpidr_el0", value); }

bool is_current(const ThreadState& state) { return this_cpu_local().current_state == &state; }

void leave_user_state(ThreadState& state) {
  state.thread_pointer = read_thread_pointer();
  arch_save_floating_point(state.floating_point);
}

void take_up_user_state(ThreadState& state, CpuLocal& local) {
  write_thread_pointer(state.thread_pointer);
  if (local.unit_owner == &state && state.unit_cpu == local.cpu_index) return;
  arch_load_floating_point(state.floating_point);
  load_pointer_keys(state);
  local.unit_owner = &state;
  state.unit_cpu = local.cpu_index;
}

bool is_debugged(const ThreadState& state) { return state.single_step || state.debug_registers; }

void forget_debug_registers(ThreadState& state) {
  DebugRegisters* former;
  {
    InterruptsOff off;
    former = std::exchange(state.debug_registers, nullptr);
    if (former && is_current(state)) load_debugging(state);
  }
  delete former;
}

}  // namespace

base::Result<void> initialize(ThreadState& state, void* stack_top, void (*entry)(void*), void* argument) {
  // SAFETY: builds the frame that arch_switch_stacks pops: x29 x30 x19 … x28.
  auto top = reinterpret_cast<std::uintptr_t>(stack_top) & ~std::uintptr_t{15};
  auto* frame = reinterpret_cast<std::uint64_t*>(top) - 12;
  for (unsigned i = 0; i < 12; ++i) frame[i] = 0;
  frame[1] = reinterpret_cast<std::uint64_t>(&arch_thread_start);
  frame[2] = reinterpret_cast<std::uint64_t>(entry);
  frame[3] = reinterpret_cast<std::uint64_t>(argument);
  state.stack_pointer = reinterpret_cast<std::uint64_t>(frame);
  state.stack_limit = top - core::kernel_stack_size;
  return {};
}

void destroy(ThreadState& state) {
  delete state.floating_point;
  state.floating_point = nullptr;
  forget_debug_registers(state);
  state.unit_cpu = ~0u;
}

core::Thread* switch_to(ThreadState& from, ThreadState& to, core::Thread* previous) {
  CpuLocal& local = this_cpu_local();
  if (from.floating_point) leave_user_state(from);
  local.current_state = &to;
  if (is_debugged(from) || is_debugged(to)) load_debugging(to);
  if (to.floating_point) take_up_user_state(to, local);
  return arch_switch_stacks(&from, &to, previous);
}

base::Result<void> prepare_user_state(ThreadState& state) {
  if (state.floating_point) return {};
  auto* area = new (std::nothrow) FloatingPointState;
  if (!area) return base::error(base::Errno::enomem);
  InterruptsOff off;
  state.thread_pointer = 0;
  state.unit_cpu = ~0u;
  state.floating_point = area;
  if (is_current(state)) take_up_user_state(state, this_cpu_local());
  return {};
}

base::Result<void> copy_user_state(ThreadState& child, const ThreadState& parent) {
  TRY(prepare_user_state(child));
  if (!parent.floating_point) return {};
  InterruptsOff off;
  base::verify(is_current(parent), "copy_user_state: the parent is not the caller");
  arch_save_floating_point(child.floating_point);
  child.thread_pointer = read_thread_pointer();
  child.keys = parent.keys;
  child.enabled_keys = parent.enabled_keys;
  child.unit_cpu = ~0u;
  return {};
}

void reset_user_state(ThreadState& state) {
  state.enabled_keys = address_keys;
  renew_pointer_keys(state, known_pointer_keys());
  forget_debug_registers(state);
  InterruptsOff off;
  base::verify(is_current(state), "reset_user_state: not the calling thread");
  state.thread_pointer = 0;
  if (!state.floating_point) return;
  *state.floating_point = FloatingPointState{};
  state.unit_cpu = ~0u;
  take_up_user_state(state, this_cpu_local());
}

void capture_floating_point(ThreadState& state, FloatingPointState& to) {
  InterruptsOff off;
  base::verify(is_current(state) && state.floating_point, "not the calling thread's registers");
  arch_save_floating_point(&to);
}

void replace_floating_point(ThreadState& state, const FloatingPointState& from) {
  InterruptsOff off;
  base::verify(is_current(state) && state.floating_point, "not the calling thread's registers");
  arch_load_floating_point(&from);
  this_cpu_local().unit_owner = &state;
  state.unit_cpu = cpu_index();
}

// While it is frozen a switch neither stores into the area nor loads from it.
void freeze_user_state(ThreadState& state) {
  InterruptsOff off;
  base::verify(is_current(state) && state.floating_point, "not the calling thread's registers");
  leave_user_state(state);
  state.frozen = state.floating_point;
  state.floating_point = nullptr;
}

void thaw_user_state(ThreadState& state) {
  InterruptsOff off;
  state.floating_point = state.frozen;
  state.frozen = nullptr;
  state.unit_cpu = ~0u;
  load_debugging(state);
  take_up_user_state(state, this_cpu_local());
}

// Seen by the thread's next way out of the kernel (entry.S); where it is in user mode, an interrupt brings it
// here.
void interrupt_user(ThreadState& state) {
  __atomic_store_n(&state.user_interruption, true, __ATOMIC_SEQ_CST);
}

void set_thread_pointer(ThreadState& state, std::uintptr_t address) {
  InterruptsOff off;
  state.thread_pointer = address;
  if (is_current(state)) write_thread_pointer(address);
}
std::uintptr_t thread_pointer(const ThreadState& state) {
  InterruptsOff off;
  return is_current(state) ? read_thread_pointer() : state.thread_pointer;
}

void set_boot_thread_state(ThreadState& state) { this_cpu_local().current_state = &state; }

}  // namespace arch

extern "C" void arch_thread_started(core::Thread* previous) { core::thread_starts(previous); }
