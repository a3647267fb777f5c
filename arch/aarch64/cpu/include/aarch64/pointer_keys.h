// Pointer authentication. User code: the keys, which each program has of its own, and which of them are in
// use.
//
// The kernel signs its return addresses with key A, one random key for all CPUs and threads; the stack
// pointer, which is mixed in, tells the frames apart. entry.S exchanges that key with the program's on each
// way in and out, so in the kernel's C++ APIA is always the kernel's and in use; the other keys are the
// running program's.
#pragma once

#include <cstdint>

#include <arch_impl/context.h>

#include "aarch64/cpu_area.h"
#include "base/result.h"

namespace arch {

// A set of keys, as prctl(2) names them (PR_PAC_AP*KEY).
inline constexpr unsigned address_keys = 0xf, generic_key = 0x10;
// Those that the processor has.
unsigned known_pointer_keys();

// The calling thread's. Thread context.
void renew_pointer_keys(ThreadState& state, unsigned which);
void set_enabled_pointer_keys(ThreadState& state, unsigned enabled);
// Interrupts off: for user code from now on. Key A is taken from `state` on the way out (entry.S).
void load_pointer_keys(const ThreadState& state);

// The kernel's. Boot CPU, before others start: chooses the key, if the processor can sign.
void choose_kernel_key();
// This CPU signs from now on. For functions that never return: the address that they would return to is not
// signed.
extern "C" void arch_start_signing(std::uint64_t low, std::uint64_t high);
[[gnu::always_inline]] inline void start_signing() {
  const std::uint64_t* key = this_cpu_local().kernel_key;
  if (key[1]) arch_start_signing(key[0], key[1]);
}
// A return address as a function would keep it whose stack pointer is `stack_pointer` at its beginning; as it
// is where nothing is signed.
extern "C" std::uint64_t arch_sign(std::uint64_t address, std::uint64_t stack_pointer);

}  // namespace arch
