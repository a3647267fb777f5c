// ptrace on AArch64: struct user_pt_regs, struct user_fpsimd_state, the thread pointer and the number of the
// system call, as asm/ptrace.h and elf.h have them.
#include <arch/linux_trace.h>

#include <cstring>

#include <arch_impl/context.h>

namespace arch {
namespace {

constexpr unsigned note_thread_pointer = 0x401, note_system_call = 0x404;
constexpr std::size_t general_size = 34 * 8, floating_point_size = 528;

// The start of the object with that note; sets lie in memory as the notes have them.
std::byte* place_of(TracedThread thread, unsigned note) {
  switch (note) {
    case linux_note_general:
      return reinterpret_cast<std::byte*>(thread.registers.x);
    case linux_note_floating_point:
      return reinterpret_cast<std::byte*>(thread.state.frozen);
    case note_thread_pointer:
      return reinterpret_cast<std::byte*>(&thread.state.thread_pointer);
    default:
      return nullptr;
  }
}

}  // namespace

LinuxRegisterSet linux_register_set(unsigned note) {
  switch (note) {
    case linux_note_general:
      return {general_size, 8};
    case linux_note_floating_point:
      return {floating_point_size, 4};
    case note_thread_pointer:
      return {8, 8};
    case note_system_call:
      return {4, 4};
    default:
      return {};
  }
}

std::span<const LinuxCoreNote> linux_core_notes() {
  static constexpr LinuxCoreNote notes[] = {
      {"CORE", linux_note_floating_point}, {"LINUX", note_thread_pointer}, {"LINUX", note_system_call}};
  return notes;
}

base::Result<void> read_linux_registers(TracedThread thread, unsigned note, std::span<std::byte> bytes) {
  if (bytes.size() > linux_register_set(note).size) return base::error(base::Errno::einval);
  auto number = static_cast<std::int32_t>(thread.registers.number);
  const std::byte* from =
      note == note_system_call ? reinterpret_cast<const std::byte*>(&number) : place_of(thread, note);
  std::memcpy(bytes.data(), from, bytes.size());
  return {};
}

base::Result<void> write_linux_registers(TracedThread thread, unsigned note,
                                         std::span<const std::byte> bytes) {
  if (bytes.size() > linux_register_set(note).size) return base::error(base::Errno::einval);
  if (note == note_system_call) {
    std::int32_t number;
    if (bytes.size() != sizeof(number)) return base::error(base::Errno::einval);
    std::memcpy(&number, bytes.data(), sizeof(number));
    thread.registers.set_system_call_number(number);
    return {};
  }
  if (note == linux_note_general) {
    UserRegisters changed = thread.registers;
    std::memcpy(changed.x, bytes.data(), bytes.size());
    if (changed.pstate & ~(UserRegisters::user_flags | std::uint64_t{1} << 21))
      return base::error(base::Errno::einval);
    bool first_argument = changed.x[0] != thread.registers.x[0] && thread.registers.number >= 0;
    thread.registers = changed;
    if (first_argument) thread.registers.original_x0 = changed.x[0];
    return {};
  }
  std::memcpy(place_of(thread, note), bytes.data(), bytes.size());
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

// The processor can, but nothing switches it on for user code yet.
bool linux_has_single_step() { return false; }
void set_linux_single_step(TracedThread, bool) {}

// The result's register is the first argument's: it stays.
void begin_traced_system_call(UserRegisters&) {}

void roll_back_system_call(UserRegisters& registers) { registers.set_result(registers.original_x0); }

std::uint32_t linux_audit_architecture() { return 0xc00000b7; }

}  // namespace arch
