// Security modules (capabilities, Landlock), and protection keys, which no CPU is asked for.
#pragma once

#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_lsm_get_self_attr(Context& context, unsigned attribute, UserAddress out,
                                   UserInOut<std::uint32_t> size, std::uint32_t flags);
Result<long> sys_lsm_set_self_attr(Context& context, unsigned attribute, UserAddress in, std::uint32_t size,
                                   std::uint32_t flags);
Result<long> sys_lsm_list_modules(Context& context, UserArray<std::uint64_t> ids,
                                  UserInOut<std::uint32_t> size, std::uint32_t flags);
Result<long> sys_pkey_alloc(Context& context, std::uint64_t flags, std::uint64_t rights);
Result<long> sys_pkey_free(Context& context, int key);
Result<long> sys_pkey_mprotect(Context& context, UserAddress address, std::size_t length, unsigned protection,
                               int key);
Result<long> sys_map_shadow_stack(Context& context, UserAddress address, std::size_t size, unsigned flags);
Result<long> sys_landlock_create_ruleset(Context& context, UserAddress attributes, std::size_t size,
                                         std::uint32_t flags);
Result<long> sys_landlock_add_rule(Context& context, FileDescriptor fd, unsigned type, UserAddress attributes,
                                   std::uint32_t flags);
Result<long> sys_landlock_restrict_self(Context& context, FileDescriptor fd, std::uint32_t flags);

namespace syscalls::security {

inline constexpr SyscallRow rows[] = {
    row<number::lsm_get_self_attr, sys_lsm_get_self_attr>("lsm_get_self_attr",
                                                          "no module has attributes (EOPNOTSUPP)"),
    row<number::lsm_set_self_attr, sys_lsm_set_self_attr>("lsm_set_self_attr",
                                                          "no module has attributes (EOPNOTSUPP)"),
    row<number::lsm_list_modules, sys_lsm_list_modules>("lsm_list_modules"),
    row<number::landlock_create_ruleset, sys_landlock_create_ruleset>(
        "landlock_create_ruleset", "version 2: files with REFER, without TRUNCATE"),
    row<number::landlock_add_rule, sys_landlock_add_rule>("landlock_add_rule", "PATH_BENEATH"),
    row<number::landlock_restrict_self, sys_landlock_restrict_self>("landlock_restrict_self"),
    row<number::pkey_alloc, sys_pkey_alloc>("pkey_alloc", "as on a CPU without them (ENOSPC)"),
    row<number::pkey_free, sys_pkey_free>("pkey_free", "as on a CPU without them"),
    row<number::pkey_mprotect, sys_pkey_mprotect>("pkey_mprotect", "key -1"),
    row<number::map_shadow_stack, sys_map_shadow_stack>("map_shadow_stack",
                                                        "as on a CPU without them (EOPNOTSUPP)"),
};

}  // namespace syscalls::security

}  // namespace linux_abi
