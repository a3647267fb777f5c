#include "aarch64/debugging.h"

#include <arch/cpu.h>

#include "aarch64/cpu_area.h"
#include "aarch64/registers.h"

namespace arch {
namespace {

// MDSCR_EL1
constexpr std::uint64_t no_debugger_channel = 1 << 12, single_step = 1, events = 1 << 15;

// SAFETY (this file): the debug registers concern user code only, as KDE is off; the callers keep to those
// that there are.
std::uint64_t features() { return NOS_READ_REGISTER("id_aa64dfr0_el1"); }

#define FOR_EACH_DEBUG_REGISTER(DO) \
  DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)

void load_break_point(unsigned index, const DebugRegister& value) {
  switch (index) {
#define DO(n)                                              \
  case n:                                                  \
    NOS_WRITE_REGISTER("dbgbvr" #n "_el1", value.address); \
    NOS_WRITE_REGISTER("dbgbcr" #n "_el1", value.control); \
    break;
    FOR_EACH_DEBUG_REGISTER(DO)
#undef DO
  }
}

void load_watch_point(unsigned index, const DebugRegister& value) {
  switch (index) {
#define DO(n)                                              \
  case n:                                                  \
    NOS_WRITE_REGISTER("dbgwvr" #n "_el1", value.address); \
    NOS_WRITE_REGISTER("dbgwcr" #n "_el1", value.control); \
    break;
    FOR_EACH_DEBUG_REGISTER(DO)
#undef DO
  }
}

void load_registers(const DebugRegisters& registers) {
  for (unsigned i = 0; i < break_point_count(); ++i) load_break_point(i, registers.break_points[i]);
  for (unsigned i = 0; i < watch_point_count(); ++i) load_watch_point(i, registers.watch_points[i]);
}

}  // namespace

unsigned debug_version() { return id_field(features(), 0); }
unsigned break_point_count() { return id_field(features(), 12) + 1; }
unsigned watch_point_count() { return id_field(features(), 20) + 1; }

void enable_debugging() {
  NOS_WRITE_REGISTER("mdscr_el1", no_debugger_channel);
  NOS_WRITE_REGISTER("oslar_el1", 0);  // locked after a reset: nothing would trap
  load_registers({});
}

void set_single_step(ThreadState& state, bool on) {
  InterruptsOff off;
  state.single_step = on;
  if (current_thread_state() == &state) load_debugging(state);
}

void load_debugging(const ThreadState& state) {
  if (state.debug_registers) load_registers(*state.debug_registers);
  NOS_WRITE_REGISTER("mdscr_el1", no_debugger_channel | (state.single_step ? single_step : 0) |
                                      (state.debug_registers ? events : 0));
  instruction_barrier();
}

}  // namespace arch
