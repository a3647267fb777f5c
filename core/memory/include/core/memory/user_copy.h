// Moving bytes between the kernel and the current program. The only way to user memory, together with the
// typed pointers in user_pointer.h and IoBuffer.
//
// Addresses are checked against the limit of user space, and faults inside are resolved like those of the
// program itself; what cannot be resolved gives EFAULT. May sleep: never with a raw lock held or preemption
// off (a fault then gives EFAULT without being resolved: the *_nofault pattern is "try with preemption off,
// then again without"). In a kernel thread there is no program: EFAULT.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "core/memory/address.h"

namespace core {

// All or nothing is not promised: on EFAULT a part may have been copied.
base::Result<void> copy_to_user(UserAddress to, std::span<const std::byte> from);
base::Result<void> copy_from_user(std::span<std::byte> to, UserAddress from);
base::Result<void> clear_user(UserAddress to, std::size_t size);
// How many bytes were done before the first one that faults.
std::size_t copy_to_user_partial(UserAddress to, std::span<const std::byte> from);
std::size_t copy_from_user_partial(std::span<std::byte> to, UserAddress from);
std::size_t clear_user_partial(UserAddress to, std::size_t size);

// A zero-terminated string into `to`; gives its length without the zero. No zero within to.size():
// ENAMETOOLONG.
base::Result<std::size_t> read_user_string(std::span<char> to, UserAddress from);
// Its length without the zero, looking at no more than `limit` bytes: ENAMETOOLONG beyond.
base::Result<std::size_t> user_string_length(UserAddress from, std::size_t limit);

// Whether [address, address + size) lies below the end of user space (says nothing about mappings).
bool is_user_range(UserAddress address, std::size_t size);

// Words that programs use for synchronisation. EFAULT as above; with preemption off a fault gives EFAULT at
// once.
base::Result<std::uint32_t> load_user_word(UserAddress address);
// Gives the value found; stored only if it was `expected`.
base::Result<std::uint32_t> compare_exchange_user_word(UserAddress address, std::uint32_t expected,
                                                       std::uint32_t desired);

}  // namespace core
