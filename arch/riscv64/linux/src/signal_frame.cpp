// The signal frame of RISC-V (asm/sigcontext.h, asm/ucontext.h): what a handler gets as its third argument,
// and what rt_sigreturn takes back. siginfo, then ucontext, at the stack pointer. Handlers return into the
// vDSO.
#include <arch/linux_signal.h>

#include <cstring>

#include <arch/page_table.h>
#include <arch_impl/context.h>

#include "arch_common/vdso_entry.h"
#include "core/memory/user_copy.h"
#include "riscv64/floating_point.h"

namespace arch {
namespace {

struct alignas(16) SignalContext {
  std::uint64_t registers[32];  // the first is the program counter
  // The room of the Q extension's registers, whose beginning holds those of D.
  FloatingPointState unit;
  std::byte reserved[516 - sizeof(FloatingPointState)];
  std::uint32_t reserved_word;
  // The list of further state ends at once.
  std::uint32_t end_mark, end_size;
};
static_assert(sizeof(SignalContext) == 784);

struct UserContext {
  std::uint64_t flags, link;
  std::uint64_t stack_base;
  std::int32_t stack_flags, padding;
  std::uint64_t stack_size;
  std::uint64_t blocked;
  std::byte reserved[120];
  SignalContext context;
};
static_assert(offsetof(UserContext, context) == 176);

struct SignalFrame {
  std::byte information[128];
  UserContext user;
};
static_assert(sizeof(SignalFrame) == 1088);

// The D registers end with fcsr, four bytes before the end of FloatingPointState.
static_assert(offsetof(FloatingPointState, control) == 256);

// Every field from ra to t6, in the order of their numbers.
static_assert(offsetof(UserRegisters, original_a0) == sizeof(SignalContext::registers));

}  // namespace

std::size_t linux_minimum_signal_stack() { return sizeof(SignalFrame); }

base::Result<void> push_linux_signal_frame(UserRegisters& registers, ThreadState& state,
                                           const LinuxSignalRequest& request) {
  if (!request.vdso) return base::error(base::Errno::efault);
  std::uintptr_t frame_at = (request.stack - sizeof(SignalFrame)) & ~std::uintptr_t{15};
  if (frame_at >= request.stack || request.stack > user_address_limit)
    return base::error(base::Errno::efault);

  SignalFrame frame{};
  std::size_t size = request.information.size() < sizeof(frame.information) ? request.information.size()
                                                                            : sizeof(frame.information);
  std::memcpy(frame.information, request.information.data(), size);
  frame.user.stack_base = request.alternate.base;
  frame.user.stack_flags = request.alternate.flags;
  frame.user.stack_size = request.alternate.size;
  frame.user.blocked = request.blocked;
  std::memcpy(frame.user.context.registers, &registers, sizeof(frame.user.context.registers));
  frame.user.context.unit = capture_floating_point(state);
  TRY(core::copy_to_user(core::UserAddress(frame_at), std::as_bytes(std::span(&frame, 1))));

  registers.ra = request.vdso + vdso_entry_offset();
  registers.a[0] = static_cast<std::uint64_t>(request.number);
  registers.a[1] = frame_at + offsetof(SignalFrame, information);
  registers.a[2] = frame_at + offsetof(SignalFrame, user);
  registers.set_program_counter(request.handler);
  registers.set_stack_pointer(frame_at);
  registers.set_system_call_number(-1);
  return {};
}

base::Result<LinuxSignalReturn> pop_linux_signal_frame(UserRegisters& registers, ThreadState& state) {
  SignalFrame frame;
  TRY(core::copy_from_user(std::as_writable_bytes(std::span(&frame, 1)), core::UserAddress(registers.sp)));
  const SignalContext& context = frame.user.context;
  // State that this kernel has not put there.
  if (context.reserved_word || context.end_mark || context.end_size) return base::error(base::Errno::einval);
  // Only the bits that exist: rounding mode and conditions.
  FloatingPointState unit = context.unit;
  unit.control &= 0xff;
  load_floating_point(state, unit);
  std::memcpy(static_cast<void*>(&registers), context.registers, sizeof(context.registers));
  registers.set_system_call_number(-1);
  LinuxSignalReturn result;
  result.blocked = frame.user.blocked;
  result.alternate = {frame.user.stack_base, frame.user.stack_flags, frame.user.stack_size};
  return result;
}

}  // namespace arch
