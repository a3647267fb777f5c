// Keys and keyrings.
#pragma once

#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_add_key(Context& context, UserString type, UserString description, UserAddress payload,
                         std::size_t size, int ring);
Result<long> sys_request_key(Context& context, UserString type, UserString description, UserString callout,
                             int ring);
Result<long> sys_keyctl(Context& context, int operation, std::uint64_t a, std::uint64_t b, std::uint64_t c,
                        std::uint64_t d);

namespace syscalls::keys {

inline constexpr SyscallRow rows[] = {
    row<number::add_key, sys_add_key>("add_key", "types keyring, user, logon"),
    row<number::request_key, sys_request_key>("request_key", "/sbin/request-key is not called (ENOKEY)"),
    row<number::keyctl, sys_keyctl>(
        "keyctl",
        "all but SESSION_TO_PARENT, GET_PERSISTENT, DH_COMPUTE, PKEY_*, WATCH_KEY "
        "(EOPNOTSUPP); RESTRICT_KEYRING to nothing"),
};

}  // namespace syscalls::keys

}  // namespace linux_abi
