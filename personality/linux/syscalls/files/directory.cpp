// getdents64(2), getdents(2), getcwd(2), chdir(2), fchdir(2), chroot(2), umask(2)
#include <cstring>

#include "syscalls/files/rows.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {

// Lays out struct linux_dirent64 (or the older linux_dirent, which keeps the type behind the name) in user
// memory.
class UserDirectory final : public vfs::DirectorySink {
 public:
  enum class Layout { wide, old };
  UserDirectory(UserAddress to, std::size_t size, Layout layout) : to_(to), size_(size), layout_(layout) {}

  vfs::SinkState entry(std::string_view name, std::uint64_t inode, std::uint8_t type,
                       std::uint64_t next) override {
    std::size_t header = layout_ == Layout::wide ? 19 : 18;
    std::size_t length =
        base::align_up(header + name.size() + (layout_ == Layout::wide ? 1 : 2), std::size_t{8});
    if (done_ + length > size_) {
      too_small_ = done_ == 0;
      return vfs::SinkState::full;
    }
    // Every byte up to `length` is written: what lies behind the name is zeroed first, with what it shares a
    // word with.
    [[clang::uninitialized]] char record[base::align_up(std::size_t{20 + vfs::name_max}, std::size_t{8}) + 8];
    std::memset(record + length - 8, 0, 8);
    auto length16 = static_cast<std::uint16_t>(length);
    std::memcpy(record, &inode, 8);
    std::memcpy(record + 8, &next, 8);
    std::memcpy(record + 16, &length16, 2);
    if (layout_ == Layout::wide)
      record[18] = static_cast<char>(type);
    else
      record[length - 1] = static_cast<char>(type);
    std::memcpy(record + header, name.data(), name.size());
    if (!core::copy_to_user(to_ + done_, std::as_bytes(std::span(record).first(length)))) {
      faulted_ = true;
      return vfs::SinkState::full;
    }
    done_ += length;
    return vfs::SinkState::more;
  }
  Result<long> result() const {
    if (done_) return static_cast<long>(done_);
    if (faulted_) return error(Errno::efault);
    if (too_small_) return error(Errno::einval);
    return 0;
  }

 private:
  UserAddress to_;
  std::size_t size_, done_ = 0;
  Layout layout_;
  bool too_small_ = false, faulted_ = false;
};

Result<long> list(Context& context, FileDescriptor fd, UserAddress to, unsigned size,
                  UserDirectory::Layout layout) {
  FileUse file = TRY(context.task.files->use(fd.number));
  UserDirectory sink(to, size, layout);
  TRY(file->list_directory(sink));
  return sink.result();
}

}  // namespace

Result<long> sys_getdents64(Context& context, FileDescriptor fd, UserAddress to, unsigned size) {
  return list(context, fd, to, size, UserDirectory::Layout::wide);
}
Result<long> sys_getdents(Context& context, FileDescriptor fd, UserAddress to, unsigned size) {
  return list(context, fd, to, size, UserDirectory::Layout::old);
}

Result<long> sys_getcwd(Context& context, UserBuffer out, std::size_t size) {
  base::Vector<char> memory;
  TRY(memory.try_resize(path_max + 1));
  std::string_view path =
      TRY(vfs::current_directory_text(caller_of(context.task), memory.span().first(path_max)));
  if (path.size() + 1 > size) return error(Errno::erange);
  char* end = memory.data() + (path.data() - memory.data()) + path.size();
  *end = '\0';
  TRY(out.write(std::as_bytes(std::span(path.data(), path.size() + 1))));
  return static_cast<long>(path.size() + 1);
}

Result<long> sys_chdir(Context& context, UserString path_argument) {
  PathText text;
  std::string_view path = TRY(text.read(path_argument));
  vfs::Caller caller = caller_of(context.task);
  TRY(vfs::change_directory(
      caller, TRY(vfs::resolve(caller, nullptr, path, vfs::lookup_follow | vfs::lookup_directory))));
  return 0;
}

Result<long> sys_fchdir(Context& context, FileDescriptor fd) {
  FileUse file = TRY(context.task.files->use_any(fd.number));
  if (!vfs::is_directory(file->inode().mode())) return error(Errno::enotdir);
  TRY(vfs::change_directory(caller_of(context.task), file->path()));
  return 0;
}

Result<long> sys_chroot(Context& context, UserString path_argument) {
  PathText text;
  std::string_view path = TRY(text.read(path_argument));
  vfs::Caller caller = caller_of(context.task);
  TRY(vfs::change_root(caller,
                       TRY(vfs::resolve(caller, nullptr, path, vfs::lookup_follow | vfs::lookup_directory))));
  return 0;
}

Result<long> sys_umask(Context& context, unsigned mask) {
  return static_cast<long>(context.task.file_system->exchange_umask(mask));
}

}  // namespace linux_abi
