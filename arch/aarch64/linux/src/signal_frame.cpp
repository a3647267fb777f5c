// The signal frame of AArch64 (asm/sigcontext.h, asm/ucontext.h): what a handler gets as its third argument,
// and what rt_sigreturn takes back. From low to high addresses: siginfo, ucontext with the general registers
// and 4 KiB or more of records (signal_records.h), then a frame record that the frame pointer is set to, so
// that back traces go on behind the signal.
#include <arch/linux_signal.h>

#include <cstring>

#include <arch/linux_abi.h>
#include <arch/page_table.h>
#include <arch_impl/context.h>

#include "arch_common/vdso_entry.h"
#include "core/memory/user_copy.h"
#include "signal_records.h"

namespace arch {
namespace {

struct SignalContext {
  std::uint64_t fault_address;
  std::uint64_t x[31];
  std::uint64_t sp, pc, pstate;
  std::uint64_t padding;  // the records are aligned to 16 bytes
};
static_assert(sizeof(SignalContext) == 288);

struct UserContext {
  std::uint64_t flags, link;
  std::uint64_t stack_base;
  std::int32_t stack_flags, padding;
  std::uint64_t stack_size;
  std::uint64_t blocked;
  std::uint8_t unused[120];  // glibc's signal set has 1024 bits
  std::uint64_t alignment;
  SignalContext context;
};
static_assert(offsetof(UserContext, context) == 176);

struct SignalFrame {
  std::byte information[128];
  UserContext user;
};
constexpr std::size_t records_at = sizeof(SignalFrame);
struct FrameRecord {
  std::uint64_t frame_pointer, return_address;
};
static_assert(records_at % 16 == 0);

base::Result<void> put(std::uintptr_t to, std::span<const std::byte> bytes) {
  return core::copy_to_user(core::UserAddress(to), bytes);
}
base::Result<void> get(std::span<std::byte> bytes, std::uintptr_t from) {
  return core::copy_from_user(bytes, core::UserAddress(from));
}

void fill(SignalFrame& frame, const UserRegisters& registers, const ThreadState& state,
          const LinuxSignalRequest& request) {
  frame.user.stack_base = request.alternate.base;
  frame.user.stack_flags = request.alternate.flags;
  frame.user.stack_size = request.alternate.size;
  frame.user.blocked = request.blocked;
  SignalContext& context = frame.user.context;
  context.fault_address = state.fault.address;
  std::memcpy(context.x, registers.x, sizeof(context.x));
  context.sp = registers.sp;
  context.pc = registers.pc;
  context.pstate = registers.pstate;
  std::size_t size = request.information.size() < sizeof(frame.information) ? request.information.size()
                                                                            : sizeof(frame.information);
  std::memcpy(frame.information, request.information.data(), size);
}

std::uintptr_t return_address_for(const LinuxSignalRequest& request) {
  if (request.restorer) return request.restorer;
  return request.vdso ? request.vdso + vdso_entry_offset() : 0;
}

}  // namespace

std::size_t linux_minimum_signal_stack() {
  return records_at + largest_signal_records() + sizeof(FrameRecord) + 16;
}

base::Result<void> push_linux_signal_frame(UserRegisters& registers, ThreadState& state,
                                           const LinuxSignalRequest& request) {
  std::uintptr_t sp = request.stack & ~std::uintptr_t{15};
  SignalRecords records = capture_signal_records(state);
  std::uintptr_t record_at = sp - sizeof(FrameRecord), frame_at = record_at - records_at - records.size();
  if (frame_at >= sp || sp > user_address_limit) return base::error(base::Errno::efault);
  SignalFrame frame{};
  fill(frame, registers, state, request);
  FrameRecord record{registers.x[29], registers.x[30]};
  TRY(put(record_at, std::as_bytes(std::span(&record, 1))));
  TRY(put(frame_at, std::as_bytes(std::span(&frame, 1))));
  TRY(records.write(frame_at + records_at));

  registers.x[0] = static_cast<std::uint64_t>(request.number);
  registers.x[1] = frame_at + offsetof(SignalFrame, information);
  registers.x[2] = frame_at + offsetof(SignalFrame, user);
  registers.x[29] = record_at;
  registers.x[30] = return_address_for(request);
  registers.set_program_counter(request.handler);
  registers.pstate &= ~UserRegisters::branch_type;
  if (linux_guard().protection) registers.pstate |= UserRegisters::branch_type_call;
  registers.set_stack_pointer(frame_at);
  registers.set_system_call_number(-1);
  return {};
}

base::Result<LinuxSignalReturn> pop_linux_signal_frame(UserRegisters& registers, ThreadState& state) {
  std::uintptr_t frame_at = registers.sp;
  if (frame_at & 15) return base::error(base::Errno::efault);
  UserContext user;
  TRY(get(std::as_writable_bytes(std::span(&user, 1)), frame_at + offsetof(SignalFrame, user)));
  TRY(restore_signal_records(state, frame_at + records_at));
  std::memcpy(registers.x, user.context.x, sizeof(registers.x));
  registers.set_stack_pointer(user.context.sp);
  registers.set_program_counter(user.context.pc);
  registers.set_flags(user.context.pstate);
  registers.set_system_call_number(-1);
  LinuxSignalReturn result;
  result.blocked = user.blocked;
  result.alternate = {user.stack_base, user.stack_flags, user.stack_size};
  return result;
}

}  // namespace arch
