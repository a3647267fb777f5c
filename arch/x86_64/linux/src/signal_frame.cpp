// The signal frame of x86-64 (asm/sigcontext.h, asm/ucontext.h): what a handler gets as its third argument,
// and what rt_sigreturn takes back. From high to low addresses: extended state (64-byte aligned), siginfo,
// ucontext, return address.
#include <arch/linux_signal.h>

#include <cstring>

#include <arch/linux_trace.h>
#include <arch/page_table.h>
#include <arch_impl/context.h>

#include "core/memory/user_copy.h"
#include "general_registers.h"
#include "x86_64/extended_state.h"
#include "x86_64/features.h"

namespace arch {
namespace {

struct SignalContext {
  std::uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, flags;
  std::uint16_t cs, gs, fs, ss;
  std::uint64_t error, trap, old_mask, cr2, extended_state;
  std::uint64_t reserved[8];
};
static_assert(sizeof(SignalContext) == 256);

struct UserContext {
  std::uint64_t flags, link;
  std::uint64_t stack_base;
  std::int32_t stack_flags, padding;
  std::uint64_t stack_size;
  SignalContext context;
  std::uint64_t blocked;
};

struct SignalFrame {
  std::uint64_t return_address;
  UserContext user;
  std::byte information[128];
};
static_assert(sizeof(SignalFrame) == 8 + 304 + 128);

constexpr std::uint64_t has_extended_state = 1, has_stack_segment = 2, strict_stack_segment = 4;
constexpr std::size_t red_zone = 128;

// The last 48 bytes of the legacy area belong to software: how large the state is, and that it is complete.
struct ExtendedDescription {
  std::uint32_t magic, total_size;
  std::uint64_t components;
  std::uint32_t state_size, padding[7];
};
static_assert(sizeof(ExtendedDescription) == 48);
constexpr std::uint32_t magic_start = 0x46505853, magic_end = 0x46505845;
constexpr std::size_t description_at = 464, legacy_size = 512, header_size = 64;

std::size_t state_size() { return cpu_features().xsave ? cpu_features().extended_size : legacy_size; }
// With the closing mark.
std::size_t stored_size() { return cpu_features().xsave ? state_size() + sizeof(magic_end) : legacy_size; }

base::Result<void> put(std::uintptr_t to, std::span<const std::byte> bytes) {
  return core::copy_to_user(core::UserAddress(to), bytes);
}

// The area is laid out as the program sees it and goes out in one piece: what software may use of it is
// filled in first.
base::Result<void> store_extended_state(std::uintptr_t to, ThreadState& state) {
  std::byte* area = capture_extended_state(state);
  ExtendedDescription description{};
  if (cpu_features().xsave) {
    description.magic = magic_start;
    description.total_size = static_cast<std::uint32_t>(stored_size());
    description.components = cpu_features().extended_components;
    description.state_size = static_cast<std::uint32_t>(state_size());
    std::memcpy(area + state_size(), &magic_end, sizeof(magic_end));
  }
  std::memcpy(area + description_at, &description, sizeof(description));
  TRY(put(to, {area, stored_size()}));
  if (!cpu_features().xsave) return {};
  // x87 and SSE are marked as in use, as Linux does: programs look at the legacy part without looking at the
  // mark. Not in the area, whose mark is the processor's, and may be written at any switch to another thread.
  std::uint64_t in_use;
  std::memcpy(&in_use, area + legacy_size, sizeof(in_use));
  in_use |= 3;
  return put(to + legacy_size, std::as_bytes(std::span(&in_use, 1)));
}

// What comes from the program must not make XRSTOR trap.
bool make_loadable(std::byte* area, bool extended) {
  std::uint32_t control;
  std::memcpy(&control, area + 24, sizeof(control));
  control &= 0xffff;
  std::memcpy(area + 24, &control, sizeof(control));
  if (!cpu_features().xsave) return true;
  std::uint64_t components = 3;
  if (extended) {
    std::memcpy(&components, area + legacy_size, sizeof(components));
    components &= cpu_features().extended_components;
  }
  std::memset(area + legacy_size, 0, header_size);
  std::memcpy(area + legacy_size, &components, sizeof(components));
  return true;
}

base::Result<void> load_extended_state(std::uintptr_t from, ThreadState& state) {
  if (!from) {
    reset_user_extended_state(state);
    return {};
  }
  if (from & 63) return base::error(base::Errno::efault);
  ExtendedDescription description;
  TRY(core::copy_from_user(std::as_writable_bytes(std::span(&description, 1)),
                           core::UserAddress(from + description_at)));
  bool extended = cpu_features().xsave && description.magic == magic_start &&
                  description.state_size == state_size() && description.total_size == stored_size();
  // Between the two the area is out of the thread's hands: no switch stores into it while the copy sleeps.
  freeze_user_state(state);
  std::byte* area = state.frozen;
  // With the closing mark, which has room behind the state.
  base::Result<void> copied =
      core::copy_from_user({area, extended ? stored_size() : legacy_size}, core::UserAddress(from));
  if (extended) {
    std::uint32_t mark;
    std::memcpy(&mark, area + state_size(), sizeof(mark));
    extended = mark == magic_end;
  }
  if (!copied)
    reset_extended_state(area);
  else
    make_loadable(area, extended);
  thaw_user_state(state);
  return copied;
}

}  // namespace

std::size_t linux_minimum_signal_stack() {
  return (sizeof(SignalFrame) + 8 + stored_size() + 63 + red_zone + 15) & ~std::size_t{15};
}

base::Result<void> push_linux_signal_frame(UserRegisters& registers, ThreadState& state,
                                           const LinuxSignalRequest& request) {
  // Without SA_RESTORER the handler would have nowhere to return to.
  if (!request.restorer) return base::error(base::Errno::efault);
  std::uintptr_t sp = request.stack;
  if (!request.on_alternate_stack || sp == registers.rsp) sp -= red_zone;
  std::uintptr_t extended = (sp - stored_size()) & ~std::uintptr_t{63};
  std::uintptr_t frame_at = ((extended - sizeof(SignalFrame)) & ~std::uintptr_t{15}) - 8;
  if (frame_at >= sp || sp >= user_address_limit) return base::error(base::Errno::efault);
  TRY(store_extended_state(extended, state));

  // Every byte is written below: nothing of the kernel's stack goes out.
  [[clang::uninitialized]] SignalFrame frame;
  frame.return_address = request.restorer;
  frame.user.flags =
      has_stack_segment | strict_stack_segment | (cpu_features().xsave ? has_extended_state : 0);
  frame.user.link = 0;
  frame.user.stack_base = request.alternate.base;
  frame.user.stack_flags = request.alternate.flags;
  frame.user.padding = 0;
  frame.user.stack_size = request.alternate.size;
  frame.user.blocked = request.blocked;
  SignalContext& context = frame.user.context;
  const UserRegisters& r = registers;
  context = {};
  copy_general_registers(context, r);
  context.flags = r.flags;
  context.cs = SELECTOR_USER_CODE;
  context.ss = SELECTOR_USER_DATA;
  context.error = state.fault.error_code;
  context.trap = state.fault.trap_number;
  context.old_mask = request.blocked;
  context.cr2 = state.fault.address;
  context.extended_state = extended;
  std::size_t size = request.information.size() < sizeof(frame.information) ? request.information.size()
                                                                            : sizeof(frame.information);
  std::memcpy(frame.information, request.information.data(), size);
  std::memset(frame.information + size, 0, sizeof(frame.information) - size);
  TRY(put(frame_at, std::as_bytes(std::span(&frame, 1))));

  registers.rdi = static_cast<std::uint64_t>(request.number);
  registers.rsi = frame_at + offsetof(SignalFrame, information);
  registers.rdx = frame_at + offsetof(SignalFrame, user);
  registers.rax = 0;
  registers.set_program_counter(request.handler);
  registers.set_stack_pointer(frame_at);
  registers.flags &= ~std::uint64_t{0x10500};  // direction, trace, resume
  registers.set_system_call_number(-1);
  reset_user_extended_state(state);
  return {};
}

base::Result<LinuxSignalReturn> pop_linux_signal_frame(UserRegisters& registers, ThreadState& state) {
  // Read only as far as it is filled here.
  [[clang::uninitialized]] SignalFrame frame;
  // The handler's return took the return address off the stack.
  std::uintptr_t frame_at = registers.rsp - 8;
  constexpr std::size_t needed = offsetof(SignalFrame, information);
  TRY(core::copy_from_user({std::as_writable_bytes(std::span(&frame, 1)).data(), needed},
                           core::UserAddress(frame_at)));
  const SignalContext& c = frame.user.context;
  TRY(load_extended_state(c.extended_state, state));
  UserRegisters& r = registers;
  copy_general_registers(r, c);
  r.set_program_counter(c.rip);
  r.set_flags(c.flags);
  r.set_system_call_number(-1);
  LinuxSignalReturn result;
  result.blocked = frame.user.blocked;
  result.alternate = {frame.user.stack_base, frame.user.stack_flags, frame.user.stack_size};
  return result;
}

}  // namespace arch
