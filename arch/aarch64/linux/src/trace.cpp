// ptrace on AArch64: struct user_pt_regs, struct user_fpsimd_state, the thread pointer, the number of the
// system call, and what pointer authentication and the debug registers have (trace_debug.cpp), as
// asm/ptrace.h and elf.h have them.
#include <arch/linux_trace.h>

#include <cstring>

#include <arch_impl/context.h>

#include "aarch64/debugging.h"
#include "aarch64/pointer_keys.h"
#include "trace_debug.h"
#include "trace_vectors.h"

namespace arch {
namespace {

constexpr unsigned note_thread_pointer = 0x401, note_system_call = 0x404, note_pointer_mask = 0x406,
                   note_enabled_keys = 0x40a;
constexpr std::size_t general_size = 34 * 8, floating_point_size = 528;

// The bits of a pointer that hold its signature, for data and for code: from the highest of an address to the
// tag.
constexpr std::uint64_t pointer_masks[2] = {0x007f'0000'0000'0000, 0x007f'0000'0000'0000};

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
    case note_break_points:
    case note_watch_points:
      return {sizeof(LinuxDebugState), 4};
    case note_scalable_vectors:
      return {most_vector_state(), 16};
    case note_pointer_mask:
      return known_pointer_keys() & address_keys ? LinuxRegisterSet{sizeof(pointer_masks), 8}
                                                 : LinuxRegisterSet{};
    case note_enabled_keys:
      return known_pointer_keys() & address_keys ? LinuxRegisterSet{8, 8} : LinuxRegisterSet{};
    default:
      return {};
  }
}

std::size_t linux_register_set_size(TracedThread thread, unsigned note) {
  return note == note_scalable_vectors ? vector_state_size(thread.state) : linux_register_set(note).size;
}

std::span<const LinuxCoreNote> linux_core_notes() {
  static constexpr LinuxCoreNote notes[] = {
      {"CORE", linux_note_floating_point}, {"LINUX", note_thread_pointer}, {"LINUX", note_break_points},
      {"LINUX", note_watch_points},        {"LINUX", note_system_call},    {"LINUX", note_scalable_vectors},
      {"LINUX", note_pointer_mask},        {"LINUX", note_enabled_keys}};
  return notes;
}

base::Result<void> read_linux_registers(TracedThread thread, unsigned note, std::span<std::byte> bytes) {
  auto number = static_cast<std::int32_t>(thread.registers.number);
  std::uint64_t enabled = thread.state.enabled_keys;
  LinuxDebugState debug;
  const void* from;
  switch (note) {
    case note_system_call:
      from = &number;
      break;
    case note_pointer_mask:
      from = pointer_masks;
      break;
    case note_enabled_keys:
      from = &enabled;
      break;
    case note_break_points:
    case note_watch_points:
      debug = read_debug_state(thread.state, note);
      from = &debug;
      break;
    case note_scalable_vectors:
      read_vector_state(thread.state, bytes);
      return {};
    default:
      from = place_of(thread, note);
  }
  std::memcpy(bytes.data(), from, bytes.size());
  return {};
}

namespace {

base::Result<void> write_system_call(TracedThread thread, std::span<const std::byte> bytes) {
  std::int32_t number;
  if (bytes.size() != sizeof(number)) return base::error(base::Errno::einval);
  std::memcpy(&number, bytes.data(), sizeof(number));
  thread.registers.set_system_call_number(number);
  return {};
}

base::Result<void> write_general(TracedThread thread, std::span<const std::byte> bytes) {
  UserRegisters changed = thread.registers;
  std::memcpy(changed.x, bytes.data(), bytes.size());
  if (changed.pstate & ~(UserRegisters::user_flags | std::uint64_t{1} << 21))
    return base::error(base::Errno::einval);
  bool first_argument = changed.x[0] != thread.registers.x[0] && thread.registers.number >= 0;
  thread.registers = changed;
  if (first_argument) thread.registers.original_x0 = changed.x[0];
  return {};
}

base::Result<void> write_enabled_keys(TracedThread thread, std::span<const std::byte> bytes) {
  std::uint64_t enabled;
  if (bytes.size() != sizeof(enabled)) return base::error(base::Errno::einval);
  std::memcpy(&enabled, bytes.data(), sizeof(enabled));
  if (enabled & ~std::uint64_t{address_keys}) return base::error(base::Errno::einval);
  thread.state.enabled_keys = static_cast<std::uint8_t>(enabled);
  return {};
}

}  // namespace

base::Result<void> write_linux_registers(TracedThread thread, unsigned note,
                                         std::span<const std::byte> bytes) {
  switch (note) {
    case note_system_call:
      return write_system_call(thread, bytes);
    case linux_note_general:
      return write_general(thread, bytes);
    case note_pointer_mask:
      return base::error(base::Errno::eopnotsupp);
    case note_enabled_keys:
      return write_enabled_keys(thread, bytes);
    case note_break_points:
    case note_watch_points:
      return write_debug_state(thread.state, note, bytes);
    case note_scalable_vectors:
      return write_vector_state(thread.state, bytes);
    case linux_note_floating_point:
      // As on Linux, scalable vectors become those that the V registers are the low halves of.
      std::memcpy(place_of(thread, note), bytes.data(), bytes.size());
      return {};
    default:
      std::memcpy(place_of(thread, note), bytes.data(), bytes.size());
      return {};
  }
}

bool linux_has_single_step() { return true; }
void set_linux_single_step(TracedThread thread, bool on) {
  thread.registers.set_single_step(on);
  set_single_step(thread.state, on);
}

// The result's register is the first argument's: it stays.
void begin_traced_system_call(UserRegisters&) {}

void roll_back_system_call(UserRegisters& registers) { registers.set_result(registers.original_x0); }

std::uint32_t linux_audit_architecture() { return 0xc00000b7; }

}  // namespace arch
