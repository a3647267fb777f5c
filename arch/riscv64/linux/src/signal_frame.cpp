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
#include "riscv64/vector.h"

namespace arch {
namespace {

struct alignas(16) SignalContext {
  std::uint64_t registers[32];  // the first is the program counter
  // The room of the Q extension's registers, whose beginning holds those of D.
  FloatingPointState unit;
  std::byte reserved[516 - sizeof(FloatingPointState)];
  std::uint32_t reserved_word;
  // Where the list of further state begins. Zeros end it.
  std::uint32_t extension_mark, extension_size;
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

// The one kind of further state, in place of the list's end, which follows it.
struct VectorContext {
  std::uint32_t mark, size;
  VectorState state;
  std::uint64_t registers_at;
};
constexpr std::uint32_t vector_mark = 0x53465457;  // RISCV_V_MAGIC
constexpr std::size_t list_end_size = 8;
// Beginning in place of the list's end, what follows the header is aligned for vectors.
static_assert(sizeof(VectorContext) == 56 && (sizeof(SignalFrame) - list_end_size + 56) % 16 == 0);

// Of all that vectors add to a frame; the registers come after VectorContext.
std::size_t vector_context_size() { return sizeof(VectorContext) + vector_registers_size(); }

base::Result<void> push_vectors(const VectorState& state, std::uintptr_t frame_at) {
  std::uintptr_t at = frame_at + sizeof(SignalFrame) - list_end_size;
  VectorContext context{};
  context.mark = vector_mark;
  context.size = static_cast<std::uint32_t>(vector_context_size());
  context.state = state;
  context.registers_at = at + sizeof(context);
  TRY(core::copy_to_user(core::UserAddress(at), std::as_bytes(std::span(&context, 1))));
  TRY(core::copy_to_user(core::UserAddress(context.registers_at),
                         {state.registers(), vector_registers_size()}));
  std::uint64_t list_end = 0;
  return core::copy_to_user(core::UserAddress(at + vector_context_size()),
                            std::as_bytes(std::span(&list_end, 1)));
}

base::Result<void> pop_vectors(ThreadState& thread, std::uintptr_t frame_at) {
  std::uintptr_t at = frame_at + sizeof(SignalFrame) - list_end_size;
  VectorContext context;
  TRY(core::copy_from_user(std::as_writable_bytes(std::span(&context, 1)), core::UserAddress(at)));
  std::uint64_t list_end;
  TRY(core::copy_from_user(std::as_writable_bytes(std::span(&list_end, 1)),
                           core::UserAddress(at + vector_context_size())));
  if (context.size != vector_context_size() || list_end) return base::error(base::Errno::einval);
  VectorState* state = replace_vectors(thread);
  if (!state) return base::error(base::Errno::einval);
  // The size is the processor's; what else is wrong becomes an invalid type when it is loaded.
  context.state.register_bytes = state->register_bytes;
  *state = context.state;
  auto copied = core::copy_from_user({state->registers(), vector_registers_size()},
                                     core::UserAddress(context.registers_at));
  load_vectors(thread);
  return copied;
}

// The D registers end with fcsr, four bytes before the end of FloatingPointState.
static_assert(offsetof(FloatingPointState, control) == 256);

// Every field from ra to t6, in the order of their numbers.
static_assert(offsetof(UserRegisters, original_a0) == sizeof(SignalContext::registers));

}  // namespace

std::size_t linux_minimum_signal_stack() {
  return sizeof(SignalFrame) + (vector_registers_size() ? vector_context_size() : 0);
}

base::Result<void> push_linux_signal_frame(UserRegisters& registers, ThreadState& state,
                                           const LinuxSignalRequest& request) {
  if (!request.vdso) return base::error(base::Errno::efault);
  const VectorState* vectors = capture_vectors(state);
  std::size_t frame_size = sizeof(SignalFrame) + (vectors ? vector_context_size() : 0);
  std::uintptr_t frame_at = (request.stack - frame_size) & ~std::uintptr_t{15};
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
  if (vectors) TRY(push_vectors(*vectors, frame_at));

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
  bool has_vectors = context.extension_mark == vector_mark;
  if (context.reserved_word || (!has_vectors && (context.extension_mark || context.extension_size)))
    return base::error(base::Errno::einval);
  // Only the bits that exist: rounding mode and conditions.
  FloatingPointState unit = context.unit;
  unit.control &= 0xff;
  load_floating_point(state, unit);
  if (has_vectors) TRY(pop_vectors(state, registers.sp));
  std::memcpy(static_cast<void*>(&registers), context.registers, sizeof(context.registers));
  registers.set_system_call_number(-1);
  LinuxSignalReturn result;
  result.blocked = frame.user.blocked;
  result.alternate = {frame.user.stack_base, frame.user.stack_flags, frame.user.stack_size};
  return result;
}

}  // namespace arch
