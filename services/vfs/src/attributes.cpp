// stat, chmod, chown, utimensat, truncate, access, statfs, extended attributes.
#include "open_access.h"
#include "vfs/access_list.h"
#include "vfs/device.h"
#include "vfs/file_system.h"
#include "vfs/notify.h"
#include "vfs/operations.h"
#include "vfs_internal.h"

namespace vfs {

// ---- Reading ----

namespace {
Result<void> read_attributes(Inode& inode, const Mount& mount, Attributes& out) {
  TRY(inode.get_attributes(out));
  out.mount_id = static_cast<std::uint64_t>(mount.id());
  if (is_block(inode.mode())) add_device_attributes(DeviceKind::block, inode.device(), out);
  return {};
}
}  // namespace

Result<void> stat(const Caller& caller, const Path* start, std::string_view path, LookupFlags flags,
                  Attributes& out) {
  return with_resolved(caller, start, path, flags,
                       [&](Inode& inode, Mount& mount, MaySleep may_sleep) -> Result<bool> {
                         bool is_slow = inode.has(Inode::slow_attributes) || is_block(inode.mode());
                         if (may_sleep == MaySleep::no && is_slow) return false;
                         TRY(read_attributes(inode, mount, out));
                         return true;
                       });
}

Result<void> stat(const Path& path, Attributes& out) {
  return read_attributes(path.inode(), path.mount(), out);
}
Result<void> stat(File& file, Attributes& out) {
  return read_attributes(file.inode(), file.path().mount(), out);
}

Result<void> access(const Caller& caller, const Path* start, std::string_view path, Access mode,
                    LookupFlags flags) {
  return with_resolved(
      caller, start, path, flags, [&](Inode& inode, Mount& mount, MaySleep may_sleep) -> Result<bool> {
        if (may_sleep == MaySleep::no && inode.has(Inode::custom_permission)) return false;
        Mode type = inode.mode();
        if ((mode & access_execute) && is_regular(type) && mount.has(mount_no_execute))
          return error(Errno::eacces);
        if (mode) TRY(check_permission(inode, caller.credentials, mode));
        bool is_special = is_character(type) || is_block(type) || is_fifo(type) || is_socket(type);
        if ((mode & access_write) && !is_special && mount.is_read_only()) return error(Errno::erofs);
        if ((mode & access_write) && inode.has(Inode::immutable)) return error(Errno::eperm);
        return true;
      });
}

Result<void> statistics(const Path& path, FileSystemStatistics& out) {
  TRY(path.mount().file_system().statistics(out));
  constexpr std::uint64_t valid = 0x20;
  out.flags = path.mount().flags() | valid | (path.mount().is_read_only() ? mount_read_only : 0);
  if (!out.id) out.id = path.mount().file_system().device().encoded();
  return {};
}

// ---- Changing ----

namespace {

bool owns(const Inode& inode, const Credentials& credentials) {
  return inode.uid() == credentials.fsuid || credentials.can(Capability::fowner);
}

Result<void> apply(const Path& path, AttributeChange& change) {
  change.change_time = current_time();
  TRY(path.inode().change_attributes(change));
  return {};
}

Result<void> may_change(const Inode& inode) {
  if (inode.has(Inode::immutable) || inode.has(Inode::append_only)) return error(Errno::eperm);
  return {};
}

}  // namespace

Result<void> change_mode(const Caller& caller, const Path& path, Mode mode) {
  MountWrite write;
  TRY(write.acquire(path.mount()));
  Inode& inode = path.inode();
  if (is_symlink(inode.mode())) return error(Errno::eopnotsupp);
  {
    core::WriteGuard guard{inode.lock()};
    TRY(may_change(inode));
    if (!owns(inode, caller.credentials)) return error(Errno::eperm);
    if (!caller.credentials.in_group(inode.gid()) && !caller.credentials.can(Capability::fsetid))
      mode &= ~mode_set_gid;
    AttributeChange change;
    change.mode = mode & mode_permissions;
    TRY(apply(path, change));
  }
  notify(path, inode, notify_attributes | (is_directory(inode.mode()) ? notify_is_directory : 0));
  return {};
}

Result<void> change_owner(const Caller& caller, const Path& path, UserId uid, GroupId gid) {
  MountWrite write;
  TRY(write.acquire(path.mount()));
  Inode& inode = path.inode();
  {
    core::WriteGuard guard{inode.lock()};
    TRY(may_change(inode));
    const Credentials& credentials = caller.credentials;
    bool is_owner = inode.uid() == credentials.fsuid;
    bool all_powerful = credentials.can(Capability::chown);
    if (uid != no_id && !all_powerful && !(is_owner && uid == inode.uid())) return error(Errno::eperm);
    if (gid != no_id && !all_powerful && !(is_owner && (gid == inode.gid() || credentials.in_group(gid))))
      return error(Errno::eperm);
    AttributeChange change;
    if (uid != no_id) change.uid = uid;
    if (gid != no_id) change.gid = gid;
    Mode mode = inode.mode();
    if (!is_directory(mode)) {
      Mode kept = mode & ~mode_set_uid;
      if ((mode & (mode_set_gid | 010)) == (mode_set_gid | 010) ||
          ((mode & mode_set_gid) && !credentials.in_group(inode.gid()) &&
           !credentials.can(Capability::fsetid)))
        kept &= ~mode_set_gid;
      if (kept != mode) change.mode = kept & mode_permissions;
    }
    TRY(apply(path, change));
  }
  notify(path, inode, notify_attributes | (is_directory(inode.mode()) ? notify_is_directory : 0));
  return {};
}

Result<void> change_times(const Caller& caller, const Path& path, TimeChange access, TimeChange modify) {
  if (access.kind == TimeChange::Kind::omit && modify.kind == TimeChange::Kind::omit) return {};
  MountWrite write;
  TRY(write.acquire(path.mount()));
  Inode& inode = path.inode();
  {
    core::WriteGuard guard{inode.lock()};
    bool both_now = access.kind == TimeChange::Kind::now && modify.kind == TimeChange::Kind::now;
    if (inode.has(Inode::immutable)) return error(both_now ? Errno::eacces : Errno::eperm);
    if (!owns(inode, caller.credentials)) {
      if (!both_now) return error(Errno::eperm);
      TRY(check_permission(inode, caller.credentials, access_write));
    }
    Timestamp now = current_time();
    AttributeChange change;
    if (access.kind != TimeChange::Kind::omit)
      change.access_time = access.kind == TimeChange::Kind::now ? now : access.time;
    if (modify.kind != TimeChange::Kind::omit)
      change.modify_time = modify.kind == TimeChange::Kind::now ? now : modify.time;
    TRY(apply(path, change));
  }
  NotifyEvents events = notify_attributes;
  if (access.kind == TimeChange::Kind::omit) events = notify_modify;
  if (modify.kind == TimeChange::Kind::omit) events = notify_access;
  notify(path, inode, events | (is_directory(inode.mode()) ? notify_is_directory : 0));
  return {};
}

namespace {
constinit std::atomic<SizeLimitHook> size_limit_hook{nullptr};
constinit std::atomic<DescriptorHook> descriptor_hook{nullptr};
constinit std::atomic<CredentialsHook> credentials_hook{nullptr};
}  // namespace

void set_size_limit_hook(SizeLimitHook hook) { size_limit_hook.store(hook, std::memory_order_release); }
Result<std::size_t> limit_write(std::uint64_t offset, std::size_t count) {
  SizeLimitHook hook = size_limit_hook.load(std::memory_order_acquire);
  return hook ? hook(offset, count) : Result<std::size_t>(count);
}

void set_descriptor_hook(DescriptorHook hook) { descriptor_hook.store(hook, std::memory_order_release); }
Result<RefPtr<File>> file_of_descriptor(int descriptor) {
  DescriptorHook hook = descriptor_hook.load(std::memory_order_acquire);
  if (!hook) return error(Errno::ebadf);
  return hook(descriptor);
}

void set_credentials_hook(CredentialsHook hook) { credentials_hook.store(hook, std::memory_order_release); }
RefPtr<const Credentials> acting_credentials() {
  CredentialsHook hook = credentials_hook.load(std::memory_order_acquire);
  return hook ? hook() : nullptr;
}

void drop_set_id_bits(Inode& inode, const Credentials& credentials) {
  Mode mode = inode.mode();
  if (!(mode & (mode_set_uid | mode_set_gid)) || credentials.can(Capability::fsetid)) return;
  mode &= ~mode_set_uid;
  if (mode & 010) mode &= ~mode_set_gid;
  inode.set_mode(mode);
}

namespace {

Result<void> truncate_locked(Inode& inode, const Credentials& credentials, std::uint64_t size) {
  if (inode.has(Inode::swap_file)) return error(Errno::etxtbsy);
  if (size > inode.file_system().maximum_size()) return error(Errno::efbig);
  if (size > inode.size()) {
    std::size_t growth = size - inode.size();
    if (TRY(limit_write(inode.size(), growth)) < growth) {
      (void)TRY(limit_write(size, 1));
      return error(Errno::efbig);
    }
  }
  AttributeChange change;
  change.size = size;
  change.modify_time = change.change_time = current_time();
  Mode mode = inode.mode();
  if (!credentials.can(Capability::fsetid)) {
    // Whoever changes the content takes away the right to run it as its owner.
    Mode kept = mode & ~mode_set_uid;
    if ((mode & (mode_set_gid | 010)) == (mode_set_gid | 010)) kept &= ~mode_set_gid;
    if (kept != mode) change.mode = kept & mode_permissions;
  }
  return inode.change_attributes(change);
}

}  // namespace

Result<void> truncate(const Caller& caller, const Path& path, std::uint64_t size) {
  Inode& inode = path.inode();
  if (is_directory(inode.mode())) return error(Errno::eisdir);
  if (!is_regular(inode.mode())) return error(Errno::einval);
  MountWrite write;
  TRY(write.acquire(path.mount()));
  TRY(check_permission(inode, caller.credentials, access_write));
  if (inode.has(Inode::append_only) || inode.has(Inode::immutable)) return error(Errno::eperm);
  TRY(inode.acquire_write_access());
  Result<void> result;
  {
    core::WriteGuard guard{inode.lock()};
    result = truncate_locked(inode, caller.credentials, size);
  }
  inode.release_write_access();
  if (result) notify(path, inode, notify_modify);
  return result;
}

Result<void> truncate(File& file, std::uint64_t size) {
  if (file.has_trait(File::path_only)) return error(Errno::ebadf);
  Inode& inode = file.inode();
  if (!is_regular(inode.mode()) || !file.can_write()) {
    // O_TRUNC on a descriptor that is open for reading only has been checked at open.
    if (!is_regular(inode.mode())) return error(Errno::einval);
  }
  if (inode.has(Inode::append_only)) return error(Errno::eperm);
  {
    core::WriteGuard guard{inode.lock()};
    TRY(truncate_locked(inode, file.credentials(), size));
  }
  notify(file.path(), inode, notify_modify);
  return {};
}

Result<void> allocate(File& file, int mode, std::uint64_t offset, std::uint64_t length) {
  constexpr auto largest = static_cast<std::uint64_t>(INT64_MAX);
  if (length == 0 || offset > largest || length > largest) return error(Errno::einval);
  if (mode & ~0x7f) return error(Errno::eopnotsupp);
  if (!file.can_write()) return error(Errno::ebadf);
  Inode& inode = file.inode();
  if (inode.has(Inode::append_only) && (mode & ~1)) return error(Errno::eperm);
  if (inode.has(Inode::immutable)) return error(Errno::eperm);
  if (inode.has(Inode::swap_file)) return error(Errno::etxtbsy);
  if (is_fifo(inode.mode())) return error(Errno::espipe);
  if (is_directory(inode.mode())) return error(Errno::eisdir);
  if (!is_regular(inode.mode()) && !is_block(inode.mode())) return error(Errno::enodev);
  if (is_regular(inode.mode()) && offset + length > inode.file_system().maximum_size())
    return error(Errno::efbig);
  TRY(file.allocate(mode, offset, length));
  notify(file.path(), inode, notify_modify);
  return {};
}

// ---- Extended attributes ----

namespace {

Result<void> may_use_xattr(const Inode& inode, const Credentials& credentials, std::string_view name,
                           Access access) {
  if (name.empty() || name.size() > 255) return error(Errno::erange);
  if (access == access_write && (inode.has(Inode::immutable) || inode.has(Inode::append_only)))
    return error(Errno::eperm);
  if (name.starts_with("trusted.")) {
    if (!credentials.can(Capability::sys_admin))
      return error(access == access_write ? Errno::eperm : Errno::enodata);
    return {};
  }
  if (name.starts_with("security.")) {
    if (access == access_write &&
        !credentials.can(name == "security.capability" ? Capability::setfcap : Capability::sys_admin))
      return error(Errno::eperm);
    return {};
  }
  if (name.starts_with("user.")) {
    Mode mode = inode.mode();
    if (!is_regular(mode) && !is_directory(mode))
      return error(access == access_write ? Errno::eperm : Errno::enodata);
    if (is_directory(mode) && (mode & mode_sticky) && access == access_write && !owns(inode, credentials))
      return error(Errno::eperm);
    return check_permission(inode, credentials, access);
  }
  if (name.starts_with("system.")) {
    if (access == access_write && !owns(inode, credentials)) return error(Errno::eperm);
    return {};
  }
  return error(Errno::eopnotsupp);
}

}  // namespace

Result<base::Vector<char>> get_xattr(const Caller& caller, const Path& path, std::string_view name) {
  Inode& inode = path.inode();
  TRY(may_use_xattr(inode, caller.credentials, name, access_read));
  core::ReadGuard guard{inode.lock()};
  return inode.get_xattr(name);
}

Result<void> set_xattr(const Caller& caller, const Path& path, std::string_view name,
                       std::span<const char> value, XattrMode mode) {
  MountWrite write;
  TRY(write.acquire(path.mount()));
  Inode& inode = path.inode();
  TRY(may_use_xattr(inode, caller.credentials, name, access_write));
  {
    core::WriteGuard guard{inode.lock()};
    TRY(inode.set_xattr(name, value, mode));
    // As chmod: who is not of the group does not leave it the right to run the file in its name.
    if (name == access_list_name && (inode.mode() & mode_set_gid) &&
        !caller.credentials.in_group(inode.gid()) && !caller.credentials.can(Capability::fsetid))
      inode.set_mode(inode.mode() & ~mode_set_gid);
    inode.touch_changed();
  }
  notify(path, inode, notify_attributes);
  return {};
}

Result<void> remove_xattr(const Caller& caller, const Path& path, std::string_view name) {
  MountWrite write;
  TRY(write.acquire(path.mount()));
  Inode& inode = path.inode();
  TRY(may_use_xattr(inode, caller.credentials, name, access_write));
  {
    core::WriteGuard guard{inode.lock()};
    TRY(inode.remove_xattr(name));
    inode.touch_changed();
  }
  notify(path, inode, notify_attributes);
  return {};
}

Result<void> list_xattrs(const Path& path, base::TextSink& out) {
  core::ReadGuard guard{path.inode().lock()};
  path.inode().list_xattrs(out);
  return {};
}

}  // namespace vfs
