#include "trace_debug.h"

#include <bit>
#include <cstring>
#include <new>

#include <arch/page_table.h>

#include "aarch64/debugging.h"

namespace arch {
namespace {

using base::Errno;

// The control word, in Linux's form and in the processor's: enabled, who (2: user code), what (0 execution,
// else loads and stores), and a bit for each byte from the address on.
constexpr std::uint32_t enabled_bit = 1, user_code = 2 << 1;
constexpr unsigned kind_shift = 3, bytes_shift = 5;

struct Kind {
  bool executes;
  unsigned count;
  DebugRegister* (*registers)(DebugRegisters&);
};
Kind kind_of(unsigned note) {
  if (note == note_break_points)
    return {true, break_point_count(), [](DebugRegisters& all) { return all.break_points; }};
  return {false, watch_point_count(), [](DebugRegisters& all) { return all.watch_points; }};
}

base::Result<DebugRegister> checked(std::uint64_t address, std::uint32_t control, bool executes) {
  unsigned kind = control >> kind_shift & 3, bytes = control >> bytes_shift & 0xff;
  if (!(control & enabled_bit)) return DebugRegister{address, control & 0x1ffe};
  // Bytes without a gap.
  if (!bytes || !std::has_single_bit((bytes >> std::countr_zero(bytes)) + 1))
    return base::error(Errno::einval);
  if (executes != (kind == 0) || address >= user_address_limit) return base::error(Errno::einval);
  if (executes)
    return DebugRegister{address & ~std::uint64_t{3}, enabled_bit | user_code | 0xf << bytes_shift};
  unsigned first = static_cast<unsigned>(std::countr_zero(bytes)) + (address & 7);
  unsigned watched = (bytes >> std::countr_zero(bytes)) << first;
  if (watched > 0xff) return base::error(Errno::einval);
  return DebugRegister{address & ~std::uint64_t{7},
                       enabled_bit | user_code | kind << kind_shift | watched << bytes_shift};
}

}  // namespace

LinuxDebugState read_debug_state(const ThreadState& state, unsigned note) {
  Kind kind = kind_of(note);
  LinuxDebugState result;
  result.information = kind.count | debug_version() << 8;
  if (!state.debug_registers) return result;
  const DebugRegister* from = kind.registers(*state.debug_registers);
  for (unsigned i = 0; i < kind.count; ++i) {
    result.registers[i].address = from[i].address;
    result.registers[i].control = from[i].control;
  }
  return result;
}

base::Result<void> write_debug_state(ThreadState& state, unsigned note, std::span<const std::byte> bytes) {
  Kind kind = kind_of(note);
  LinuxDebugState wanted = read_debug_state(state, note);
  std::memcpy(&wanted, bytes.data(), bytes.size());
  if (!state.debug_registers) {
    state.debug_registers = new (std::nothrow) DebugRegisters;
    if (!state.debug_registers) return base::error(Errno::enomem);
  }
  DebugRegister* to = kind.registers(*state.debug_registers);
  std::size_t at = offsetof(LinuxDebugState, registers);
  for (unsigned i = 0; at < bytes.size(); ++i, at += sizeof(LinuxDebugState::Register)) {
    if (i >= kind.count) return base::error(Errno::enospc);
    to[i] = TRY(checked(wanted.registers[i].address, wanted.registers[i].control, kind.executes));
  }
  return {};
}

}  // namespace arch
