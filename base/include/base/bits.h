// Alignment and checked arithmetic.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace base {

inline constexpr std::size_t KiB = 1024, MiB = 1024 * KiB, GiB = 1024 * MiB;

// `alignment` is a power of two.
template <std::unsigned_integral T>
constexpr T align_down(T value, T alignment) {
  return value & ~(alignment - 1);
}
template <std::unsigned_integral T>
constexpr T align_up(T value, T alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}
template <std::unsigned_integral T>
constexpr bool is_aligned(T value, T alignment) {
  return (value & (alignment - 1)) == 0;
}
template <std::unsigned_integral T>
constexpr bool is_power_of_two(T value) {
  return value && !(value & (value - 1));
}
template <std::unsigned_integral T>
constexpr T divide_round_up(T value, T divisor) {
  return value / divisor + (value % divisor != 0);
}

// Nothing on overflow.
template <std::integral T>
constexpr std::optional<T> checked_add(T a, T b) {
  T sum;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}
template <std::integral T>
constexpr std::optional<T> checked_multiply(T a, T b) {
  T product;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

}  // namespace base
