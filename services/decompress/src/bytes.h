// Little-endian loads from unaligned memory, and the bounded reader that headers are parsed with.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/result.h"

namespace decompress {

static_assert(std::endian::native == std::endian::little);

template <typename T>
inline T load(const std::uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

// Takes fields off the front of the input; EINVAL when it is too short.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::uint8_t> input) : input_(input) {}
  template <typename T>
  base::Result<T> take() {
    if (input_.size() - at_ < sizeof(T)) return base::error(base::Errno::einval);
    T value = load<T>(input_.data() + at_);
    at_ += sizeof(T);
    return value;
  }
  // `size` (0 to 8) bytes, little endian.
  base::Result<std::uint64_t> take_sized(std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value |= std::uint64_t{TRY(take<std::uint8_t>())} << (8 * i);
    return value;
  }
  base::Result<std::span<const std::uint8_t>> take_bytes(std::size_t size) {
    if (input_.size() - at_ < size) return base::error(base::Errno::einval);
    auto bytes = input_.subspan(at_, size);
    at_ += size;
    return bytes;
  }
  base::Result<void> skip(std::size_t size) {
    TRY(take_bytes(size));
    return {};
  }
  std::span<const std::uint8_t> rest() const { return input_.subspan(at_); }
  std::size_t position() const { return at_; }
  bool empty() const { return at_ == input_.size(); }

 private:
  std::span<const std::uint8_t> input_;
  std::size_t at_ = 0;
};

}  // namespace decompress
