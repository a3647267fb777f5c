// ptrace on RISC-V: struct user_regs_struct and struct __riscv_d_ext_state, as asm/ptrace.h has them.
#include <arch/linux_trace.h>

#include <cstring>

#include <arch_impl/context.h>

namespace arch {
namespace {

constexpr std::size_t general_size = 32 * 8, floating_point_size = 33 * 8;

std::byte* place_of(TracedThread thread, unsigned note) {
  if (note == linux_note_general) return reinterpret_cast<std::byte*>(&thread.registers);
  return reinterpret_cast<std::byte*>(thread.state.frozen);
}

}  // namespace

LinuxRegisterSet linux_register_set(unsigned note) {
  switch (note) {
    case linux_note_general:
      return {general_size, 8};
    case linux_note_floating_point:
      return {floating_point_size, 8};
    default:
      return {};
  }
}

std::span<const LinuxCoreNote> linux_core_notes() {
  static constexpr LinuxCoreNote notes[] = {{"CORE", linux_note_floating_point}};
  return notes;
}

base::Result<void> read_linux_registers(TracedThread thread, unsigned note, std::span<std::byte> bytes) {
  if (bytes.size() > linux_register_set(note).size) return base::error(base::Errno::einval);
  std::memcpy(bytes.data(), place_of(thread, note), bytes.size());
  return {};
}

base::Result<void> write_linux_registers(TracedThread thread, unsigned note,
                                         std::span<const std::byte> bytes) {
  if (bytes.size() > linux_register_set(note).size) return base::error(base::Errno::einval);
  std::memcpy(place_of(thread, note), bytes.data(), bytes.size());
  if (note == linux_note_floating_point) thread.state.frozen->control &= 0xff;
  return {};
}

// Only register sets: there are no such requests on this architecture.
base::Result<std::uint64_t> peek_linux_user(TracedThread, std::uintptr_t) {
  return base::error(base::Errno::eio);
}
base::Result<void> poke_linux_user(TracedThread, std::uintptr_t, std::uint64_t) {
  return base::error(base::Errno::eio);
}
base::Result<LinuxRegisterRequest> linux_register_request(long) { return base::error(base::Errno::eio); }
base::Result<long> linux_own_trace_request(TracedThread, long, std::uintptr_t, std::uintptr_t) {
  return base::error(base::Errno::eio);
}

// As on Linux: debuggers put break points behind the instruction.
bool linux_has_single_step() { return false; }
void set_linux_single_step(TracedThread, bool) {}

void begin_traced_system_call(UserRegisters& registers) {
  registers.set_result(static_cast<std::uint64_t>(-static_cast<long>(base::Errno::enosys)));
}

void roll_back_system_call(UserRegisters& registers) { registers.set_result(registers.original_a0); }

std::uint32_t linux_audit_architecture() { return 0xc00000f3; }

}  // namespace arch
