// User addresses with a type and a direction: what system calls receive.
//
//   Result<long> sys_uname(Context&, UserOut<Names> out) { ... TRY(out.write(names)); return 0; }
//
// They hold an unchecked address and nothing else; there is no operator*. Types that are written must have no
// padding (it would leak kernel memory) unless they say so with `has_zeroed_padding` (zero-initialised before
// filling).
#pragma once

#include <concepts>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/string.h"
#include "core/memory/user_copy.h"

namespace core {

template <typename T>
inline constexpr bool has_zeroed_padding = false;
template <typename T>
concept UserReadable = std::is_trivially_copyable_v<T>;
template <typename T>
concept UserWritable =
    std::is_trivially_copyable_v<T> &&
    (std::has_unique_object_representations_v<T> || has_zeroed_padding<T> || std::is_floating_point_v<T>);

class UserPointerBase {
 public:
  constexpr UserPointerBase() = default;
  constexpr explicit UserPointerBase(UserAddress address) : address_(address) {}
  constexpr explicit UserPointerBase(std::uintptr_t address) : address_(address) {}
  constexpr UserAddress address() const { return address_; }
  constexpr bool is_null() const { return address_.is_null(); }
  constexpr explicit operator bool() const { return !address_.is_null(); }

 protected:
  UserAddress address_{};
};

template <UserReadable T>
class UserIn : public UserPointerBase {
 public:
  using UserPointerBase::UserPointerBase;
  using Value = T;
  base::Result<T> read() const { return read_at(0); }
  base::Result<T> read_at(std::size_t index) const {
    T value;
    TRY(copy_from_user(std::as_writable_bytes(std::span(&value, 1)), address_ + index * sizeof(T)));
    return value;
  }
};

template <UserWritable T>
class UserOut : public UserPointerBase {
 public:
  using UserPointerBase::UserPointerBase;
  using Value = T;
  [[nodiscard]] base::Result<void> write(const T& value) const { return write_at(0, value); }
  [[nodiscard]] base::Result<void> write_at(std::size_t index, const T& value) const {
    return copy_to_user(address_ + index * sizeof(T), std::as_bytes(std::span(&value, 1)));
  }
};

template <UserWritable T>
class UserInOut : public UserPointerBase {
 public:
  using UserPointerBase::UserPointerBase;
  using Value = T;
  base::Result<T> read() const { return UserIn<T>(address_).read(); }
  [[nodiscard]] base::Result<void> write(const T& value) const { return UserOut<T>(address_).write(value); }
};

// Many of them; the count comes with each call.
template <UserReadable T>
class UserArray : public UserPointerBase {
 public:
  using UserPointerBase::UserPointerBase;
  using Value = T;
  [[nodiscard]] base::Result<void> read(std::span<T> to, std::size_t first = 0) const {
    return copy_from_user(std::as_writable_bytes(to), address_ + first * sizeof(T));
  }
  [[nodiscard]] base::Result<void> write(std::span<const T> from, std::size_t first = 0) const
    requires UserWritable<T>
  {
    return copy_to_user(address_ + first * sizeof(T), std::as_bytes(from));
  }
};

class UserString : public UserPointerBase {
 public:
  using UserPointerBase::UserPointerBase;
  // ENAMETOOLONG when there is no zero within memory.size().
  base::Result<std::string_view> read(std::span<char> memory) const {
    std::size_t length = TRY(read_user_string(memory, address_));
    return std::string_view(memory.data(), length);
  }
  base::Result<base::String> read(std::size_t limit) const;
};

// Bytes without a type.
class UserBuffer : public UserPointerBase {
 public:
  using UserPointerBase::UserPointerBase;
  [[nodiscard]] base::Result<void> read(std::span<std::byte> to) const {
    return copy_from_user(to, address_);
  }
  [[nodiscard]] base::Result<void> write(std::span<const std::byte> from) const {
    return copy_to_user(address_, from);
  }
};

}  // namespace core
