// Memory nodes (numa(7)), of which there is one: policies say where memory comes from, and it always comes
// from there.
#pragma once

#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_get_mempolicy(Context& context, UserOut<int> mode, UserAddress nodes,
                               std::uint64_t node_count, UserAddress address, std::uint64_t flags);
Result<long> sys_set_mempolicy(Context& context, int mode, UserAddress nodes, std::uint64_t node_count);
Result<long> sys_mbind(Context& context, UserAddress start, std::uint64_t length, std::uint64_t mode,
                       UserAddress nodes, std::uint64_t node_count, unsigned flags);
Result<long> sys_migrate_pages(Context& context, int pid, std::uint64_t node_count, UserAddress old_nodes,
                               UserAddress new_nodes);
Result<long> sys_move_pages(Context& context, int pid, std::uint64_t count, UserArray<std::uint64_t> pages,
                            UserArray<int> nodes, UserArray<int> status, int flags);
Result<long> sys_set_mempolicy_home_node(Context& context, UserAddress start, std::uint64_t length,
                                         std::uint64_t node, std::uint64_t flags);

namespace syscalls::memory_nodes {

inline constexpr SyscallRow rows[] = {
    row<number::get_mempolicy, sys_get_mempolicy>("get_mempolicy", "one node"),
    row<number::set_mempolicy, sys_set_mempolicy>("set_mempolicy", "one node"),
    row<number::mbind, sys_mbind>("mbind", "one node"),
    row<number::migrate_pages, sys_migrate_pages>("migrate_pages", "one node"),
    row<number::move_pages, sys_move_pages>("move_pages", "one node"),
    row<number::set_mempolicy_home_node, sys_set_mempolicy_home_node>("set_mempolicy_home_node", "one node"),
};

}  // namespace syscalls::memory_nodes

}  // namespace linux_abi
