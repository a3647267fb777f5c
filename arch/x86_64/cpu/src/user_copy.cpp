#include <arch/user_copy.h>

#include "x86_64/features.h"
#include "x86_64/registers.h"
#include "x86_64/user_access.h"

extern "C" {
// Read by user_copy.S and string.S: "rep movsb" is at least as fast as wider moves (ERMS or FSRM).
constinit bool arch_fast_string_bytes = false;
extern const std::int32_t __smap_sites_start[], __smap_sites_end[];
int arch_user_compare_exchange32(std::uintptr_t address, std::uint32_t* value, std::uint32_t desired);
int arch_user_load32(std::uintptr_t address, std::uint32_t* value);
int arch_user_or32(std::uintptr_t address, std::uint32_t* value, std::uint32_t operand);
int arch_user_and_not32(std::uintptr_t address, std::uint32_t* value, std::uint32_t operand);
int arch_user_xor32(std::uintptr_t address, std::uint32_t* value, std::uint32_t operand);
}

namespace {

// QEMU's emulator carries a string instruction out step by step: by words there are an eighth as many.
bool is_stepped() {
  if (!arch::cpu_features().hypervisor) return false;
  arch::CpuId signature = arch::cpuid(0x40000000);
  return signature.ebx == 0x54474354 && signature.ecx == 0x43544743 &&
         signature.edx == 0x47435447;  // TCGTCGTCGTCG
}

// What no single instruction does. A program can make this fail as often as it likes, so the number of
// attempts is bounded (Linux: 128, EAGAIN).
int update(std::uintptr_t address, std::uint32_t* value, auto&& desired) {
  if (arch_user_load32(address, value)) return 1;
  for (unsigned attempt = 0; attempt < 128; ++attempt) {
    std::uint32_t expected = *value;
    if (arch_user_compare_exchange32(address, value, desired(expected))) return 1;
    if (*value == expected) return 0;
  }
  return 2;
}

}  // namespace

int arch_user_or32(std::uintptr_t address, std::uint32_t* value, std::uint32_t operand) {
  return update(address, value, [operand](std::uint32_t found) { return found | operand; });
}
int arch_user_and_not32(std::uintptr_t address, std::uint32_t* value, std::uint32_t operand) {
  return update(address, value, [operand](std::uint32_t found) { return found & ~operand; });
}
int arch_user_xor32(std::uintptr_t address, std::uint32_t* value, std::uint32_t operand) {
  return update(address, value, [operand](std::uint32_t found) { return found ^ operand; });
}

namespace arch {

// Boot, while code is still writable.
void prepare_user_access() {
  arch_fast_string_bytes = (cpu_features().erms || cpu_features().fsrm) && !is_stepped();
  if (cpu_features().smap) return;
  for (const std::int32_t* site = __smap_sites_start; site != __smap_sites_end; ++site) {
    // SAFETY: the three bytes of STAC or CLAC, overwritten by a three-byte NOP.
    auto* code = reinterpret_cast<std::uint8_t*>(reinterpret_cast<std::uintptr_t>(site) +
                                                 static_cast<std::uintptr_t>(std::intptr_t{*site}));
    code[0] = 0x0f;
    code[1] = 0x1f;
    code[2] = 0x00;
  }
}

}  // namespace arch
