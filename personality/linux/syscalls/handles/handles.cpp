// name_to_handle_at(2), open_by_handle_at(2)
#include "linux_abi/open_flags.h"
#include "linux_abi/path_start.h"
#include "syscalls/files/mount_context.h"
#include "syscalls/handles/rows.h"
#include "vfs/file_handle.h"
#include "vfs/file_system.h"
#include "vfs/mount.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {

constexpr int follow = 0x400, identifies = 0x200, unique_mount = 1;
constexpr std::int32_t invalid_type = 0xff, type_of_identity = 0x81;

// struct file_handle; the bytes follow.
struct HandleHead {
  std::uint32_t size = 0;
  std::int32_t type = 0;
};

// A name for comparing only, for file systems that cannot find by one.
vfs::FileHandle identity_of(const vfs::Inode& inode) {
  std::uint64_t words[2] = {inode.number(), 0};
  vfs::FileHandle handle{type_of_identity, 12};
  std::memcpy(handle.bytes, words, handle.size);
  return handle;
}

Result<vfs::FileHandle> handle_of(const vfs::Path& place, int flags) {
  const vfs::HandleSource* source = vfs::handle_source_of(place.mount().file_system());
  if (source) return source->make(place.inode());
  if (flags & identifies) return identity_of(place.inode());
  return error(Errno::eopnotsupp);
}

Result<vfs::Path> mount_of(Context& context, int descriptor) {
  if (descriptor == at_fdcwd) return context.task.file_system->current_directory();
  FileUse file = TRY(context.task.files->use_any(descriptor));
  if (!file->path()) return error(Errno::estale);
  return file->path();
}

}  // namespace

Result<long> sys_name_to_handle_at(Context& context, int directory, UserString path_argument,
                                   UserAddress handle_address, UserAddress mount_id, int flags) {
  if (flags & ~(follow | static_cast<int>(at_empty_path) | identifies | unique_mount))
    return error(Errno::einval);
  vfs::LookupFlags lookup = flags & follow ? vfs::lookup_follow : vfs::lookup_default;
  if (flags & static_cast<int>(at_empty_path)) lookup |= vfs::lookup_empty_allowed;
  PathText text;
  std::string_view path = TRY(text.read(path_argument));
  PathStart start = TRY(PathStart::of(context, directory, path));
  vfs::Path place = TRY(vfs::resolve(caller_of(context.task), start.path(), path, lookup));
  HandleHead head = TRY(UserIn<HandleHead>(handle_address).read());
  if (head.size > vfs::FileHandle::size_max) return error(Errno::einval);
  vfs::FileHandle handle = TRY(handle_of(place, flags));
  bool fits = head.size >= handle.size;
  if (flags & unique_mount)
    TRY(UserOut<std::uint64_t>(mount_id).write(unique_mount_id(place.mount())));
  else
    TRY(UserOut<int>(mount_id).write(place.mount().id()));
  TRY(UserOut<HandleHead>(handle_address).write({handle.size, fits ? handle.type : invalid_type}));
  if (!fits) return error(Errno::eoverflow);
  TRY(core::copy_to_user(handle_address + sizeof(HandleHead), std::span(handle.bytes).first(handle.size)));
  return 0;
}

Result<long> sys_open_by_handle_at(Context& context, int mount, UserAddress handle_address, unsigned flags) {
  if (!context.task.can(vfs::Capability::dac_read_search)) return error(Errno::eperm);
  HandleHead head = TRY(UserIn<HandleHead>(handle_address).read());
  if (head.size == 0 || head.size > vfs::FileHandle::size_max || head.type < 0) return error(Errno::einval);
  vfs::FileHandle handle{head.type, head.size};
  TRY(core::copy_from_user(std::span(handle.bytes).first(head.size), handle_address + sizeof(HandleHead)));
  vfs::Path root = TRY(mount_of(context, mount));
  const vfs::HandleSource* source = vfs::handle_source_of(root.mount().file_system());
  if (!source) return error(Errno::estale);
  vfs::Path place(root.mount_reference(), TRY(source->find(root, handle)));
  vfs::OpenFlags how = to_open_flags(flags) | vfs::open_large_file;
  if (how & vfs::open_path)
    how &= vfs::open_path | vfs::open_directory | vfs::open_no_follow | vfs::open_close_on_exec;
  if ((how & vfs::open_directory) && !vfs::is_directory(place.inode().mode())) return error(Errno::enotdir);
  auto descriptor = TRY(context.task.files->reserve(
      how & vfs::open_close_on_exec ? CloseOnExec::yes : CloseOnExec::no, descriptor_limit(context)));
  auto file = TRY(vfs::open_path_object(place, how, context.task.credentials_reference()));
  int number = descriptor.number();
  descriptor.publish(std::move(file));
  return number;
}

}  // namespace linux_abi
