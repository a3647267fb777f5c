// execve(2), execveat(2)
#include "linux_abi/exec.h"
#include "syscalls/process/rows.h"
#include "vfs/inode.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {

// argv or envp in user memory: an array of pointers that ends with a null one; a null array is an empty one.
class UserStrings final : public StringSource {
 public:
  explicit UserStrings(UserAddress array) : array_(array) {}
  Result<std::size_t> count() override {
    if (array_.is_null()) return 0;
    for (std::size_t i = 0; i < 0x7fffffff / 8; ++i)
      if (!TRY(array_pointer(i))) return i;
    return error(Errno::e2big);
  }
  Result<std::size_t> size(std::size_t index) override {
    auto length = core::user_string_length(UserAddress(TRY(array_pointer(index))), exec_string_max);
    if (!length) return error(length.error() == Errno::enametoolong ? Errno::e2big : length.error());
    return *length + 1;
  }
  Result<void> copy(std::size_t index, std::size_t offset, std::span<char> to) override {
    std::uintptr_t address = TRY(array_pointer(index));
    return core::copy_from_user(std::as_writable_bytes(to), UserAddress(address + offset));
  }

 private:
  Result<std::uintptr_t> array_pointer(std::size_t index) {
    return UserIn<std::uintptr_t>(array_ + index * sizeof(std::uintptr_t)).read();
  }
  UserAddress array_;
};

Result<RefPtr<vfs::File>> open_program(Context& context, const PathStart& start, std::string_view name,
                                       unsigned flags) {
  constexpr vfs::OpenFlags open_flags = vfs::open_read_only | vfs::open_for_execute;
  Task& task = context.task;
  if (name.empty() && start.path()) {
    // The descriptor itself; it may have been opened with O_PATH.
    const vfs::Path& path = *start.path();
    if (!vfs::is_regular(path.inode().mode()) || path.mount().has(vfs::mount_no_execute))
      return error(Errno::eacces);
    TRY(path.inode().permission(task.credentials(), vfs::access_execute));
    return vfs::open_path_object(path, open_flags, task.credentials_reference());
  }
  vfs::OpenHow how{.flags = open_flags};
  if (flags & at_symlink_nofollow) how.flags |= vfs::open_no_follow;
  return vfs::open(caller_of(task), start.path(), name, how);
}

Result<long> exec_at(Context& context, int directory, UserString path, UserAddress arguments,
                     UserAddress environment, unsigned flags) {
  if (flags & ~(at_empty_path | at_symlink_nofollow)) return error(Errno::einval);
  base::String name = TRY(path.read(path_max));
  PathStart start = TRY(PathStart::of(context, directory, name));
  if (name.empty() && !(flags & at_empty_path)) return error(Errno::enoent);
  auto file = TRY(open_program(context, start, name, flags));

  // What scripts and AT_EXECFN see: the path, or a name for the descriptor.
  base::String display;
  if (directory == at_fdcwd || name.view().starts_with('/')) {
    display = std::move(name);
  } else {
    char text[32];
    base::TextBuffer buffer(text);
    base::format(buffer, "/dev/fd/{}", directory);
    TRY(display.try_append(buffer.view()));
    if (!name.empty()) {
      TRY(display.try_append("/"));
      TRY(display.try_append(name));
    }
  }
  UserStrings argument_strings(arguments), environment_strings(environment);
  TRY(execute(context.task, std::move(file), display, argument_strings, environment_strings));
  return static_cast<long>(context.registers.result());
}

}  // namespace

Result<long> sys_execve(Context& context, UserString path, UserAddress arguments, UserAddress environment) {
  return exec_at(context, at_fdcwd, path, arguments, environment, 0);
}

Result<long> sys_execveat(Context& context, int directory, UserString path, UserAddress arguments,
                          UserAddress environment, unsigned flags) {
  return exec_at(context, directory, path, arguments, environment, flags);
}

}  // namespace linux_abi
