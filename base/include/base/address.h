// Addresses as types: a physical address cannot be dereferenced by accident, nor a user address be taken for
// ours.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace base {

// Where memory is on the bus.
class PhysicalAddress {
 public:
  constexpr PhysicalAddress() = default;
  constexpr explicit PhysicalAddress(std::uint64_t value) : value_(value) {}
  constexpr std::uint64_t value() const { return value_; }
  constexpr PhysicalAddress operator+(std::uint64_t offset) const { return PhysicalAddress(value_ + offset); }
  constexpr std::uint64_t operator-(PhysicalAddress other) const { return value_ - other.value_; }
  constexpr auto operator<=>(const PhysicalAddress&) const = default;

 private:
  std::uint64_t value_ = 0;
};

// An address in the address space of a user program: a number that nobody has checked.
class UserAddress {
 public:
  constexpr UserAddress() = default;
  constexpr explicit UserAddress(std::uintptr_t value) : value_(value) {}
  constexpr std::uintptr_t value() const { return value_; }
  constexpr bool is_null() const { return value_ == 0; }
  constexpr UserAddress operator+(std::size_t offset) const { return UserAddress(value_ + offset); }
  constexpr UserAddress operator-(std::size_t offset) const { return UserAddress(value_ - offset); }
  constexpr std::size_t operator-(UserAddress other) const { return value_ - other.value_; }
  constexpr auto operator<=>(const UserAddress&) const = default;

 private:
  std::uintptr_t value_ = 0;
};

}  // namespace base
