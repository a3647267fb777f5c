#include <arch/context.h>

#include <new>

#include <arch/cpu.h>
#include <arch_impl/context.h>

#include "arch_common/user_state.h"
#include "base/check.h"
#include "riscv64/cpu_area.h"
#include "riscv64/floating_point.h"
#include "riscv64/registers.h"
#include "riscv64/vector.h"
#include "unit.h"

extern "C" {
core::Thread* arch_switch_stacks(arch::ThreadState* from, arch::ThreadState* to, core::Thread* previous);
void arch_thread_start();
void arch_store_unit(arch::FloatingPointState* to);
void arch_load_unit(const arch::FloatingPointState* from);
void arch_store_vectors(arch::VectorState* to);
void arch_load_vectors(const arch::VectorState* from);
}

namespace arch {
namespace {

static_assert(offsetof(FloatingPointState, control) == 256);

// A switch of kernel threads leaves its own bits of these in the register: what is on is set anew with each
// thread that runs user code.
void mark_units_clean(ThreadState& state) {
  clear_sstatus(STATUS_UNIT_DIRTY | vectors_dirty);
  set_sstatus(units_of(state).vectors ? STATUS_UNIT_CLEAN | vectors_clean : STATUS_UNIT_CLEAN);
}

void take_up_user_state(ThreadState& state, CpuLocal& local) {
  if (local.unit_owner == &state && state.unit_cpu == local.cpu_index)
    mark_units_clean(state);
  else
    load_unit(state);
}

}  // namespace

bool is_current(const ThreadState& state) { return this_cpu_local().current_state == &state; }

void save_unit(ThreadState& state) {
  std::uint64_t status = read_sstatus();
  if ((status & STATUS_UNIT_DIRTY) == STATUS_UNIT_DIRTY) {
    arch_store_unit(state.unit);
    clear_sstatus(STATUS_UNIT_DIRTY & ~STATUS_UNIT_CLEAN);
  }
  if (units_of(state).vectors && (status & vectors_dirty) == vectors_dirty) {
    arch_store_vectors(units_of(state).vectors);
    clear_sstatus(vectors_dirty & ~vectors_clean);
  }
}

void load_unit(ThreadState& state) {
  CpuLocal& local = this_cpu_local();
  arch_load_unit(state.unit);
  if (units_of(state).vectors) {
    set_sstatus(vectors_clean);
    arch_load_vectors(units_of(state).vectors);
  }
  mark_units_clean(state);
  local.unit_owner = &state;
  state.unit_cpu = local.cpu_index;
}

base::Result<void> initialize(ThreadState& state, void* stack_top, void (*entry)(void*), void* argument) {
  // SAFETY: builds the frame that arch_switch_stacks takes: s11 at 8, … s2 at 80, s1 at 88, s0 at 96, ra at
  // 104.
  auto top = reinterpret_cast<std::uintptr_t>(stack_top) & ~std::uintptr_t{15};
  auto* frame = reinterpret_cast<std::uint64_t*>(top - 112);
  for (unsigned i = 0; i < 14; ++i) frame[i] = 0;
  frame[10] = reinterpret_cast<std::uint64_t>(argument);            // s2
  frame[11] = reinterpret_cast<std::uint64_t>(entry);               // s1
  frame[13] = reinterpret_cast<std::uint64_t>(&arch_thread_start);  // ra
  state.stack_pointer = reinterpret_cast<std::uint64_t>(frame);
  return {};
}

void destroy(ThreadState& state) {
  if (!state.unit) return;
  stop_using_vectors(state);
  delete &units_of(state);
  state.unit = nullptr;
  state.unit_cpu = ~0u;
}

core::Thread* switch_to(ThreadState& from, ThreadState& to, core::Thread* previous) {
  CpuLocal& local = this_cpu_local();
  if (from.unit) save_unit(from);
  local.current_state = &to;
  if (to.unit) take_up_user_state(to, local);
  return arch_switch_stacks(&from, &to, previous);
}

base::Result<UnitMemory> allocate_unit() {
  auto* unit = new (std::nothrow) Units;
  if (!unit) return base::error(base::Errno::enomem);
  return unit;
}

base::Result<void> copy_user_state(ThreadState& child, const ThreadState& parent) {
  TRY(prepare_user_state(child));
  if (!parent.unit) return {};
  InterruptsOff off;
  base::verify(is_current(parent), "copy_user_state: the parent is not the caller");
  // The child's vector registers are as undefined as after any other system call.
  arch_store_unit(child.unit);
  child.unit_cpu = ~0u;
  return {};
}

void reset_user_state(ThreadState& state) {
  if (!state.unit) return;
  stop_using_vectors(state);
  InterruptsOff off;
  base::verify(is_current(state), "reset_user_state: not the calling thread");
  *state.unit = {};
  load_unit(state);
}

const FloatingPointState& capture_floating_point(ThreadState& state) {
  InterruptsOff off;
  base::verify(is_current(state) && state.unit, "not the calling thread's registers");
  save_unit(state);
  return *state.unit;
}

void load_floating_point(ThreadState& state, const FloatingPointState& registers) {
  InterruptsOff off;
  base::verify(is_current(state) && state.unit, "not the calling thread's registers");
  save_unit(state);  // the vector registers stay
  *state.unit = registers;
  load_unit(state);
}

void set_boot_thread_state(ThreadState& state) { this_cpu_local().current_state = &state; }

}  // namespace arch
