#include <arch/context.h>

#include <new>
#include <utility>

#include <arch/cpu.h>
#include <arch_impl/context.h>

#include "aarch64/cpu_area.h"
#include "aarch64/debugging.h"
#include "aarch64/floating_point.h"
#include "aarch64/pointer_keys.h"
#include "aarch64/registers.h"
#include "arch_common/user_state.h"
#include "base/check.h"
#include "core/memory/kernel_map.h"
#include "scalable_vectors.h"
#include "thread_offsets.h"
extern "C" {
core::Thread* arch_switch_stacks(arch::ThreadState* from, arch::ThreadState* to, core::Thread* previous);
void arch_thread_start();
void arch_save_floating_point(arch::FloatingPointState* state);
void arch_load_floating_point(const arch::FloatingPointState* state);
}

namespace arch {

static_assert(offsetof(ThreadState, user_interruption) == THREAD_STATE_USER_INTERRUPTION);

namespace {

// SAFETY (this file): register accesses of the thread that runs here, with interrupts off.
std::uint64_t read_thread_pointer() { return NOS_READ_REGISTER("tpidr_el0"); }
void write_thread_pointer(std::uint64_t value) { NOS_WRITE_REGISTER("tpidr_el0", value); }

void leave_user_state(ThreadState& state) {
  state.thread_pointer = read_thread_pointer();
  arch_save_floating_point(state.unit);
  if (state.vectors_live) save_vectors(state);
}

void load_registers(ThreadState& state, CpuLocal& local) {
  arch_load_floating_point(state.unit);
  if (state.vectors_live) load_live_vectors(state);
  load_pointer_keys(state);
  local.unit_owner = &state;
  state.unit_cpu = local.cpu_index;
}

void take_up_user_state(ThreadState& state, CpuLocal& local) {
  write_thread_pointer(state.thread_pointer);
  if (local.vectors_allowed != state.vectors_live) allow_vectors(local, state.vectors_live);
  if (local.unit_owner == &state && state.unit_cpu == local.cpu_index) return;
  load_registers(state, local);
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

void start_with_vector_length(ThreadState& state) {
  forget_vectors(state);
  unsigned length = state.next_vector_length ? state.next_vector_length : default_vector_length();
  state.vector_length = static_cast<std::uint16_t>(length);
  if (!state.inherits_vector_length) state.next_vector_length = 0;
}

}  // namespace

bool is_current(const ThreadState& state) { return this_cpu_local().current_state == &state; }

void save_unit(ThreadState& state) { leave_user_state(state); }

void load_unit(ThreadState& state) {
  CpuLocal& local = this_cpu_local();
  state.unit_cpu = ~0u;
  load_debugging(state);
  take_up_user_state(state, local);
}

base::Result<UnitMemory> allocate_unit() {
  auto* unit = new (std::nothrow) FloatingPointState;
  if (!unit) return base::error(base::Errno::enomem);
  return unit;
}

base::Result<void> initialize(ThreadState& state, void* stack_top, void (*entry)(void*), void* argument) {
  // SAFETY: builds the frame that arch_switch_stacks pops: x29 x30 x19 … x28.
  auto top = reinterpret_cast<std::uintptr_t>(stack_top) & ~std::uintptr_t{15};
  auto* frame = reinterpret_cast<std::uint64_t*>(top) - 12;
  for (unsigned i = 0; i < 12; ++i) frame[i] = 0;
  frame[1] = arch_sign(reinterpret_cast<std::uint64_t>(&arch_thread_start), top);
  frame[2] = reinterpret_cast<std::uint64_t>(entry);
  frame[3] = reinterpret_cast<std::uint64_t>(argument);
  state.stack_pointer = reinterpret_cast<std::uint64_t>(frame);
  state.stack_limit = top - core::kernel_stack_size;
  return {};
}

void destroy(ThreadState& state) {
  delete std::exchange(state.unit, nullptr);
  delete[] std::exchange(state.vectors, nullptr);
  forget_debug_registers(state);
  state.unit_cpu = ~0u;
}

core::Thread* switch_to(ThreadState& from, ThreadState& to, core::Thread* previous) {
  CpuLocal& local = this_cpu_local();
  if (from.unit) leave_user_state(from);
  local.current_state = &to;
  if (is_debugged(from) || is_debugged(to)) load_debugging(to);
  if (to.unit) take_up_user_state(to, local);
  return arch_switch_stacks(&from, &to, previous);
}

base::Result<void> copy_user_state(ThreadState& child, const ThreadState& parent) {
  TRY(prepare_user_state(child));
  if (!parent.unit) return {};
  InterruptsOff off;
  base::verify(is_current(parent), "copy_user_state: the parent is not the caller");
  arch_save_floating_point(child.unit);
  child.thread_pointer = read_thread_pointer();
  child.keys = parent.keys;
  child.enabled_keys = parent.enabled_keys;
  // The vectors themselves are not live in a system call.
  child.vector_length = parent.vector_length;
  child.next_vector_length = parent.next_vector_length;
  child.inherits_vector_length = parent.inherits_vector_length;
  child.unit_cpu = ~0u;
  return {};
}

void reset_user_state(ThreadState& state) {
  state.enabled_keys = address_keys;
  renew_pointer_keys(state, known_pointer_keys());
  forget_debug_registers(state);
  start_with_vector_length(state);
  InterruptsOff off;
  base::verify(is_current(state), "reset_user_state: not the calling thread");
  state.thread_pointer = 0;
  if (!state.unit) return;
  *state.unit = FloatingPointState{};
  state.unit_cpu = ~0u;
  take_up_user_state(state, this_cpu_local());
}

void capture_floating_point(ThreadState& state, FloatingPointState& to) {
  InterruptsOff off;
  base::verify(is_current(state) && state.unit, "not the calling thread's registers");
  arch_save_floating_point(&to);
}

void replace_floating_point(ThreadState& state, const FloatingPointState& from) {
  InterruptsOff off;
  base::verify(is_current(state) && state.unit, "not the calling thread's registers");
  *state.unit = from;
  state.vectors_live = false;
  CpuLocal& local = this_cpu_local();
  if (local.vectors_allowed) allow_vectors(local, false);
  arch_load_floating_point(&from);
  local.unit_owner = &state;
  state.unit_cpu = local.cpu_index;
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
