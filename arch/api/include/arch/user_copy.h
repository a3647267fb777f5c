// The only instructions that touch user memory. core/memory/user_copy.h is the interface for everybody else.
//
// A fault inside one of these is first offered to core::handle_kernel_fault_on_user_address()
// (arch/upcalls.h), unless preemption or interrupts are off; if that cannot help, the function returns early.
// The window through which the kernel may access user pages is open only inside. Callers have checked that
// the range lies below user_address_limit.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"

namespace arch {

// Return the number of bytes NOT copied: 0 is success.
[[nodiscard]] std::size_t copy_to_user_raw(std::uintptr_t to, const void* from, std::size_t size);
[[nodiscard]] std::size_t copy_from_user_raw(void* to, std::uintptr_t from, std::size_t size);
[[nodiscard]] std::size_t clear_user_raw(std::uintptr_t to, std::size_t size);
// Copies up to `limit` bytes or through the first zero byte, whichever comes first. Returns the number of
// bytes before the zero, `limit` if there was none, or -1 after a fault.
[[nodiscard]] std::ptrdiff_t copy_string_from_user_raw(char* to, std::uintptr_t from, std::size_t limit);

// Atomic operations for futexes; EFAULT after a fault. Addresses are aligned.
base::Result<std::uint32_t> user_load32(std::uintptr_t address);
base::Result<std::uint64_t> user_load64(std::uintptr_t address);
base::Result<void> user_store32(std::uintptr_t address, std::uint32_t value);
base::Result<void> user_store64(std::uintptr_t address, std::uint64_t value);
// Returns the value found: the exchange happened if it equals `expected`.
base::Result<std::uint32_t> user_compare_exchange32(std::uintptr_t address, std::uint32_t expected,
                                                    std::uint32_t desired);
enum class UserAtomic : unsigned { exchange, add, bit_or, bit_and_not, bit_xor };
// Returns the value before.
base::Result<std::uint32_t> user_atomic32(std::uintptr_t address, UserAtomic operation,
                                          std::uint32_t operand);

}  // namespace arch
