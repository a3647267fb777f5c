// Structures whose size a program passes along, so that they can grow (clone3, openat2, sched_setattr ...): a
// shorter one is completed with zeros, a longer one is accepted if what we do not know is zero (E2BIG).
#pragma once

#include <cstring>
#include <span>

#include "core/memory/user_copy.h"
#include "linux_abi/syscall.h"

namespace linux_abi {

template <typename T>
Result<T> read_extensible(UserAddress address, std::size_t size, std::size_t minimum) {
  if (size < minimum) return error(Errno::einval);
  if (size > 4096) return error(Errno::e2big);
  T value{};
  std::size_t known = size < sizeof(T) ? size : sizeof(T);
  // SAFETY: T is a plain structure of the ABI; any bytes are a value.
  TRY(core::copy_from_user(std::as_writable_bytes(std::span(&value, 1)).first(known), address));
  for (std::size_t at = known; at < size; at += 64) {
    std::byte rest[64];
    std::size_t part = size - at < sizeof(rest) ? size - at : sizeof(rest);
    TRY(core::copy_from_user(std::span(rest).first(part), address + at));
    for (std::size_t i = 0; i < part; ++i)
      if (rest[i] != std::byte{0}) return error(Errno::e2big);
  }
  return value;
}

}  // namespace linux_abi
