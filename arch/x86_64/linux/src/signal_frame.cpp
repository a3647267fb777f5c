// The signal frame of x86-64 Linux, from high to low addresses:
//
//   extended state (XSAVE format, 64-byte aligned), its end marked with magic_2
//   siginfo_t
//   struct ucontext: alternate stack, struct sigcontext with all registers, the blocked mask
//   return address: the program's restorer, which calls rt_sigreturn     <- stack pointer in the handler, 16n + 8
#include <arch/cpu.h>
#include <arch/linux_signal.h>
#include <arch/user_copy.h>
#include <arch_impl/context.h>

#include <cstring>

#include "x86_64/extended_state.h"
#include "x86_64/features.h"

namespace arch {

namespace {

using base::Errno;
using base::error;

constexpr std::uintptr_t task_end = 0x7ffffffff000;
constexpr std::size_t red_zone = 128;  // below the stack pointer, the program's
constexpr std::uint32_t magic_1 = 0x46505853, magic_2 = 0x46505845;
constexpr std::size_t legacy_size = 512, software_offset = 464, header_size = 64;

struct Sigcontext {
  std::uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, flags;
  std::uint16_t cs, gs, fs, ss;
  std::uint64_t error_code, trap_number, old_mask, fault_address, extended_state, reserved[8];
};
static_assert(sizeof(Sigcontext) == 256);

struct Ucontext {
  std::uint64_t flags, link, stack_base;
  std::int32_t stack_flags, pad;
  std::uint64_t stack_size;
  Sigcontext registers;
  std::uint64_t blocked;
};
static_assert(sizeof(Ucontext) == 304);
constexpr std::uint64_t uc_extended = 1, uc_sigcontext_ss = 2, uc_strict_restore_ss = 4;

struct Frame {
  std::uint64_t return_address;
  Ucontext context;
  std::byte information[128];
};

// In the part of the legacy area that the processor leaves to software.
struct SoftwareBytes {
  std::uint32_t magic, extended_size;
  std::uint64_t components;
  std::uint32_t state_size, pad[7];
};
static_assert(sizeof(SoftwareBytes) == 48);

bool is_user(std::uintptr_t address, std::size_t size) { return address < task_end && size <= task_end - address; }

base::Result<void> put(std::uintptr_t to, const void* from, std::size_t size) {
  if (!is_user(to, size) || copy_to_user_raw(to, from, size)) return error(Errno::efault);
  return {};
}
base::Result<void> get(void* to, std::uintptr_t from, std::size_t size) {
  if (!is_user(from, size) || copy_from_user_raw(to, from, size)) return error(Errno::efault);
  return {};
}

std::size_t state_size() { return cpu_features().extended_size; }
std::size_t state_size_in_frame() { return state_size() + (cpu_features().xsave ? sizeof(magic_2) : 0); }

base::Result<void> put_extended_state(std::uintptr_t to, ThreadState& state) {
  {
    InterruptsOff off;
    save_extended_state(state.extended_state);
  }
  // The thread is in the kernel, so nothing changes the area while it is copied.
  TRY(put(to, state.extended_state, state_size()));
  if (!cpu_features().xsave) return {};
  SoftwareBytes software{magic_1, static_cast<std::uint32_t>(state_size_in_frame()),
                         cpu_features().extended_components, static_cast<std::uint32_t>(state_size()), {}};
  TRY(put(to + software_offset, &software, sizeof(software)));
  return put(to + state_size(), &magic_2, sizeof(magic_2));
}

// Whether the frame holds more than the legacy part.
base::Result<bool> is_extended(std::uintptr_t from) {
  if (!cpu_features().xsave) return false;
  SoftwareBytes software;
  TRY(get(&software, from + software_offset, sizeof(software)));
  if (software.magic != magic_1 || software.state_size > state_size() ||
      software.state_size < legacy_size + header_size || software.extended_size < software.state_size)
    return false;
  std::uint32_t end;
  TRY(get(&end, from + software.state_size, sizeof(end)));
  return end == magic_2;
}

// Makes bytes of the program safe for XRSTOR, which traps on what it does not know.
void sanitise(std::byte* area, bool extended) {
  constexpr std::uint32_t simd_control_bits = 0xffff;
  std::uint32_t control;
  std::memcpy(&control, area + 24, sizeof(control));
  control &= simd_control_bits;
  std::memcpy(area + 24, &control, sizeof(control));
  if (!cpu_features().xsave) return;
  std::uint64_t components = 3;
  if (extended) std::memcpy(&components, area + legacy_size, sizeof(components));
  components &= cpu_features().extended_components;
  std::memset(area + legacy_size, 0, header_size);
  std::memcpy(area + legacy_size, &components, sizeof(components));
}

base::Result<void> get_extended_state(std::uintptr_t from, ThreadState& state) {
  std::byte* fresh = TRY(allocate_extended_state());
  auto read = [&]() -> base::Result<void> {
    if (!from) return {};
    bool extended = TRY(is_extended(from));
    TRY(get(fresh, from, extended ? state_size() : legacy_size));
    sanitise(fresh, extended);
    return {};
  };
  auto outcome = read();
  std::byte* old = fresh;
  if (outcome) {
    InterruptsOff off;
    old = state.extended_state;
    state.extended_state = fresh;
    restore_extended_state(fresh);
  }
  free_extended_state(old);
  return outcome;
}

}  // namespace

std::size_t linux_minimum_signal_stack() {
  constexpr std::size_t alignment = 64 + 16;
  return (sizeof(Frame) + state_size_in_frame() + alignment + red_zone + 15) & ~std::size_t{15};
}

base::Result<void> push_linux_signal_frame(UserRegisters& registers, ThreadState& state,
                                           const LinuxSignalRequest& request) {
  if (!request.restorer) return error(Errno::efault);  // the ABI has no other way back
  std::uintptr_t stack = request.stack;
  if (stack == registers.rsp) stack -= red_zone;
  std::uintptr_t extended = (stack - state_size_in_frame()) & ~std::uintptr_t{63};
  std::uintptr_t at = ((extended - sizeof(Frame)) & ~std::uintptr_t{15}) - 8;
  if (!is_user(at, sizeof(Frame))) return error(Errno::efault);
  if (request.on_alternate_stack && at < request.alternate.base) return error(Errno::efault);
  TRY(put_extended_state(extended, state));

  const UserRegisters& r = registers;
  Frame frame{};
  frame.return_address = request.restorer;
  Ucontext& context = frame.context;
  context.flags = uc_sigcontext_ss | uc_strict_restore_ss | (cpu_features().xsave ? uc_extended : 0);
  context.stack_base = request.alternate.base;
  context.stack_flags = request.alternate.flags;
  context.stack_size = request.alternate.size;
  context.blocked = request.blocked;
  context.registers = Sigcontext{
      r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rdi, r.rsi, r.rbp, r.rbx, r.rdx, r.rax, r.rcx, r.rsp,
      r.rip, r.flags, static_cast<std::uint16_t>(r.cs), 0, 0, static_cast<std::uint16_t>(r.ss),
      state.fault.error_code, state.fault.trap_number, request.blocked, state.fault.address, extended, {}};
  std::memcpy(frame.information, request.information.data(), sizeof(frame.information));
  TRY(put(at, &frame, sizeof(frame)));

  constexpr std::uint64_t direction = 0x400, resume = 0x10000, trap = 0x100;
  registers.rdi = static_cast<std::uint64_t>(request.number);
  registers.rsi = at + offsetof(Frame, information);
  registers.rdx = at + offsetof(Frame, context);
  registers.rax = 0;
  registers.original_rax = ~std::uint64_t{0};
  registers.set_flags(registers.flags & ~(direction | resume | trap));
  registers.set_program_counter(request.handler);
  registers.set_stack_pointer(at);
  return {};
}

base::Result<LinuxSignalReturn> pop_linux_signal_frame(UserRegisters& registers, ThreadState& state) {
  // The handler's return has popped the return address.
  Ucontext context;
  TRY(get(&context, registers.rsp, sizeof(context)));
  TRY(get_extended_state(context.registers.extended_state, state));
  const Sigcontext& from = context.registers;
  UserRegisters& r = registers;
  r.r8 = from.r8; r.r9 = from.r9; r.r10 = from.r10; r.r11 = from.r11;
  r.r12 = from.r12; r.r13 = from.r13; r.r14 = from.r14; r.r15 = from.r15;
  r.rdi = from.rdi; r.rsi = from.rsi; r.rbp = from.rbp; r.rbx = from.rbx;
  r.rdx = from.rdx; r.rax = from.rax; r.rcx = from.rcx;
  r.original_rax = ~std::uint64_t{0};
  r.set_flags(from.flags);
  r.set_stack_pointer(from.rsp);
  r.set_program_counter(from.rip);
  return LinuxSignalReturn{context.blocked, {context.stack_base, context.stack_flags, context.stack_size}};
}

}  // namespace arch
