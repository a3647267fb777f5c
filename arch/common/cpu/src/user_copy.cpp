#include <arch/user_copy.h>

// Each architecture's user_copy.S.
extern "C" {
std::size_t arch_copy_to_user(void* to, const void* from, std::size_t size);
std::size_t arch_copy_from_user(void* to, const void* from, std::size_t size);
std::size_t arch_clear_user(void* to, std::size_t size);
std::ptrdiff_t arch_copy_user_string(char* to, const char* from, std::size_t limit);
// 0: done, 1: fault, 2: too many others at the same time. *value gets what was there.
int arch_user_load32(std::uintptr_t address, std::uint32_t* value);
int arch_user_load64(std::uintptr_t address, std::uint64_t* value);
int arch_user_store32(std::uintptr_t address, void* unused, std::uint32_t value);
int arch_user_store64(std::uintptr_t address, void* unused, std::uint64_t value);
int arch_user_compare_exchange32(std::uintptr_t address, std::uint32_t* value, std::uint32_t desired);
int arch_user_exchange32(std::uintptr_t address, std::uint32_t* value, std::uint32_t operand);
int arch_user_add32(std::uintptr_t address, std::uint32_t* value, std::uint32_t operand);
int arch_user_or32(std::uintptr_t address, std::uint32_t* value, std::uint32_t operand);
int arch_user_and_not32(std::uintptr_t address, std::uint32_t* value, std::uint32_t operand);
int arch_user_xor32(std::uintptr_t address, std::uint32_t* value, std::uint32_t operand);
}

namespace arch {

// SAFETY (this file): user addresses become pointers only as operands of the instructions in user_copy.S.
std::size_t copy_to_user_raw(std::uintptr_t to, const void* from, std::size_t size) {
  return arch_copy_to_user(reinterpret_cast<void*>(to), from, size);
}
std::size_t copy_from_user_raw(void* to, std::uintptr_t from, std::size_t size) {
  return arch_copy_from_user(to, reinterpret_cast<const void*>(from), size);
}
std::size_t clear_user_raw(std::uintptr_t to, std::size_t size) {
  return arch_clear_user(reinterpret_cast<void*>(to), size);
}
std::ptrdiff_t copy_string_from_user_raw(char* to, std::uintptr_t from, std::size_t limit) {
  return arch_copy_user_string(to, reinterpret_cast<const char*>(from), limit);
}

namespace {

base::Result<void> outcome(int status) {
  if (status == 1) return base::error(base::Errno::efault);
  if (status == 2) return base::error(base::Errno::eagain);
  return {};
}

}  // namespace

base::Result<std::uint32_t> user_load32(std::uintptr_t address) {
  std::uint32_t value = 0;
  TRY(outcome(arch_user_load32(address, &value)));
  return value;
}
base::Result<std::uint64_t> user_load64(std::uintptr_t address) {
  std::uint64_t value = 0;
  TRY(outcome(arch_user_load64(address, &value)));
  return value;
}
base::Result<void> user_store32(std::uintptr_t address, std::uint32_t value) {
  return outcome(arch_user_store32(address, nullptr, value));
}
base::Result<void> user_store64(std::uintptr_t address, std::uint64_t value) {
  return outcome(arch_user_store64(address, nullptr, value));
}
base::Result<std::uint32_t> user_compare_exchange32(std::uintptr_t address, std::uint32_t expected,
                                                    std::uint32_t desired) {
  TRY(outcome(arch_user_compare_exchange32(address, &expected, desired)));
  return expected;
}

base::Result<std::uint32_t> user_atomic32(std::uintptr_t address, UserAtomic operation,
                                          std::uint32_t operand) {
  std::uint32_t found = 0;
  switch (operation) {
    case UserAtomic::exchange:
      TRY(outcome(arch_user_exchange32(address, &found, operand)));
      break;
    case UserAtomic::add:
      TRY(outcome(arch_user_add32(address, &found, operand)));
      break;
    case UserAtomic::bit_or:
      TRY(outcome(arch_user_or32(address, &found, operand)));
      break;
    case UserAtomic::bit_and_not:
      TRY(outcome(arch_user_and_not32(address, &found, operand)));
      break;
    case UserAtomic::bit_xor:
      TRY(outcome(arch_user_xor32(address, &found, operand)));
      break;
  }
  return found;
}

}  // namespace arch
