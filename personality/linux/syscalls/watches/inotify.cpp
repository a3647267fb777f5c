// inotify_init(2), inotify_add_watch(2), inotify_rm_watch(2)
#include "inotify/inotify.h"
#include "linux_abi/abi/file.h"
#include "linux_abi/path_start.h"
#include "syscalls/watches/rows.h"
#include "vfs/dentry.h"
#include "vfs/inode.h"
#include "vfs/lookup.h"

namespace linux_abi {

Result<long> sys_inotify_init1(Context& context, unsigned flags) {
  if (flags & ~(o_cloexec | o_nonblock)) return error(Errno::einval);
  auto file = TRY(inotify::InotifyFile::create(flags & o_nonblock, context.task.credentials_reference()));
  return TRY(context.task.files->add(std::move(file), flags & o_cloexec ? CloseOnExec::yes : CloseOnExec::no,
                                     descriptor_limit(context)));
}

Result<long> sys_inotify_init(Context& context) { return sys_inotify_init1(context, 0); }

Result<long> sys_inotify_add_watch(Context& context, FileDescriptor fd, UserString path_address,
                                   std::uint32_t mask) {
  constexpr std::uint32_t known = inotify::all_events | inotify::only_directory | inotify::do_not_follow |
                                  inotify::exclude_unlinked | inotify::mask_create | inotify::mask_add |
                                  inotify::one_shot | vfs::notify_is_directory | vfs::notify_unmount |
                                  vfs::notify_queue_overflow | vfs::notify_ignored;
  if (!(mask & known)) return error(Errno::einval);
  if ((mask & inotify::mask_add) && (mask & inotify::mask_create)) return error(Errno::einval);
  FileUse file = TRY(context.task.files->use(fd.number));
  auto* inotify_file = file->as<inotify::InotifyFile>();
  if (!inotify_file) return error(Errno::einval);
  PathText text;
  std::string_view path = TRY(text.read(path_address));
  vfs::LookupFlags flags = vfs::lookup_default;
  if (!(mask & inotify::do_not_follow)) flags |= vfs::lookup_follow;
  if (mask & inotify::only_directory) flags |= vfs::lookup_directory;
  vfs::Caller caller = caller_of(context.task);
  vfs::Path found = TRY(vfs::resolve(caller, nullptr, path, flags));
  TRY(vfs::check_permission(*found.dentry().inode(), caller.credentials, vfs::access_read));
  return TRY(inotify_file->instance().add_watch(found, mask));
}

Result<long> sys_inotify_rm_watch(Context& context, FileDescriptor fd, int watch) {
  FileUse file = TRY(context.task.files->use(fd.number));
  auto* inotify_file = file->as<inotify::InotifyFile>();
  if (!inotify_file) return error(Errno::einval);
  TRY(inotify_file->instance().remove_watch(watch));
  return 0;
}

}  // namespace linux_abi
