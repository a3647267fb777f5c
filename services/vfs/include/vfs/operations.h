// The file operations of the kernel: one function for each family of system calls. They resolve paths, check
// permissions, mounts and limits, lock, call the file system, and send notifications. The personality decodes
// arguments and calls these; the kernel's own uses (initramfs, devtmpfs, core dumps) call them with kernel
// credentials.
//
// `start` is the file behind a dirfd, null for the current directory.
#pragma once

#include <optional>
#include <string_view>

#include "vfs/attributes.h"
#include "vfs/context.h"
#include "vfs/file.h"
#include "vfs/file_system.h"
#include "vfs/inode.h"
#include "vfs/lookup.h"

namespace vfs {

// Sets up caches, the anonymous file system and the root mount (an empty ramfs-like tree). Once, at start.
Result<void> initialize(RefPtr<FileSystem> root_file_system);
// Root directory and current directory at the root of the initial namespace.
Result<RefPtr<FileSystemContext>> create_root_context();

// ---- open ----
struct OpenHow {
  OpenFlags flags = open_read_only;
  Mode mode = 0;                         // for open_create, open_temporary; the umask is applied here
  LookupFlags resolve = lookup_default;  // RESOLVE_* of openat2
};
Result<RefPtr<File>> open(const Caller& caller, const Path* start, std::string_view path, const OpenHow& how);
// Opens a place that is already known (/proc/PID/fd/N, exec, open_by_handle_at).
Result<RefPtr<File>> open_path_object(const Path& path, OpenFlags flags,
                                      RefPtr<const Credentials> credentials);

// ---- Entries ----
Result<void> make_directory(const Caller& caller, const Path* start, std::string_view path, Mode mode);
Result<void> make_node(const Caller& caller, const Path* start, std::string_view path, Mode mode,
                       DeviceNumber device);
// As make_node for AF_UNIX bind: gives the path of the new socket node. EADDRINUSE when the name exists.
Result<Path> make_socket_node(const Caller& caller, const Path* start, std::string_view path, Mode mode);
Result<void> make_symlink(const Caller& caller, std::string_view target, const Path* start,
                          std::string_view path);
Result<void> link(const Caller& caller, const Path* old_start, std::string_view old_path,
                  const Path* new_start, std::string_view new_path, LookupFlags old_flags);
Result<void> unlink(const Caller& caller, const Path* start, std::string_view path);
Result<void> remove_directory(const Caller& caller, const Path* start, std::string_view path);
// flags: RENAME_NOREPLACE 1, RENAME_EXCHANGE 2, RENAME_WHITEOUT 4.
inline constexpr unsigned rename_no_replace = 1, rename_exchange = 2, rename_whiteout = 4;
Result<void> rename(const Caller& caller, const Path* old_start, std::string_view old_path,
                    const Path* new_start, std::string_view new_path, unsigned flags);
Result<base::String> read_link(const Caller& caller, const Path* start, std::string_view path);

// ---- Attributes ----
Result<void> stat(const Caller& caller, const Path* start, std::string_view path, LookupFlags flags,
                  Attributes& out);
Result<void> stat(const Path& path, Attributes& out);
Result<void> stat(File& file, Attributes& out);
// `mode` an OR of access_*; with `credentials` those to check with (access() passes a copy with real ids).
Result<void> access(const Caller& caller, const Path* start, std::string_view path, Access mode,
                    LookupFlags flags);
Result<void> change_mode(const Caller& caller, const Path& path, Mode mode);
Result<void> change_owner(const Caller& caller, const Path& path, UserId uid, GroupId gid);  // no_id: leave
Result<void> change_times(const Caller& caller, const Path& path, TimeChange access, TimeChange modify);
// futimens on an open file: write access to the file suffices for "now".
Result<void> truncate(const Caller& caller, const Path& path, std::uint64_t size);
Result<void> truncate(File& file, std::uint64_t size);
Result<void> allocate(File& file, int mode, std::uint64_t offset, std::uint64_t length);
Result<void> statistics(const Path& path, FileSystemStatistics& out);

// ---- Extended attributes ----
Result<base::Vector<char>> get_xattr(const Caller& caller, const Path& path, std::string_view name);
Result<void> set_xattr(const Caller& caller, const Path& path, std::string_view name,
                       std::span<const char> value, XattrMode mode);
Result<void> remove_xattr(const Caller& caller, const Path& path, std::string_view name);
Result<void> list_xattrs(const Path& path, base::TextSink& out);

// ---- Process context ----
Result<void> change_directory(const Caller& caller, const Path& path);  // checks search permission
Result<void> change_root(const Caller& caller, const Path& path);       // CAP_SYS_CHROOT
// "/a/b" (without the zero byte); ENOENT when the directory was removed.
Result<std::string_view> current_directory_text(const Caller& caller, std::span<char> memory);

// ---- Mounts; all need CAP_SYS_ADMIN, checked here ----
enum class Recursion { single, recursive };
Result<void> mount_new(const Caller& caller, std::string_view source, const Path& target,
                       std::string_view type, MountFlags flags, bool file_system_read_only,
                       std::string_view data);
Result<void> mount_bind(const Caller& caller, const Path& source, const Path& target, Recursion recursion);
Result<void> mount_move(const Caller& caller, const Path& source, const Path& target);
Result<void> mount_remount(const Caller& caller, const Path& target, MountFlags flags, bool read_only,
                           std::string_view data);
Result<void> mount_change_flags(const Caller& caller, const Path& target,
                                MountFlags flags);  // MS_REMOUNT|MS_BIND
Result<void> mount_set_propagation(const Caller& caller, const Path& target, Propagation kind,
                                   Recursion recursion);
inline constexpr unsigned unmount_force = 1, unmount_detach = 2, unmount_expire = 4, unmount_no_follow = 8;
Result<void> unmount(const Caller& caller, const Path& target, unsigned flags);
// The steps of mount_new() and mount_remount() one by one.
Result<RefPtr<FileSystem>> make_file_system(const Caller& caller, const FileSystemType& type,
                                            std::string_view source, std::string_view data, bool read_only);
Result<void> reconfigure_file_system(const Caller& caller, FileSystem& file_system, bool read_only,
                                     std::string_view data);
// A mount that is in no tree, behind a path-only file; mount_move() gives it a place. What never gets one
// goes with the file, together with what is mounted below it.
Result<RefPtr<File>> open_detached_mount(RefPtr<Mount> mount, RefPtr<const Credentials> credentials);
// The copy that a bind mount shows, in no tree yet.
Result<RefPtr<Mount>> copy_mounts(const Caller& caller, const Path& source, Recursion recursion);
// mount_setattr(2): of one mount or of all below it, all or none.
struct MountChange {
  MountFlags set = 0, clear = 0;
  std::optional<Propagation> propagation;
};
Result<void> mount_change(const Caller& caller, const Path& target, const MountChange& change,
                          Recursion recursion);
// The part of its file system that a mount shows, as a path in it.
Result<std::string_view> mount_root_text(const Mount& mount, std::span<char> memory);
Result<void> pivot_root(const Caller& caller, const Path& new_root, const Path& put_old);
// The kernel's own mount on an existing directory (rootfs set-up), without checks.
Result<void> mount_kernel(const FileSystemType& type, const MountOptions& options, const Path& target,
                          MountFlags flags);
// sync(2): every mounted file system, then what programs wrote to block devices themselves.
void sync_all();
// Who has the block devices says how.
void set_sync_devices_hook(void (*hook)());

// ---- Used by file systems and tests ----
// RLIMIT_FSIZE: how much of a write of `count` bytes at `offset` the current task may do; EFBIG (and SIGXFSZ)
// when nothing. The personality supplies the limit.
using SizeLimitHook = Result<std::size_t> (*)(std::uint64_t offset, std::size_t count);
void set_size_limit_hook(SizeLimitHook hook);
// For drivers whose ioctl(2) names a descriptor: the file behind it in the current task. EBADF. Who has the
// descriptors installs it.
using DescriptorHook = Result<RefPtr<File>> (*)(int descriptor);
void set_descriptor_hook(DescriptorHook hook);
Result<RefPtr<File>> file_of_descriptor(int descriptor);
Result<std::size_t> limit_write(std::uint64_t offset, std::size_t count);
// Who the current task acts as; null for threads of the kernel, which may do everything.
using CredentialsHook = RefPtr<const Credentials> (*)();
void set_credentials_hook(CredentialsHook hook);
RefPtr<const Credentials> acting_credentials();
// Set-id bits go when somebody without CAP_FSETID writes to the file. The inode's lock is held.
void drop_set_id_bits(Inode& inode, const Credentials& credentials);
// A file for a directory of a file system whose directories are stored in the dentry cache.
Result<RefPtr<File>> open_storage_directory();
// Drops unused dentries, oldest first; returns how many. Registered with memory reclaim.
std::size_t shrink_dentry_cache(std::size_t count);
struct CacheStatistics {
  std::size_t dentries = 0, unused_dentries = 0, negative_dentries = 0, inodes = 0, files = 0;
};
CacheStatistics cache_statistics();

// Limits of /proc/sys/fs, with Linux's defaults.
struct Limits {
  std::atomic<int> protected_symlinks{1}, protected_hardlinks{1}, protected_fifos{1}, protected_regular{2};
  std::atomic<std::uint64_t> file_max{~std::uint64_t{0} >> 1};
  std::atomic<std::uint32_t> nr_open{1048576}, mount_max{100000};
  std::atomic<std::uint32_t> pipe_max_size{1048576};  // for the unprivileged; whole pages, a power of two
};
extern constinit Limits limits;

}  // namespace vfs
