#include "core/memory/user_copy.h"

#include <arch/page_table.h>
#include <arch/user_copy.h>

#include "core/memory/address_space.h"
#include "core/sync/preempt.h"

namespace core {

bool is_user_range(UserAddress address, std::size_t size) {
  if (size > arch::user_address_limit) [[unlikely]]
    return false;
  return address.value() <= arch::user_address_limit - size;
}

namespace {

// Bytes from `address` up to the end of user space, at most `size`.
std::size_t in_user_space(UserAddress address, std::size_t size) {
  if (address.value() >= arch::user_address_limit) return 0;
  std::size_t room = arch::user_address_limit - address.value();
  return size < room ? size : room;
}

}  // namespace

std::size_t copy_to_user_partial(UserAddress to, std::span<const std::byte> from) {
  std::size_t size = in_user_space(to, from.size());
  return size - arch::copy_to_user_raw(to.value(), from.data(), size);
}
std::size_t copy_from_user_partial(std::span<std::byte> to, UserAddress from) {
  std::size_t size = in_user_space(from, to.size());
  return size - arch::copy_from_user_raw(to.data(), from.value(), size);
}
std::size_t clear_user_partial(UserAddress to, std::size_t count) {
  std::size_t size = in_user_space(to, count);
  return size - arch::clear_user_raw(to.value(), size);
}

base::Result<void> copy_to_user(UserAddress to, std::span<const std::byte> from) {
  if (!is_user_range(to, from.size()) || arch::copy_to_user_raw(to.value(), from.data(), from.size()))
    return base::error(base::Errno::efault);
  return {};
}
base::Result<void> copy_from_user(std::span<std::byte> to, UserAddress from) {
  if (!is_user_range(from, to.size()) || arch::copy_from_user_raw(to.data(), from.value(), to.size()))
    return base::error(base::Errno::efault);
  return {};
}
base::Result<void> clear_user(UserAddress to, std::size_t size) {
  if (!is_user_range(to, size) || arch::clear_user_raw(to.value(), size))
    return base::error(base::Errno::efault);
  return {};
}

base::Result<std::size_t> read_user_string(std::span<char> to, UserAddress from) {
  std::size_t limit = in_user_space(from, to.size());
  if (limit == 0 && !to.empty()) return base::error(base::Errno::efault);
  std::ptrdiff_t length = arch::copy_string_from_user_raw(to.data(), from.value(), limit);
  if (length < 0) return base::error(base::Errno::efault);
  if (static_cast<std::size_t>(length) < limit) return static_cast<std::size_t>(length);
  return base::error(limit < to.size() ? base::Errno::efault : base::Errno::enametoolong);
}

base::Result<std::size_t> user_string_length(UserAddress from, std::size_t limit) {
  char piece[128];
  for (std::size_t at = 0; at < limit;) {
    std::size_t wanted = limit - at < sizeof(piece) ? limit - at : sizeof(piece);
    auto length = read_user_string({piece, wanted}, from + at);
    if (length) return at + *length;
    if (length.error() != base::Errno::enametoolong) return base::error(length.error());
    at += wanted;
  }
  return base::error(base::Errno::enametoolong);
}

base::Result<std::uint32_t> load_user_word(UserAddress address) {
  if (!is_user_range(address, 4)) return base::error(base::Errno::efault);
  return arch::user_load32(address.value());
}
base::Result<std::uint32_t> compare_exchange_user_word(UserAddress address, std::uint32_t expected,
                                                       std::uint32_t desired) {
  if (!is_user_range(address, 4)) return base::error(base::Errno::efault);
  return arch::user_compare_exchange32(address.value(), expected, desired);
}

}  // namespace core
