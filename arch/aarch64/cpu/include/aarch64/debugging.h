// What the processor does for debuggers: single steps, hardware break points and watch points of user code.
// None of it is active while the kernel runs (MDSCR_EL1.KDE stays off).
#pragma once

#include <cstdint>

#include <arch_impl/context.h>

namespace arch {

inline constexpr unsigned most_debug_registers = 16;

// Pairs of an address and a control word, in the form of DBGBCR and DBGWCR. Zero: off.
struct DebugRegister {
  std::uint64_t address = 0;
  std::uint32_t control = 0;
};
struct DebugRegisters {
  DebugRegister break_points[most_debug_registers], watch_points[most_debug_registers];
};

// How many the processor has.
unsigned break_point_count();
unsigned watch_point_count();
// ID_AA64DFR0.DebugVer.
unsigned debug_version();

// Every CPU, before it runs user code.
void enable_debugging();
// A trap after each instruction of the thread's. Of the calling thread, or of one that is frozen.
void set_single_step(ThreadState& state, bool on);
// Interrupts off. What this CPU does for its user code from now on is what `state` asks for.
void load_debugging(const ThreadState& state);

}  // namespace arch
