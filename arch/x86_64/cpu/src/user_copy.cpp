#include <arch/user_copy.h>

#include "x86_64/features.h"
#include "x86_64/registers.h"
#include "x86_64/user_access.h"

extern "C" {
std::size_t arch_copy_user(void* to, const void* from, std::size_t size);
std::size_t arch_clear_user(void* to, std::size_t size);
std::ptrdiff_t arch_copy_user_string(char* to, const char* from, std::size_t limit);
bool arch_user_load32(std::uintptr_t address, std::uint32_t* value);
bool arch_user_load64(std::uintptr_t address, std::uint64_t* value);
bool arch_user_store32(std::uintptr_t address, void* unused, std::uint32_t value);
bool arch_user_store64(std::uintptr_t address, void* unused, std::uint64_t value);
bool arch_user_compare_exchange32(std::uintptr_t address, std::uint32_t* value, std::uint32_t desired);
bool arch_user_exchange32(std::uintptr_t address, std::uint32_t* value, std::uint32_t operand);
bool arch_user_add32(std::uintptr_t address, std::uint32_t* value, std::uint32_t operand);
// Read by user_copy.S and string.S: "rep movsb" is at least as fast as wider moves (ERMS or FSRM).
constinit bool arch_fast_string_bytes = false;
extern const std::int32_t __smap_sites_start[], __smap_sites_end[];
}

namespace arch {

// SAFETY (this file): user addresses become pointers only as operands of the instructions in user_copy.S.
std::size_t copy_to_user_raw(std::uintptr_t to, const void* from, std::size_t size) {
  return arch_copy_user(reinterpret_cast<void*>(to), from, size);
}
std::size_t copy_from_user_raw(void* to, std::uintptr_t from, std::size_t size) {
  return arch_copy_user(to, reinterpret_cast<const void*>(from), size);
}
std::size_t clear_user_raw(std::uintptr_t to, std::size_t size) {
  return arch_clear_user(reinterpret_cast<void*>(to), size);
}
std::ptrdiff_t copy_string_from_user_raw(char* to, std::uintptr_t from, std::size_t limit) {
  return arch_copy_user_string(to, reinterpret_cast<const char*>(from), limit);
}

namespace {
inline auto fault() { return base::error(base::Errno::efault); }
}  // namespace

base::Result<std::uint32_t> user_load32(std::uintptr_t address) {
  std::uint32_t value;
  if (arch_user_load32(address, &value)) return fault();
  return value;
}
base::Result<std::uint64_t> user_load64(std::uintptr_t address) {
  std::uint64_t value;
  if (arch_user_load64(address, &value)) return fault();
  return value;
}
base::Result<void> user_store32(std::uintptr_t address, std::uint32_t value) {
  if (arch_user_store32(address, nullptr, value)) return fault();
  return {};
}
base::Result<void> user_store64(std::uintptr_t address, std::uint64_t value) {
  if (arch_user_store64(address, nullptr, value)) return fault();
  return {};
}
base::Result<std::uint32_t> user_compare_exchange32(std::uintptr_t address, std::uint32_t expected,
                                                    std::uint32_t desired) {
  if (arch_user_compare_exchange32(address, &expected, desired)) return fault();
  return expected;
}

base::Result<std::uint32_t> user_atomic32(std::uintptr_t address, UserAtomic operation,
                                          std::uint32_t operand) {
  std::uint32_t found;
  if (operation == UserAtomic::exchange) {
    if (arch_user_exchange32(address, &found, operand)) return fault();
    return found;
  }
  if (operation == UserAtomic::add) {
    if (arch_user_add32(address, &found, operand)) return fault();
    return found;
  }
  found = TRY(user_load32(address));
  // A program can make this fail as often as it likes, so the number of attempts is bounded (Linux: 128,
  // EAGAIN).
  for (unsigned attempt = 0; attempt < 128; ++attempt) {
    std::uint32_t desired = operation == UserAtomic::bit_or        ? found | operand
                            : operation == UserAtomic::bit_and_not ? found & ~operand
                                                                   : found ^ operand;
    std::uint32_t now = TRY(user_compare_exchange32(address, found, desired));
    if (now == found) return found;
    found = now;
  }
  return base::error(base::Errno::eagain);
}

// Boot, while code is still writable.
void prepare_user_access() {
  arch_fast_string_bytes = cpu_features().erms || cpu_features().fsrm;
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
