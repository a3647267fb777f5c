// ptrace on RISC-V: struct user_regs_struct and struct __riscv_d_ext_state and struct
// __riscv_v_regset_state, as asm/ptrace.h has them.
#include <arch/linux_trace.h>

#include <cstring>

#include <arch_impl/context.h>

#include "riscv64/vector.h"

namespace arch {
namespace {

constexpr unsigned note_vectors = 0x900;
constexpr std::size_t general_size = 32 * 8, floating_point_size = 33 * 8;

// Null: a thread that has used no vectors has none; linux_register_set_size() says so.
std::byte* place_of(TracedThread thread, unsigned note) {
  if (note == linux_note_general) return reinterpret_cast<std::byte*>(&thread.registers);
  if (note == note_vectors) return reinterpret_cast<std::byte*>(frozen_vectors(thread.state));
  return reinterpret_cast<std::byte*>(thread.state.frozen);
}

}  // namespace

LinuxRegisterSet linux_register_set(unsigned note) {
  switch (note) {
    case linux_note_general:
      return {general_size, 8};
    case linux_note_floating_point:
      return {floating_point_size, 8};
    case note_vectors:
      return vector_registers_size() ? LinuxRegisterSet{sizeof(VectorState) + vector_registers_size(), 4}
                                     : LinuxRegisterSet{};
    default:
      return {};
  }
}

std::size_t linux_register_set_size(TracedThread thread, unsigned note) {
  if (note == note_vectors && !frozen_vectors(thread.state)) return 0;
  return linux_register_set(note).size;
}

std::span<const LinuxCoreNote> linux_core_notes() {
  static constexpr LinuxCoreNote notes[] = {{"CORE", linux_note_floating_point}, {"LINUX", note_vectors}};
  return notes;
}

base::Result<void> read_linux_registers(TracedThread thread, unsigned note, std::span<std::byte> bytes) {
  std::memcpy(bytes.data(), place_of(thread, note), bytes.size());
  return {};
}

base::Result<void> write_linux_registers(TracedThread thread, unsigned note,
                                         std::span<const std::byte> bytes) {
  std::byte* to = place_of(thread, note);
  if (!to) return base::error(base::Errno::einval);
  // The size of the registers is the processor's.
  if (note == note_vectors && bytes.size() >= sizeof(VectorState) &&
      std::memcmp(bytes.data() + offsetof(VectorState, register_bytes),
                  to + offsetof(VectorState, register_bytes), sizeof(VectorState::register_bytes)) != 0)
    return base::error(base::Errno::einval);
  std::memcpy(to, bytes.data(), bytes.size());
  if (note == linux_note_floating_point) thread.state.frozen->control &= 0xff;
  return {};
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
