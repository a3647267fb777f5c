#include "id_registers.h"

#include "aarch64/features.h"
#include "aarch64/registers.h"
#include "core/memory/user_copy.h"

namespace arch {
namespace {

// A register by the numbers of its name S3_0_C0_C<m>_<second>.
struct Read {
  unsigned m, second, target;
};

std::optional<Read> decode_syndrome(std::uint64_t syndrome) {
  // Op0 3, Op1 0, CRn 0, a read.
  constexpr std::uint64_t fixed_mask = 3 << 20 | 7 << 14 | 15 << 10 | 1, fixed = 3 << 20 | 1;
  if ((syndrome & fixed_mask) != fixed) return std::nullopt;
  return Read{static_cast<unsigned>(syndrome >> 1 & 15), static_cast<unsigned>(syndrome >> 17 & 7),
              static_cast<unsigned>(syndrome >> 5 & 31)};
}

// Before FEAT_IDST the processor says only that the instruction is undefined.
std::optional<Read> decode_instruction(std::uintptr_t at) {
  std::uint32_t instruction;
  if (!core::copy_from_user(std::as_writable_bytes(std::span(&instruction, 1)), core::UserAddress(at)))
    return std::nullopt;
  if ((instruction & 0xfffff000) != 0xd5380000) return std::nullopt;
  return Read{instruction >> 8 & 15, instruction >> 5 & 7, instruction & 31};
}

// What Linux shows (Documentation/arch/arm64/cpu-feature-registers.rst): fields of what programs can use. The
// others have the value of a processor without.
std::optional<std::uint64_t> value_of(const Read& read) {
  const CpuFeatures& f = cpu_features();
  constexpr unsigned identification = 0, first_feature = 2, last_feature = 7;
  if (read.m == identification) {
    if (read.second == 0) return NOS_READ_REGISTER("midr_el1");  // SAFETY: only read
    if (read.second == 5) return std::uint64_t{1} << 31;         // MPIDR: nothing of the topology
    if (read.second == 6) return NOS_READ_REGISTER("revidr_el1");
    return std::nullopt;
  }
  if (read.m < first_feature || read.m > last_feature) return std::nullopt;
  switch (read.m << 4 | read.second) {
    case 0x40:  // ID_AA64PFR0; user and kernel code are AArch64
      return (f.processor[0] & 0x000f'000f'00ff'0000) | 0x11;
    case 0x41:  // ID_AA64PFR1
      return f.processor[1] & 0xff;
    case 0x44:  // ID_AA64ZFR0
      return f.vectors & 0x0ff0'ff0f'00ff'00ff;
    case 0x50:  // ID_AA64DFR0: the debug architecture of version 8
      return 6;
    case 0x60:  // ID_AA64ISAR0
      return f.instruction_set[0] & 0xf0ff'ffff'f0ff'fff0;
    case 0x61:
      return f.instruction_set[1] & 0x00ff'f0ff'ffff'ffff;
    case 0x62:
      return f.instruction_set[2] & 0x00ff'0000'00f0'ffff;
    case 0x70:  // ID_AA64MMFR0; no page size but that of 4 KiB is told
      return (f.memory[0] & 0xf000'0000'0000'0000) | 0xff00'0000;
    case 0x71:
      return f.memory[1] & 0x0000'f000'0000'0000;
    case 0x72:
      return f.memory[2] & 0x0000'000f'0000'0000;
    default:
      return 0;
  }
}

}  // namespace

bool emulate_id_register_read(TrapFrame& frame, std::uint64_t syndrome) {
  TrapClass trap = class_of(syndrome);
  auto read = trap == TrapClass::system_register ? decode_syndrome(syndrome)
              : trap == TrapClass::unknown       ? decode_instruction(frame.pc)
                                                 : std::nullopt;
  auto value = read ? value_of(*read) : std::nullopt;
  if (!value) return false;
  if (read->target < 31) frame.x[read->target] = *value;
  frame.pc += 4;
  frame.pstate &= ~UserRegisters::branch_type;
  // A step over the instruction is done.
  frame.set_single_step(false);
  return true;
}

}  // namespace arch
