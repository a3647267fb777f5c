// ptrace on x86-64: struct user_regs_struct, struct user and the XSAVE area, as sys/user.h and elf.h have
// them.
#include <arch/linux_trace.h>

#include <cstring>

#include <arch/cpu.h>
#include <arch/page_table.h>
#include <arch_impl/context.h>

#include "core/memory/user_copy.h"
#include "general_registers.h"
#include "x86_64/extended_state.h"
#include "x86_64/features.h"

namespace arch {
namespace {

struct GeneralRegisters {
  std::uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, original_rax, rip,
      cs, flags, rsp, ss, fs_base, gs_base, ds, es, fs, gs;
};
static_assert(sizeof(GeneralRegisters) == 216);

constexpr unsigned note_extended = 0x202;
constexpr std::size_t legacy_size = 512, components_at = 464;
// struct user
constexpr std::size_t user_size = 928, user_debug_at = 848;

std::size_t extended_size() { return cpu_features().xsave ? cpu_features().extended_size : 0; }

GeneralRegisters general_of(TracedThread thread) {
  const UserRegisters& r = thread.registers;
  GeneralRegisters general{};
  copy_general_registers(general, r);
  general.original_rax = r.original_rax;
  general.cs = SELECTOR_USER_CODE;
  general.flags = r.flags;
  general.ss = SELECTOR_USER_DATA;
  general.fs_base = thread.state.fs_base;
  general.gs_base = thread.state.gs_base;
  return general;
}

base::Result<void> set_general(TracedThread thread, const GeneralRegisters& g) {
  // Selectors other than those every program has do not exist here.
  if (g.cs != SELECTOR_USER_CODE || g.ss != SELECTOR_USER_DATA || g.fs_base >= user_address_limit ||
      g.gs_base >= user_address_limit || g.ds || g.es || g.fs || g.gs)
    return base::error(base::Errno::eio);
  UserRegisters& r = thread.registers;
  copy_general_registers(r, g);
  r.original_rax = g.original_rax;
  r.set_program_counter(g.rip);
  r.set_flags(g.flags);
  thread.state.fs_base = g.fs_base;
  thread.state.gs_base = g.gs_base;
  return {};
}

std::byte* area_of(TracedThread thread) { return thread.state.frozen; }

// The mark of what is in the area: components in their initial state need not be there.
std::uint64_t components_in(const std::byte* area) {
  std::uint64_t bits;
  std::memcpy(&bits, area + legacy_size, sizeof(bits));
  return bits;
}
void set_components_in(std::byte* area, std::uint64_t bits) {
  std::memcpy(area + legacy_size, &bits, sizeof(bits));
}

base::Result<void> check_simd_control(std::span<const std::byte> bytes) {
  std::uint32_t control;
  if (bytes.size() < 28) return {};
  std::memcpy(&control, bytes.data() + 24, sizeof(control));
  if (control & ~0xffffu) return base::error(base::Errno::einval);
  return {};
}

base::Result<void> set_legacy(TracedThread thread, std::span<const std::byte> bytes) {
  TRY(check_simd_control(bytes));
  std::byte* area = area_of(thread);
  std::memcpy(area, bytes.data(), bytes.size());
  if (cpu_features().xsave) set_components_in(area, components_in(area) | 3);
  return {};
}

base::Result<void> set_extended(TracedThread thread, std::span<const std::byte> bytes) {
  if (bytes.size() != extended_size()) return base::error(base::Errno::efault);
  TRY(check_simd_control(bytes));
  std::uint64_t header[8];
  std::memcpy(header, bytes.data() + legacy_size, sizeof(header));
  if (header[0] & ~cpu_features().extended_components) return base::error(base::Errno::einval);
  for (unsigned i = 1; i < 8; ++i)
    if (header[i]) return base::error(base::Errno::einval);
  std::memcpy(area_of(thread), bytes.data(), bytes.size());
  return {};
}

// --- Debug registers

// Reserved bits, and the trap on access to the debug registers themselves.
constexpr std::uint64_t debug_control_reserved = 0xffffffff0000fc00;
// Bits of DR6 that are one while nothing has happened; kept the other way round.
constexpr std::uint64_t debug_status_idle = 0xffff0ff0;

unsigned length_of(std::uint64_t control, unsigned index) {
  constexpr unsigned lengths[] = {1, 2, 8, 4};
  return lengths[control >> (18 + index * 4) & 3];
}
unsigned kind_of(std::uint64_t control, unsigned index) { return control >> (16 + index * 4) & 3; }
bool is_enabled(std::uint64_t control, unsigned index) { return control >> (index * 2) & 3; }

bool is_valid(const DebugRegisters& debug) {
  for (unsigned i = 0; i < 4; ++i) {
    if (!is_enabled(debug.control, i)) continue;
    unsigned length = length_of(debug.control, i), kind = kind_of(debug.control, i);
    if (kind == 2 || (kind == 0 && length != 1)) return false;
    if (debug.address[i] & (length - 1) || debug.address[i] >= user_address_limit - 7) return false;
  }
  return true;
}

base::Result<void> set_debug_word(TracedThread thread, unsigned index, std::uint64_t value) {
  DebugRegisters changed = thread.state.debug;
  if (index < 4)
    changed.address[index] = value;
  else if (index == 6)
    changed.status = value ^ debug_status_idle;
  else if (index == 7)
    changed.control = value & ~debug_control_reserved;
  else
    return base::error(base::Errno::eio);
  if (index < 4 && value >= user_address_limit) return base::error(base::Errno::eio);
  if (!is_valid(changed)) return base::error(base::Errno::einval);
  thread.state.debug = changed;
  thread.state.debug_changed = true;
  return {};
}

std::uint64_t debug_word(TracedThread thread, unsigned index) {
  const DebugRegisters& debug = thread.state.debug;
  if (index < 4) return debug.address[index];
  if (index == 6) return debug.status ^ debug_status_idle;
  return index == 7 ? debug.control : 0;
}

}  // namespace

LinuxRegisterSet linux_register_set(unsigned note) {
  switch (note) {
    case linux_note_general:
      return {sizeof(GeneralRegisters), 8};
    case linux_note_floating_point:
      return {legacy_size, 8};
    case note_extended:
      return {extended_size(), 8};
    default:
      return {};
  }
}

std::size_t linux_register_set_size(TracedThread, unsigned note) { return linux_register_set(note).size; }

std::span<const LinuxCoreNote> linux_core_notes() {
  static constexpr LinuxCoreNote notes[] = {{"CORE", linux_note_floating_point}, {"LINUX", note_extended}};
  return notes;
}

base::Result<void> read_linux_registers(TracedThread thread, unsigned note, std::span<std::byte> bytes) {
  if (note == linux_note_general) {
    GeneralRegisters general = general_of(thread);
    std::memcpy(bytes.data(), &general, bytes.size());
    return {};
  }
  std::byte* area = area_of(thread);
  std::uint64_t components = cpu_features().extended_components;
  // The words that belong to software: which components the system has.
  std::memset(area + components_at, 0, legacy_size - components_at);
  if (note == note_extended) std::memcpy(area + components_at, &components, sizeof(components));
  std::memcpy(bytes.data(), area, bytes.size());
  return {};
}

base::Result<void> write_linux_registers(TracedThread thread, unsigned note,
                                         std::span<const std::byte> bytes) {
  if (note == linux_note_floating_point) return set_legacy(thread, bytes);
  if (note == note_extended) return set_extended(thread, bytes);
  GeneralRegisters general = general_of(thread);
  std::memcpy(&general, bytes.data(), bytes.size());
  return set_general(thread, general);
}

base::Result<std::uint64_t> peek_linux_user(TracedThread thread, std::uintptr_t offset) {
  if (offset & 7 || offset >= user_size) return base::error(base::Errno::eio);
  if (offset < sizeof(GeneralRegisters)) {
    GeneralRegisters general = general_of(thread);
    std::uint64_t value;
    std::memcpy(&value, reinterpret_cast<const std::byte*>(&general) + offset, sizeof(value));
    return value;
  }
  if (offset >= user_debug_at) return debug_word(thread, static_cast<unsigned>((offset - user_debug_at) / 8));
  return 0;
}

base::Result<void> poke_linux_user(TracedThread thread, std::uintptr_t offset, std::uint64_t value) {
  if (offset & 7 || offset >= user_size) return base::error(base::Errno::eio);
  if (offset < sizeof(GeneralRegisters)) {
    GeneralRegisters general = general_of(thread);
    std::memcpy(reinterpret_cast<std::byte*>(&general) + offset, &value, sizeof(value));
    return set_general(thread, general);
  }
  if (offset >= user_debug_at)
    return set_debug_word(thread, static_cast<unsigned>((offset - user_debug_at) / 8), value);
  return base::error(base::Errno::eio);
}

base::Result<LinuxRegisterRequest> linux_register_request(long request) {
  switch (request) {
    case 12:  // PTRACE_GETREGS
      return LinuxRegisterRequest{linux_note_general, false};
    case 13:
      return LinuxRegisterRequest{linux_note_general, true};
    case 14:  // PTRACE_GETFPREGS
      return LinuxRegisterRequest{linux_note_floating_point, false};
    case 15:
      return LinuxRegisterRequest{linux_note_floating_point, true};
    default:
      return base::error(base::Errno::eio);
  }
}

// PTRACE_ARCH_PRCTL: the value is in `address`, the operation in `data`.
base::Result<long> linux_own_trace_request(TracedThread thread, long request, std::uintptr_t address,
                                           std::uintptr_t data) {
  constexpr long arch_prctl_request = 30;
  constexpr std::uintptr_t set_gs = 0x1001, set_fs = 0x1002, get_fs = 0x1003, get_gs = 0x1004;
  if (request != arch_prctl_request) return base::error(base::Errno::eio);
  std::uint64_t& base = data == set_gs || data == get_gs ? thread.state.gs_base : thread.state.fs_base;
  switch (data) {
    case set_gs:
    case set_fs:
      if (address >= user_address_limit) return base::error(base::Errno::eperm);
      base = address;
      return 0;
    case get_fs:
    case get_gs:
      TRY(core::copy_to_user(core::UserAddress(address), std::as_bytes(std::span(&base, 1))));
      return 0;
    default:
      return base::error(base::Errno::einval);
  }
}

bool linux_has_single_step() { return true; }
void set_linux_single_step(TracedThread thread, bool on) { thread.registers.set_single_step(on); }

void begin_traced_system_call(UserRegisters& registers) {
  registers.set_result(static_cast<std::uint64_t>(-static_cast<long>(base::Errno::enosys)));
}

void roll_back_system_call(UserRegisters& registers) { registers.set_result(registers.original_rax); }

std::uint32_t linux_audit_architecture() { return 0xc000003e; }

}  // namespace arch
