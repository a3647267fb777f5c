// quotactl(2), quotactl_fd(2), ustat(2), sysfs(2)
#include "syscalls/accounting/rows.h"
#include "vfs/file_system.h"
#include "vfs/inode.h"
#include "vfs/mount.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {

constexpr unsigned quota_kinds = 3, sync_command = 0x800001;

Result<void> check_command(unsigned command) {
  return (command & 0xff) < quota_kinds ? Result<void>{} : Result<void>(error(Errno::einval));
}

// struct ustat
struct Usage {
  std::int32_t free_blocks = 0, pad = 0;
  std::uint64_t free_inodes = 0;
  char name[6] = {}, pack[6] = {};
  std::uint32_t end = 0;
};
static_assert(sizeof(Usage) == 32);

RefPtr<vfs::Mount> mount_of_device(std::uint32_t device) {
  RefPtr<vfs::Mount> found;
  vfs::initial_mount_namespace().for_each([&](vfs::Mount& mount) {
    if (!found && mount.file_system().device().encoded() == device) found = RefPtr<vfs::Mount>(&mount);
  });
  return found;
}

}  // namespace

Result<long> sys_quotactl(Context& context, unsigned command, UserString device, std::uint32_t, UserAddress) {
  TRY(check_command(command));
  if (device.is_null()) {
    // Everywhere: there is nothing to write.
    return command >> 8 == sync_command ? Result<long>(0) : Result<long>(error(Errno::enodev));
  }
  auto path = TRY(device.read(vfs::path_max));
  vfs::Path place = TRY(vfs::resolve(caller_of(context.task), nullptr, path, vfs::lookup_follow));
  if (!vfs::is_block(place.inode().mode())) return error(Errno::enotblk);
  if (!mount_of_device(static_cast<std::uint32_t>(place.inode().device().encoded())))
    return error(Errno::enodev);
  return error(Errno::enosys);
}

Result<long> sys_quotactl_fd(Context& context, FileDescriptor fd, unsigned command, std::uint32_t,
                             UserAddress) {
  [[maybe_unused]] FileUse file = TRY(context.task.files->use_any(fd.number));
  TRY(check_command(command));
  return error(Errno::enosys);
}

Result<long> sys_ustat(Context&, std::uint32_t device, UserAddress out) {
  RefPtr<vfs::Mount> mount = mount_of_device(device);
  if (!mount) return error(Errno::einval);
  vfs::FileSystemStatistics figures;
  TRY(mount->file_system().statistics(figures));
  Usage usage;
  usage.free_blocks = static_cast<std::int32_t>(figures.blocks_free);
  usage.free_inodes = figures.inodes_free;
  // SAFETY: a structure of the ABI without padding.
  TRY(core::copy_to_user(out, std::as_bytes(std::span(&usage, 1))));
  return 0;
}

// 1: the number of a file system's name; 2: the name of a number; 3: how many there are.
Result<long> sys_sysfs(Context&, int option, std::uint64_t argument, UserAddress buffer) {
  long count = 0, found = -1;
  base::String wanted, name;
  if (option == 1) {
    auto text = UserString{UserAddress(argument)}.read(vfs::path_max);
    if (!text) return error(text.error());
    wanted = std::move(*text);
  }
  Result<void> outcome;
  vfs::for_each_file_system([&](const vfs::FileSystemType& type) {
    if (option == 1 && found < 0 && wanted == type.name()) found = count;
    if (option == 2 && static_cast<std::uint32_t>(argument) == static_cast<std::uint32_t>(count) && outcome)
      outcome = name.try_append(type.name());
    ++count;
  });
  TRY(outcome);
  switch (option) {
    case 1:
      return found < 0 ? Result<long>(error(Errno::einval)) : Result<long>(found);
    case 2:
      if (name.empty()) return error(Errno::einval);
      TRY(name.try_append(std::string_view("\0", 1)));
      TRY(core::copy_to_user(buffer, std::as_bytes(std::span(name.view()))));
      return 0;
    case 3:
      return count;
    default:
      return error(Errno::einval);
  }
}

}  // namespace linux_abi
