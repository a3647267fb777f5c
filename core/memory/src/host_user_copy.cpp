// Host programs have no user space: their own memory plays it. [host_user_fault_start, end) pretends to be
// unmapped.
#ifdef NOS_HOST
#include <cstring>

#include "core/memory/user_copy.h"
#include "host_user_copy.h"

namespace core {

std::uintptr_t host_user_fault_start = 0, host_user_fault_end = 0;

namespace {
std::size_t accessible(std::uintptr_t address, std::size_t size) {
  if (address + size <= host_user_fault_start || address >= host_user_fault_end) return size;
  return address >= host_user_fault_start ? 0 : host_user_fault_start - address;
}
// SAFETY: on the host a user address is an address of the test itself.
template <typename T>
T* pointer(UserAddress address) {
  return reinterpret_cast<T*>(address.value());
}
}  // namespace

std::size_t copy_to_user_partial(UserAddress to, std::span<const std::byte> from) {
  std::size_t size = accessible(to.value(), from.size());
  std::memcpy(pointer<std::byte>(to), from.data(), size);
  return size;
}
std::size_t copy_from_user_partial(std::span<std::byte> to, UserAddress from) {
  std::size_t size = accessible(from.value(), to.size());
  std::memcpy(to.data(), pointer<const std::byte>(from), size);
  return size;
}
std::size_t clear_user_partial(UserAddress to, std::size_t count) {
  std::size_t size = accessible(to.value(), count);
  std::memset(pointer<std::byte>(to), 0, size);
  return size;
}
base::Result<void> copy_to_user(UserAddress to, std::span<const std::byte> from) {
  if (copy_to_user_partial(to, from) < from.size()) return base::error(base::Errno::efault);
  return {};
}
base::Result<void> copy_from_user(std::span<std::byte> to, UserAddress from) {
  if (copy_from_user_partial(to, from) < to.size()) return base::error(base::Errno::efault);
  return {};
}
base::Result<void> clear_user(UserAddress to, std::size_t size) {
  if (clear_user_partial(to, size) < size) return base::error(base::Errno::efault);
  return {};
}
base::Result<std::size_t> read_user_string(std::span<char> to, UserAddress from) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (!accessible(from.value() + i, 1)) return base::error(base::Errno::efault);
    to[i] = pointer<const char>(from)[i];
    if (!to[i]) return i;
  }
  return base::error(base::Errno::enametoolong);
}
base::Result<std::size_t> user_string_length(UserAddress from, std::size_t limit) {
  for (std::size_t i = 0; i < limit; ++i) {
    if (!accessible(from.value() + i, 1)) return base::error(base::Errno::efault);
    if (!pointer<const char>(from)[i]) return i;
  }
  return base::error(base::Errno::enametoolong);
}
bool is_user_range(UserAddress, std::size_t) { return true; }
base::Result<std::uint32_t> load_user_word(UserAddress address) {
  return __atomic_load_n(pointer<std::uint32_t>(address), __ATOMIC_SEQ_CST);
}
base::Result<std::uint32_t> compare_exchange_user_word(UserAddress address, std::uint32_t expected,
                                                       std::uint32_t desired) {
  __atomic_compare_exchange_n(pointer<std::uint32_t>(address), &expected, desired, false, __ATOMIC_SEQ_CST,
                              __ATOMIC_SEQ_CST);
  return expected;
}

}  // namespace core
#endif
