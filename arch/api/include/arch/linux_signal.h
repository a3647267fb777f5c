// What Linux programs see of the machine when a signal handler runs: the frame on the user stack, with all
// registers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <arch/context.h>
#include <arch/user.h>
#include "base/result.h"

namespace arch {

// The alternate signal stack as the frame records it (struct sigaltstack).
struct LinuxSignalStack {
  std::uint64_t base = 0;
  std::int32_t flags = 0;
  std::uint64_t size = 0;
};

struct LinuxSignalRequest {
  int number = 0;
  std::span<const std::byte> information;  // siginfo_t, 128 bytes
  std::uintptr_t handler = 0;
  std::uintptr_t restorer = 0;  // SA_RESTORER, 0 if none was given
  std::uint64_t blocked = 0;    // the mask that sigreturn puts back
  LinuxSignalStack alternate;
  std::uintptr_t stack = 0;  // where to begin: the user's stack pointer or the end of the alternate stack
  bool on_alternate_stack = false;
  std::uintptr_t vdso = 0;  // where the program has the vDSO, for architectures that return through it
};

// Writes the frame and sets the registers so that the handler starts. EFAULT: the stack is not writable;
// nothing changed. `state` is the calling thread's.
base::Result<void> push_linux_signal_frame(UserRegisters& registers, ThreadState& state,
                                           const LinuxSignalRequest& request);

struct LinuxSignalReturn {
  std::uint64_t blocked = 0;
  LinuxSignalStack alternate;
};
// rt_sigreturn: takes the registers from the frame at the stack pointer. EFAULT, EINVAL: the frame is
// damaged.
base::Result<LinuxSignalReturn> pop_linux_signal_frame(UserRegisters& registers, ThreadState& state);

// AT_MINSIGSTKSZ: the largest frame of this processor.
std::size_t linux_minimum_signal_stack();

}  // namespace arch
