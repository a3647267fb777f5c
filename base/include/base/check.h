// Checks of our own assumptions. Input from outside never reaches one: it gets an Errno.
//
//   verify(condition)        always checked; failure is a panic that names the place
//   debug_verify(condition)  checked in debug builds only (the argument is still evaluated: keep it cheap)
//   unreachable("text")      a place control cannot come to
#pragma once

#ifndef NOS_DEBUG
#define NOS_DEBUG 0
#endif

// Supplied by the kernel (core/init/panic) and, on the host, by base/src/host_panic.cpp.
extern "C" [[noreturn]] void kernel_check_failed(const char* message, const char* file, int line) noexcept;

namespace base {

inline constexpr bool debug_build = NOS_DEBUG != 0;

constexpr void verify(bool condition, const char* message = "check failed",
                      const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (!condition) [[unlikely]]
    kernel_check_failed(message, file, line);
}

constexpr void debug_verify(bool condition, const char* message = "check failed",
                            const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if constexpr (debug_build) verify(condition, message, file, line);
}

[[noreturn]] inline void unreachable(const char* message = "unreachable", const char* file = __builtin_FILE(),
                                     int line = __builtin_LINE()) {
  kernel_check_failed(message, file, line);
}

}  // namespace base
