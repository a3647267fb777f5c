// pkey_alloc(2), pkey_free(2), pkey_mprotect(2), map_shadow_stack: CPUs that have these are not asked to use
// them, and then the calls answer as on a CPU that has not.
#include "syscalls/memory/rows.h"
#include "syscalls/security/rows.h"

namespace linux_abi {

Result<long> sys_pkey_alloc(Context&, std::uint64_t flags, std::uint64_t rights) {
  constexpr std::uint64_t known_rights = 3;  // no access, no writing
  if (flags || (rights & ~known_rights)) return error(Errno::einval);
  return error(Errno::enospc);  // there is only the key that everything has
}

Result<long> sys_pkey_free(Context&, int) { return error(Errno::einval); }

Result<long> sys_pkey_mprotect(Context& context, UserAddress address, std::size_t length, unsigned protection,
                               int key) {
  if (key != -1) return error(Errno::einval);
  return sys_mprotect(context, address, length, protection);
}

Result<long> sys_map_shadow_stack(Context&, UserAddress, std::size_t, unsigned) {
  return error(Errno::eopnotsupp);
}

}  // namespace linux_abi
