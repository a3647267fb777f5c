// fanotify_init(2), fanotify_mark(2)
#include "core/memory/io_buffer.h"
#include "linux_abi/abi/file.h"
#include "linux_abi/path_start.h"
#include "syscalls/watches/fanotify_group.h"
#include "syscalls/watches/rows.h"
#include "vfs/inode.h"
#include "vfs/lookup.h"
#include "vfs/poll.h"

namespace linux_abi {

namespace fanotify {

namespace {

constexpr unsigned fionread = 0x541b;

class GroupFile final : public vfs::File {
 public:
  static constexpr int kind_tag = 0;
  explicit GroupFile(RefPtr<Group> group) : File(no_wait_capable), group_(std::move(group)) {}
  const void* kind() const override { return &kind_tag; }
  Group& group() const { return *group_; }

  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags io_flags) override {
    return group_->read(buffer, is_non_blocking() || (io_flags & vfs::io_no_wait));
  }
  Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags) override {
    if (!(group_->flags & (class_content | class_pre_content))) return error(Errno::einval);
    Response response;
    if (buffer.remaining() < sizeof(response)) return error(Errno::einval);
    if (!buffer.get(response)) return error(Errno::efault);
    return group_->answer(response);
  }
  vfs::PollEvents poll(vfs::PollWaiter* waiter) override {
    if (waiter) waiter->watch(group_->readers());
    return group_->readable() ? vfs::poll_readable : 0;
  }
  Result<long> ioctl(unsigned command, std::uintptr_t argument) override {
    if (command != fionread) return error(Errno::enotty);
    TRY(UserOut<int>(UserAddress(argument)).write(static_cast<int>(group_->available())));
    return 0;
  }
  void put_fdinfo(base::TextSink& out) override { group_->put_marks(out); }
  void release() override { group_->close(); }

 private:
  const RefPtr<Group> group_;
};

Result<void> check_init(unsigned flags, unsigned event_flags, bool privileged) {
  if (!privileged && ((flags & init_privileged) || !(flags & reports_ids))) return error(Errno::eperm);
  if (flags & ~init_known) return error(Errno::einval);
  if ((flags & report_pidfd) && (flags & report_thread)) return error(Errno::einval);
  constexpr unsigned known_event_flags = 3 | o_append | o_nonblock | vfs::open_sync | o_cloexec |
                                         vfs::open_large_file | vfs::open_no_access_time;
  if ((event_flags & ~known_event_flags) || (event_flags & 3) == 3) return error(Errno::einval);
  bool asks = flags & (class_content | class_pre_content);
  if ((flags & class_content) && (flags & class_pre_content)) return error(Errno::einval);
  if ((flags & reports_ids) && asks) return error(Errno::einval);
  if ((flags & report_name) && !(flags & report_directory)) return error(Errno::einval);
  // Ids of what was made or removed would have to be asked from an object that may be gone.
  if (flags & report_target) return error(Errno::einval);
  return {};
}

Result<void> check_mark(const Group& group, unsigned flags, std::uint64_t mask) {
  unsigned kind = flags & mark_kinds, command = flags & (mark_add | mark_remove | mark_flush);
  if ((flags & ~mark_known) || kind == mark_kinds) return error(Errno::einval);
  if (command == mark_flush) {
    if (flags & ~(mark_kinds | mark_flush)) return error(Errno::einval);
  } else if ((command != mark_add && command != mark_remove) || !mask) {
    return error(Errno::einval);
  }
  if (mask & ~(object_events | inode_events | questions | on_child | on_directory))
    return error(Errno::einval);
  if ((flags & mark_ignored_mask) && (flags & mark_ignore)) return error(Errno::einval);
  if (kind && !group.privileged) return error(Errno::eperm);
  bool asks = group.flags & (class_content | class_pre_content);
  if ((mask & questions) && !asks) return error(Errno::einval);
  if ((flags & mark_evictable) && kind) return error(Errno::einval);
  if ((mask & inode_events) && (group.reports_descriptors() || kind == mark_mount))
    return error(Errno::einval);
  return {};
}

Result<vfs::Path> marked_path(Context& context, unsigned flags, int directory, UserString path_argument) {
  if (path_argument.is_null()) {
    if (directory == at_fdcwd) return context.task.file_system->current_directory();
    FileUse file = TRY(context.task.files->use_any(directory));
    if ((flags & mark_only_directory) && !vfs::is_directory(file->inode().mode()))
      return error(Errno::enotdir);
    return file->path();
  }
  PathText text;
  std::string_view path = TRY(text.read(path_argument));
  PathStart start = TRY(PathStart::of(context, directory, path));
  vfs::LookupFlags lookup = flags & mark_do_not_follow ? vfs::lookup_default : vfs::lookup_follow;
  if (flags & mark_only_directory) lookup |= vfs::lookup_directory;
  return vfs::resolve(caller_of(context.task), start.path(), path, lookup);
}

}  // namespace

}  // namespace fanotify

Result<long> sys_fanotify_init(Context& context, unsigned flags, unsigned event_flags) {
  using namespace fanotify;
  bool privileged = context.task.can(vfs::Capability::sys_admin);
  TRY(check_init(flags, event_flags, privileged));
  auto group = TRY(base::try_make_ref<Group>(flags, event_flags, privileged));
  auto file = TRY(base::try_make_ref<GroupFile>(group));
  file->attach(TRY(vfs::anonymous_path("[fanotify]")),
               vfs::open_read_write | (flags & init_non_blocking ? vfs::open_non_blocking : 0),
               context.task.credentials_reference());
  group->open();
  auto close_on_exec = flags & init_close_on_exec ? CloseOnExec::yes : CloseOnExec::no;
  return TRY(context.task.files->add(std::move(file), close_on_exec, descriptor_limit(context)));
}

Result<long> sys_fanotify_mark(Context& context, FileDescriptor fd, unsigned flags, std::uint64_t mask,
                               int directory, UserString path_argument) {
  using namespace fanotify;
  if (mask >> 32) return error(Errno::einval);
  FileUse file = TRY(context.task.files->use(fd.number));
  auto* group_file = file->as<GroupFile>();
  if (!group_file) return error(Errno::einval);
  Group& group = group_file->group();
  TRY(check_mark(group, flags, mask));
  if (flags & mark_flush) {
    group.remove_all(flags & mark_mount         ? Mark::Kind::mount
                     : flags & mark_file_system ? Mark::Kind::file_system
                                                : Mark::Kind::inode);
    return 0;
  }
  vfs::Path path = TRY(marked_path(context, flags, directory, path_argument));
  vfs::Caller caller = caller_of(context.task);
  TRY(vfs::check_permission(path.inode(), caller.credentials, vfs::access_read));
  // The kernel's own mounts are nobody's to watch.
  bool whole = flags & mark_kinds;
  if (whole && !path.mount().mount_namespace()) return error(Errno::einval);
  bool is_directory = vfs::is_directory(path.inode().mode());
  if ((flags & mark_ignore) && !(flags & mark_ignored_survives)) {
    if (whole) return error(Errno::einval);
    if (is_directory) return error(Errno::eisdir);
  }
  if (whole || !is_directory) {
    mask &= ~std::uint64_t{on_child};
    // To report the directory of a file it has to be known.
    if (!whole && (group.flags & report_directory)) mask |= on_child;
  }
  if (flags & mark_add)
    TRY(group.add_mark(path, flags, mask));
  else
    TRY(group.remove_mark(path, flags, mask));
  return 0;
}

}  // namespace linux_abi
