// fsopen(2), fsconfig(2), fsmount(2), fspick(2)
#include "syscalls/files/mount_context.h"

#include "base/format.h"
#include "core/memory/io_buffer.h"
#include "syscalls/files/rows.h"
#include "vfs/mount.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {

constexpr std::size_t key_max = 256;
constexpr unsigned fsopen_cloexec = 1, fsmount_cloexec = 1;
constexpr unsigned fspick_cloexec = 1, fspick_symlink_nofollow = 2, fspick_no_automount = 4,
                   fspick_empty_path = 8;

enum class Command : unsigned {
  set_flag,
  set_string,
  set_binary,
  set_path,
  set_path_empty,
  set_fd,
  create,
  reconfigure,
  create_exclusive,
};

Result<void> may_mount(Context& context) {
  return context.task.can(vfs::Capability::sys_admin) ? Result<void>{} : error(Errno::eperm);
}

Result<long> give_descriptor(Context& context, RefPtr<vfs::File> file, bool close_on_exec) {
  return TRY(context.task.files->add(std::move(file), close_on_exec ? CloseOnExec::yes : CloseOnExec::no,
                                     descriptor_limit(context)));
}

Result<void> check_arguments(Command command, UserString key, UserAddress value, int aux) {
  bool good = false;
  switch (command) {
    case Command::set_flag:
      good = !key.is_null() && value.is_null() && !aux;
      break;
    case Command::set_string:
      good = !key.is_null() && !value.is_null() && !aux;
      break;
    case Command::set_binary:
      good = !key.is_null() && !value.is_null() && aux > 0 && aux <= 1 << 20;
      break;
    case Command::set_path:
    case Command::set_path_empty:
      good = !key.is_null() && !value.is_null() && (aux == at_fdcwd || aux >= 0);
      break;
    case Command::set_fd:
      good = !key.is_null() && value.is_null() && aux >= 0;
      break;
    case Command::create:
    case Command::reconfigure:
    case Command::create_exclusive:
      good = key.is_null() && value.is_null() && !aux;
      break;
    default:
      return error(Errno::eopnotsupp);
  }
  return good ? Result<void>{} : error(Errno::einval);
}

Result<base::String> read_text(UserString from, std::size_t limit) {
  auto text = from.read(limit);
  if (!text && text.error() == Errno::enametoolong) return error(Errno::einval);
  return text;
}

}  // namespace

vfs::MountFlags plain_mount_flags(std::uint64_t attributes) {
  vfs::MountFlags flags = 0;
  auto take = [&](std::uint64_t bit, vfs::MountFlags flag) {
    if (attributes & bit) flags |= flag;
  };
  take(mount_attribute::read_only, vfs::mount_read_only);
  take(mount_attribute::no_set_uid, vfs::mount_no_set_uid);
  take(mount_attribute::no_devices, vfs::mount_no_devices);
  take(mount_attribute::no_execute, vfs::mount_no_execute);
  take(mount_attribute::no_directory_access_time, vfs::mount_no_directory_access_time);
  take(mount_attribute::no_symlink_follow, vfs::mount_no_symlink_follow);
  return flags;
}

Result<vfs::MountFlags> access_time_flags(std::uint64_t attributes) {
  switch (attributes & mount_attribute::time_mask) {
    case 0:
      return vfs::mount_relative_access_time;
    case mount_attribute::no_access_time:
      return vfs::mount_no_access_time;
    case mount_attribute::strict_access_time:
      return vfs::MountFlags{0};
    default:
      return error(Errno::einval);
  }
}

std::uint64_t mount_attributes(vfs::MountFlags flags) {
  std::uint64_t attributes = 0;
  auto take = [&](vfs::MountFlags flag, std::uint64_t bit) {
    if (flags & flag) attributes |= bit;
  };
  take(vfs::mount_read_only, mount_attribute::read_only);
  take(vfs::mount_no_set_uid, mount_attribute::no_set_uid);
  take(vfs::mount_no_devices, mount_attribute::no_devices);
  take(vfs::mount_no_execute, mount_attribute::no_execute);
  take(vfs::mount_no_directory_access_time, mount_attribute::no_directory_access_time);
  take(vfs::mount_no_symlink_follow, mount_attribute::no_symlink_follow);
  if (flags & vfs::mount_no_access_time)
    attributes |= mount_attribute::no_access_time;
  else if (!(flags & vfs::mount_relative_access_time))
    attributes |= mount_attribute::strict_access_time;
  return attributes;
}

// --- The context

Result<RefPtr<MountContext>> MountContext::create(Task& task, const vfs::FileSystemType& type) {
  auto made = TRY(base::try_make_ref<MountContext>(type));
  made->attach(TRY(vfs::anonymous_path("[fscontext]")), vfs::open_read_write, task.credentials_reference());
  return made;
}

Result<RefPtr<MountContext>> MountContext::pick(Task& task, const vfs::Path& root) {
  vfs::FileSystem& file_system = root.mount().file_system();
  auto made = TRY(create(task, file_system.type()));
  core::MutexGuard guard{made->lock_};
  made->phase_ = Phase::reconfiguring;
  made->file_system_ = RefPtr<vfs::FileSystem>(&file_system);
  return made;
}

Result<std::size_t> MountContext::read_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags) {
  core::MutexGuard guard{lock_};
  if (messages_.empty()) return error(Errno::enodata);
  std::string_view text = messages_[0];
  if (text.size() > buffer.remaining()) return error(Errno::emsgsize);
  std::size_t done = buffer.copy_out(std::as_bytes(std::span(text)));
  if (done < text.size()) return error(Errno::efault);
  for (std::size_t i = 1; i < messages_.size(); ++i) messages_[i - 1] = std::move(messages_[i]);
  messages_.pop_back();
  return done;
}

Result<void> MountContext::complain_locked(std::string_view text, std::string_view key) {
  char memory[key_max + 64];
  base::TextBuffer line(memory);
  base::format(line, "e {}: {}", type_.name(), text);
  if (!key.empty()) base::format(line, " '{}'", key);
  line.put("\n");
  // Without memory for the words the error is still the error.
  auto message = base::String::create(line.view());
  if (message && messages_.size() < messages_max) (void)messages_.try_push_back(std::move(*message));
  return error(Errno::einval);
}

bool MountContext::set_flag_locked(std::string_view key) {
  if (key == "ro" || key == "rw") {
    read_only_ = key == "ro" ? ReadOnly::yes : ReadOnly::no;
    return true;
  }
  // Every write is as synchronous as its file system can be; these ask for nothing else.
  for (std::string_view known : {"async", "dirsync", "lazytime", "mand", "nolazytime", "nomand", "sync"})
    if (key == known) return true;
  return false;
}

Result<void> MountContext::set_locked(std::string_view key, const std::string_view* value) {
  if (phase_ != Phase::creating && phase_ != Phase::reconfiguring) return error(Errno::ebusy);
  if (!value && set_flag_locked(key)) return {};
  if (key == "source") {
    if (!value) return complain_locked("Non-string source", {});
    if (has_source_) return complain_locked("Multiple sources", {});
    source_ = TRY(base::String::create(*value));
    has_source_ = true;
    return {};
  }
  if (key.find_first_of(",=") != key.npos || (value && value->find(',') != value->npos))
    return complain_locked("Unknown parameter", key);
  base::String option = TRY(base::String::create(key));
  if (value) {
    TRY(option.try_push_back('='));
    TRY(option.try_append(*value));
  }
  using Verdict = vfs::FileSystemType::OptionVerdict;
  switch (type_.check_option(option)) {
    case Verdict::good:
      break;
    case Verdict::unknown:
      return complain_locked("Unknown parameter", key);
    case Verdict::bad_value:
      return complain_locked("Bad value for", key);
  }
  if (data_.size() + option.size() + 2 > core::page_size) return complain_locked("Too many options", {});
  if (!data_.empty()) TRY(data_.try_push_back(','));
  return data_.try_append(option);
}

Result<void> MountContext::set(std::string_view key, const std::string_view* value) {
  core::MutexGuard guard{lock_};
  return set_locked(key, value);
}

Result<void> MountContext::refuse(std::string_view key) {
  core::MutexGuard guard{lock_};
  if (phase_ != Phase::creating && phase_ != Phase::reconfiguring) return error(Errno::ebusy);
  return complain_locked("Unknown parameter", key);
}

Result<void> MountContext::make(const vfs::Caller& caller) {
  core::MutexGuard guard{lock_};
  if (phase_ != Phase::creating) return error(Errno::ebusy);
  if (type_.needs_device() && !has_source_) {
    phase_ = Phase::failed;
    return complain_locked("No source specified", {});
  }
  auto made = vfs::make_file_system(caller, type_, source_, data_, read_only_ == ReadOnly::yes);
  if (!made) {
    phase_ = Phase::failed;
    return error(made.error());
  }
  file_system_ = std::move(*made);
  phase_ = Phase::awaiting_mount;
  data_ = {};
  return {};
}

Result<void> MountContext::reconfigure(const vfs::Caller& caller) {
  core::MutexGuard guard{lock_};
  if (phase_ != Phase::reconfiguring) return error(Errno::ebusy);
  bool read_only =
      read_only_ == ReadOnly::unsaid ? file_system_->is_read_only() : read_only_ == ReadOnly::yes;
  auto changed = vfs::reconfigure_file_system(caller, *file_system_, read_only, data_);
  if (!changed) phase_ = Phase::failed;
  data_ = {};
  read_only_ = ReadOnly::unsaid;
  return changed;
}

Result<RefPtr<vfs::Mount>> MountContext::mount(vfs::MountFlags flags) {
  core::MutexGuard guard{lock_};
  if (phase_ == Phase::failed || phase_ == Phase::reconfiguring) return error(Errno::ebusy);
  if (phase_ != Phase::awaiting_mount) return error(Errno::einval);
  auto made = TRY(vfs::Mount::create(file_system_, file_system_->root(),
                                     has_source_ ? source_.view() : std::string_view("none"), flags));
  phase_ = Phase::reconfiguring;
  read_only_ = ReadOnly::unsaid;
  return made;
}

// --- The calls

Result<long> sys_fsopen(Context& context, UserString name_argument, unsigned flags) {
  TRY(may_mount(context));
  if (flags & ~fsopen_cloexec) return error(Errno::einval);
  base::String name = TRY(read_text(name_argument, core::page_size));
  const vfs::FileSystemType* type = vfs::find_file_system(name);
  if (!type) return error(Errno::enodev);
  return give_descriptor(context, TRY(MountContext::create(context.task, *type)), flags & fsopen_cloexec);
}

Result<long> sys_fsconfig(Context& context, int fd, unsigned command_number, UserString key_argument,
                          UserAddress value_argument, int aux) {
  if (fd < 0) return error(Errno::einval);
  auto command = static_cast<Command>(command_number);
  TRY(check_arguments(command, key_argument, value_argument, aux));
  auto file = TRY(context.task.files->use_any(fd));
  auto* configured = file->as<MountContext>();
  if (!configured) return error(Errno::einval);
  vfs::Caller caller = caller_of(context.task);
  base::String key;
  if (!key_argument.is_null()) key = TRY(read_text(key_argument, key_max));
  switch (command) {
    case Command::set_flag:
      TRY(configured->set(key, nullptr));
      return 0;
    case Command::set_string: {
      base::String value = TRY(read_text(UserString(value_argument), key_max));
      std::string_view text = value;
      TRY(configured->set(key, &text));
      return 0;
    }
    case Command::create:
    case Command::create_exclusive:
      TRY(may_mount(context));
      TRY(configured->make(caller));
      return 0;
    case Command::reconfigure:
      TRY(may_mount(context));
      TRY(configured->reconfigure(caller));
      return 0;
    default:
      TRY(configured->refuse(key));
      return 0;
  }
}

Result<long> sys_fsmount(Context& context, int fd, unsigned flags, unsigned attributes) {
  TRY(may_mount(context));
  if (flags & ~fsmount_cloexec) return error(Errno::einval);
  if (attributes & ~(mount_attribute::plain | mount_attribute::time_mask)) return error(Errno::einval);
  vfs::MountFlags mount_flags = plain_mount_flags(attributes) | TRY(access_time_flags(attributes));
  auto file = TRY(context.task.files->use_any(fd));
  auto* configured = file->as<MountContext>();
  if (!configured) return error(Errno::einval);
  auto mount = TRY(configured->mount(mount_flags));
  return give_descriptor(
      context, TRY(vfs::open_detached_mount(std::move(mount), context.task.credentials_reference())),
      flags & fsmount_cloexec);
}

Result<long> sys_fspick(Context& context, int directory, UserString path_argument, unsigned flags) {
  TRY(may_mount(context));
  if (flags & ~(fspick_cloexec | fspick_symlink_nofollow | fspick_no_automount | fspick_empty_path))
    return error(Errno::einval);
  PathText text;
  std::string_view path = TRY(text.read(path_argument));
  PathStart start = TRY(PathStart::of(context, directory, path));
  vfs::LookupFlags lookup = flags & fspick_symlink_nofollow ? vfs::lookup_default : vfs::lookup_follow;
  if (flags & fspick_empty_path) lookup |= vfs::lookup_empty_allowed;
  vfs::Path root = TRY(vfs::resolve(caller_of(context.task), start.path(), path, lookup));
  if (&root.dentry() != &root.mount().root()) return error(Errno::einval);
  return give_descriptor(context, TRY(MountContext::pick(context.task, root)), flags & fspick_cloexec);
}

}  // namespace linux_abi
