// What a debugger sees of a stopped thread: its registers in the forms of ptrace(2) and of core files.
//
// A thread that stops for its tracer freezes its user state: everything that lies in the processor goes to
// memory and stays there, whatever the thread runs on meanwhile, so that another thread may read and change
// it with the functions below. thaw_user_state() loads what is then there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <arch/context.h>
#include <arch/user.h>
#include "base/result.h"

namespace arch {

// Both by the thread itself, in pairs; it may sleep in between but runs no user code.
void freeze_user_state(ThreadState& state);
void thaw_user_state(ThreadState& state);

// A frozen thread.
struct TracedThread {
  UserRegisters& registers;
  ThreadState& state;
};

// Register sets go by the type of their note in core files (elf.h, NT_*).
inline constexpr unsigned linux_note_general = 1, linux_note_floating_point = 2;
// Bytes of a set and of one element of it; zero: there is no such set.
struct LinuxRegisterSet {
  std::size_t size = 0, unit = 0;
};
LinuxRegisterSet linux_register_set(unsigned note);
// What of it a thread has: its vectors may be shorter than the longest, or not in use (zero).
std::size_t linux_register_set_size(TracedThread thread, unsigned note);
// The sets that core files have besides the general one, in their order. Those of which a thread has nothing
// are left out.
struct LinuxCoreNote {
  std::string_view owner;
  unsigned type;
};
std::span<const LinuxCoreNote> linux_core_notes();
// `bytes` begins at the start of the set and may end before the set does, but not behind it: behind what the
// thread has of it when reading. EINVAL, EIO: a value that user code must not have.
base::Result<void> read_linux_registers(TracedThread thread, unsigned note, std::span<std::byte> bytes);
base::Result<void> write_linux_registers(TracedThread thread, unsigned note,
                                         std::span<const std::byte> bytes);

// struct user, a word at a time (PTRACE_PEEKUSER and POKEUSER). EIO.
base::Result<std::uint64_t> peek_linux_user(TracedThread thread, std::uintptr_t offset);
base::Result<void> poke_linux_user(TracedThread thread, std::uintptr_t offset, std::uint64_t value);

// Requests of ptrace(2) that only some architectures have. The older ones transfer a register set: gives its
// note. EIO: none of ours.
struct LinuxRegisterRequest {
  unsigned note = 0;
  bool writes = false;
};
base::Result<LinuxRegisterRequest> linux_register_request(long request);
// The others. EIO.
base::Result<long> linux_own_trace_request(TracedThread thread, long request, std::uintptr_t address,
                                           std::uintptr_t data);

// Can the processor run one instruction of user code and trap? set_linux_single_step() asks for it.
bool linux_has_single_step();
void set_linux_single_step(TracedThread thread, bool on);

// Puts into the registers what a tracer sees in place of the result when a system call begins.
void begin_traced_system_call(UserRegisters& registers);

// What the result replaced is back: for handlers of a signal that came instead of the call.
void roll_back_system_call(UserRegisters& registers);

// AUDIT_ARCH_*: how seccomp filters and PTRACE_GET_SYSCALL_INFO name the architecture.
std::uint32_t linux_audit_architecture();

}  // namespace arch
