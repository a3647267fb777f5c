// The texts and bytes that programs pass to the calls on keys.
#pragma once

#include "linux_abi/keys.h"
#include "linux_abi/prelude.h"

namespace linux_abi {

inline constexpr std::size_t key_payload_max = 32767;

// EINVAL for an empty or an overlong name; EPERM for one that only the kernel uses.
Result<base::String> read_key_type_name(UserString from);
// The type of that name; ENODEV or `unknown`.
Result<KeyType> key_type_of(std::string_view name, Errno unknown);
Result<base::String> read_key_description(UserString from);
// What a key of that type may be given. EINVAL.
Result<void> check_payload(KeyType type, std::size_t size);
Result<base::Vector<char>> read_payload(UserAddress from, std::size_t size);
// Puts the key into the ring. EACCES without the permission to link it.
Result<void> link_found_key(Task& task, const KeyUse& ring, const KeyUse& key);

}  // namespace linux_abi
