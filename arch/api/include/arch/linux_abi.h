// Other parts of Linux's interface that differ from one architecture to the next.
//
//   struct LinuxStat                  struct stat of stat(2), zero-initialised, with fields of these names:
//       device, inode, link_count, mode, uid, gid, special_device, size, block_size, blocks,
//       access_seconds, access_nanoseconds, modify_..., change_...
//   struct LinuxEpollEvent            packed or not
//   linux_machine                     uname -m
//   linux_machine_32                  the same under PER_LINUX32
//   linux_elf_machine                 e_machine of programs
//   linux_open_*                      open flags that differ
//   linux_clone_thread_pointer_last   clone(flags, stack, parent_tid, child_tid, tls); false: tls is fourth
//   linux_restorer_flag               SA_RESTORER; 0: struct sigaction has no field for the restorer
//   linux_semaphore_times_are_padded  struct semid64_ds has a word behind each of its times
// linux_generic_abi.h has them for architectures that follow Linux's common headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <arch/context.h>
#include <arch/user.h>
#include "base/result.h"

namespace arch {

// AT_HWCAP, AT_HWCAP2, AT_PLATFORM.
std::uint64_t linux_hwcap();
std::uint64_t linux_hwcap2();
const char* linux_platform();

// arch_prctl(2); EINVAL for what there is not, ENOSYS on architectures without the call.
base::Result<long> linux_arch_prctl(UserRegisters& registers, ThreadState& state, int operation,
                                    std::uintptr_t argument);

// Operations of prctl(2) that only some architectures have; EINVAL. `state` is the calling thread's. Thread
// context.
base::Result<long> linux_own_prctl(ThreadState& state, long operation,
                                   std::span<const std::uint64_t, 4> arguments);

// A new program's first registers: everything but these is zero.
void linux_start_program(UserRegisters& registers, std::uintptr_t program_counter,
                         std::uintptr_t stack_pointer);
// The child of clone returns 0 and may get a stack and a thread pointer of its own. `state` is the child's.
void linux_start_child(UserRegisters& registers, ThreadState& state, std::uintptr_t stack_pointer_or_zero,
                       std::optional<std::uintptr_t> thread_pointer);

// A system call that the common table does not have, because only this architecture has it; ENOSYS if it does
// not either.
base::Result<long> linux_own_system_call(UserRegisters& registers, ThreadState& state);

// A stack of 47 bits or whatever the address space has: one past the highest address a program may use.
std::uintptr_t linux_stack_top();
// Where mmap_base may lie at random: bits of randomness in pages.
inline constexpr unsigned linux_mmap_random_bits = 28, linux_stack_random_bits = 22,
                          linux_break_random_bits = 13;

// Code that branches into only at marked targets (core::Protection::guarded), as Linux's interface has it.
// All zero: the processor cannot.
struct LinuxGuard {
  unsigned protection = 0;                       // the bit of mmap and mprotect that asks for it
  std::uint32_t property = 0, property_bit = 0;  // of .note.gnu.property: the program has the marks
};
LinuxGuard linux_guard();

// Settings below /proc/sys that only some architectures have: whole numbers. show() and store() are called in
// thread context; store(): EINVAL.
struct LinuxSetting {
  const char* path;  // without /proc
  long (*show)();
  base::Result<void> (*store)(long value);
};
std::span<const LinuxSetting> linux_own_settings();

// Text for /proc/cpuinfo is elsewhere (procfs asks arch for it).

}  // namespace arch

#include <arch_impl/linux_abi.h>
