// The one error type of the kernel.
//
// A function that can fail returns Result<T>. Dropping a Result is a warning (and warnings are errors), and
// TRY() is the only way control leaves a function early because of an error: a reader who looks for failure
// paths looks for TRY.
//
//   Result<int> twice(Source& source) {
//     int value = TRY(source.read());          // returns the error of read() to our caller
//     if (value < 0) return error(Errno::einval);
//     return value * 2;
//   }
#pragma once

#include <expected>
#include <type_traits>
#include <utility>

#include "base/errno.h"

namespace base {

// std::expected, with the [[nodiscard]] that libc++ leaves off.
template <typename T>
class [[nodiscard]] Result : public std::expected<T, Errno> {
 public:
  using std::expected<T, Errno>::expected;
  Result(std::expected<T, Errno> other) : std::expected<T, Errno>(std::move(other)) {}
};

inline std::unexpected<Errno> error(Errno code) { return std::unexpected(code); }

}  // namespace base

// Unwraps a Result, or returns its error from the enclosing function.
#define TRY(...)                                                                                           \
  __extension__({                                                                                          \
    _Pragma("clang diagnostic push") _Pragma("clang diagnostic ignored \"-Wshadow\"") auto&& try_result_ = \
        (__VA_ARGS__);                                                                                     \
    _Pragma("clang diagnostic pop") if (!try_result_)                                                      \
        [[unlikely]] return ::std::unexpected(try_result_.error());                                        \
    *::std::move(try_result_);                                                                             \
  })
