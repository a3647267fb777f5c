// getgroups(2), setgroups(2)
#include "syscalls/credentials/rows.h"

namespace linux_abi {

namespace {
constexpr int groups_max = 65536;
}

Result<long> sys_getgroups(Context& context, int size, UserArray<std::uint32_t> out) {
  auto groups = context.task.credentials().groups();
  if (size < 0) return error(Errno::einval);
  if (size == 0) return static_cast<long>(groups.size());
  if (static_cast<std::size_t>(size) < groups.size()) return error(Errno::einval);
  TRY(out.write(groups));
  return static_cast<long>(groups.size());
}

Result<long> sys_setgroups(Context& context, int size, UserArray<std::uint32_t> in) {
  if (!context.task.can(vfs::Capability::setgid)) return error(Errno::eperm);
  if (size < 0 || size > groups_max) return error(Errno::einval);
  base::Vector<std::uint32_t> groups;
  TRY(groups.try_resize(static_cast<std::size_t>(size)));
  TRY(in.read(groups.span()));
  auto changed = TRY(context.task.credentials().try_clone());
  TRY(changed->set_groups(groups.span()));
  context.task.set_credentials(std::move(changed));
  return 0;
}

}  // namespace linux_abi
