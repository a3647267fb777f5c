#include <arch/user_copy.h>

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
bool arch_user_or32(std::uintptr_t address, std::uint32_t* value, std::uint32_t operand);
bool arch_user_and32(std::uintptr_t address, std::uint32_t* value, std::uint32_t operand);
bool arch_user_xor32(std::uintptr_t address, std::uint32_t* value, std::uint32_t operand);
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
  std::uint32_t found = 0;
  bool faulted = true;
  switch (operation) {
    case UserAtomic::exchange:
      faulted = arch_user_exchange32(address, &found, operand);
      break;
    case UserAtomic::add:
      faulted = arch_user_add32(address, &found, operand);
      break;
    case UserAtomic::bit_or:
      faulted = arch_user_or32(address, &found, operand);
      break;
    case UserAtomic::bit_and_not:
      faulted = arch_user_and32(address, &found, ~operand);
      break;
    case UserAtomic::bit_xor:
      faulted = arch_user_xor32(address, &found, operand);
      break;
  }
  if (faulted) return fault();
  return found;
}

}  // namespace arch
