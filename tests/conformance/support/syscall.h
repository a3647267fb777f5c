// System calls without a C library in between: pointers that the library would refuse or touch
// itself, flags it would hide, calls it has no wrapper for.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <type_traits>

namespace conformance {

template <typename T>
long syscall_argument(const T& value) {
  if constexpr (std::is_convertible_v<T, const char*>) {
    return reinterpret_cast<long>(static_cast<const char*>(value));
  } else if constexpr (std::is_pointer_v<std::decay_t<T>>) {
    return (long)value;  // A C cast: arrays and functions decay.
  } else {
    return static_cast<long>(value);
  }
}

// sys(SYS_read, fd, buffer, 10): returns -1 and sets errno like any wrapper.
template <typename... Arguments>
long sys(long number, const Arguments&... arguments) {
  return syscall(number, syscall_argument(arguments)...);
}

}  // namespace conformance
