// getxattr(2), setxattr(2), listxattr(2), removexattr(2), each by path, link and descriptor
#include "syscalls/files/rows.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {

constexpr std::size_t name_limit = 256, value_limit = 65536;
constexpr int create_flag = 1, replace_flag = 2;

class NameText {
 public:
  Result<std::string_view> read(UserString from) {
    auto name = from.read(std::span(text_));
    if (!name) return error(name.error() == Errno::enametoolong ? Errno::erange : name.error());
    if (name->empty()) return error(Errno::erange);
    return name;
  }

 private:
  char text_[name_limit];
};

Result<vfs::Path> by_path(Context& context, UserString path_argument, vfs::LookupFlags lookup) {
  PathText text;
  std::string_view path = TRY(text.read(path_argument));
  return vfs::resolve(caller_of(context.task), nullptr, path, lookup);
}

Result<long> set(Context& context, const vfs::Path& path, UserString name, UserBuffer from, std::size_t size,
                 int flags) {
  if (flags & ~(create_flag | replace_flag)) return error(Errno::einval);
  NameText text;
  std::string_view key = TRY(text.read(name));
  if (size > value_limit) return error(Errno::e2big);
  base::Vector<char> value;
  TRY(value.try_resize(size));
  TRY(from.read(std::as_writable_bytes(value.span())));
  auto mode = flags & create_flag    ? vfs::XattrMode::create_only
              : flags & replace_flag ? vfs::XattrMode::replace_only
                                     : vfs::XattrMode::set;
  TRY(vfs::set_xattr(caller_of(context.task), path, key, value.span(), mode));
  return 0;
}

// Size 0 asks for the size.
Result<long> give(std::span<const char> value, UserBuffer to, std::size_t size) {
  if (size == 0) return static_cast<long>(value.size());
  if (value.size() > size) return error(Errno::erange);
  TRY(to.write(std::as_bytes(value)));
  return static_cast<long>(value.size());
}

Result<long> get(Context& context, const vfs::Path& path, UserString name, UserBuffer to, std::size_t size) {
  NameText text;
  std::string_view key = TRY(text.read(name));
  auto value = TRY(vfs::get_xattr(caller_of(context.task), path, key));
  return give(value.span(), to, size);
}

Result<long> list(const vfs::Path& path, UserBuffer to, std::size_t size) {
  base::Vector<char> memory;
  TRY(memory.try_resize(value_limit));
  base::TextBuffer names(memory.span());
  TRY(vfs::list_xattrs(path, names));
  return give(std::span(names.view().data(), names.view().size()), to, size);
}

Result<long> remove(Context& context, const vfs::Path& path, UserString name) {
  NameText text;
  std::string_view key = TRY(text.read(name));
  TRY(vfs::remove_xattr(caller_of(context.task), path, key));
  return 0;
}

}  // namespace

Result<long> sys_setxattr(Context& c, UserString path, UserString name, UserBuffer value, std::size_t size,
                          int flags) {
  return set(c, TRY(by_path(c, path, vfs::lookup_follow)), name, value, size, flags);
}
Result<long> sys_lsetxattr(Context& c, UserString path, UserString name, UserBuffer value, std::size_t size,
                           int flags) {
  return set(c, TRY(by_path(c, path, vfs::lookup_default)), name, value, size, flags);
}
Result<long> sys_fsetxattr(Context& c, FileDescriptor fd, UserString name, UserBuffer value, std::size_t size,
                           int flags) {
  return set(c, TRY(c.task.files->use(fd.number))->path(), name, value, size, flags);
}
Result<long> sys_getxattr(Context& c, UserString path, UserString name, UserBuffer value, std::size_t size) {
  return get(c, TRY(by_path(c, path, vfs::lookup_follow)), name, value, size);
}
Result<long> sys_lgetxattr(Context& c, UserString path, UserString name, UserBuffer value, std::size_t size) {
  return get(c, TRY(by_path(c, path, vfs::lookup_default)), name, value, size);
}
Result<long> sys_fgetxattr(Context& c, FileDescriptor fd, UserString name, UserBuffer value,
                           std::size_t size) {
  return get(c, TRY(c.task.files->use(fd.number))->path(), name, value, size);
}
Result<long> sys_listxattr(Context& c, UserString path, UserBuffer out, std::size_t size) {
  return list(TRY(by_path(c, path, vfs::lookup_follow)), out, size);
}
Result<long> sys_llistxattr(Context& c, UserString path, UserBuffer out, std::size_t size) {
  return list(TRY(by_path(c, path, vfs::lookup_default)), out, size);
}
Result<long> sys_flistxattr(Context& c, FileDescriptor fd, UserBuffer out, std::size_t size) {
  return list(TRY(c.task.files->use(fd.number))->path(), out, size);
}
Result<long> sys_removexattr(Context& c, UserString path, UserString name) {
  return remove(c, TRY(by_path(c, path, vfs::lookup_follow)), name);
}
Result<long> sys_lremovexattr(Context& c, UserString path, UserString name) {
  return remove(c, TRY(by_path(c, path, vfs::lookup_default)), name);
}
Result<long> sys_fremovexattr(Context& c, FileDescriptor fd, UserString name) {
  return remove(c, TRY(c.task.files->use(fd.number))->path(), name);
}

}  // namespace linux_abi
