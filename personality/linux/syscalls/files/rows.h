// Files: opening, reading and writing, names, attributes, descriptors, mounts.
#pragma once

#include "arch/linux_abi.h"
#include "linux_abi/abi/file.h"
#include "linux_abi/abi/types.h"
#include "linux_abi/path_start.h"
#include "linux_abi/prelude.h"
#include "linux_abi/quick_row.h"

namespace linux_abi {

Result<long> sys_read(Context& context, FileDescriptor fd, UserAddress to, std::size_t size);
Result<long> sys_write(Context& context, FileDescriptor fd, UserAddress from, std::size_t size);
// A few bytes of one page in memory.
std::size_t quick_pread64(Context& context, FileDescriptor fd, UserAddress to, std::size_t size,
                          std::int64_t offset);
Result<long> sys_pread64(Context& context, FileDescriptor fd, UserAddress to, std::size_t size,
                         std::int64_t offset);
Result<long> sys_pwrite64(Context& context, FileDescriptor fd, UserAddress from, std::size_t size,
                          std::int64_t offset);
Result<long> sys_preadv2(Context& context, FileDescriptor fd, UserArray<Iovec> vectors, std::size_t count,
                         std::int64_t offset, std::uint64_t, unsigned flags);
Result<long> sys_pwritev2(Context& context, FileDescriptor fd, UserArray<Iovec> vectors, std::size_t count,
                          std::int64_t offset, std::uint64_t, unsigned flags);
Result<long> sys_readv(Context& context, FileDescriptor fd, UserArray<Iovec> vectors, std::size_t count);
Result<long> sys_writev(Context& context, FileDescriptor fd, UserArray<Iovec> vectors, std::size_t count);
Result<long> sys_preadv(Context& context, FileDescriptor fd, UserArray<Iovec> vectors, std::size_t count,
                        std::int64_t offset);
Result<long> sys_pwritev(Context& context, FileDescriptor fd, UserArray<Iovec> vectors, std::size_t count,
                         std::int64_t offset);
Result<long> sys_lseek(Context& context, FileDescriptor fd, std::int64_t offset, unsigned whence);
Result<long> sys_openat(Context& context, int directory, UserString path, unsigned flags, unsigned mode);
Result<long> sys_open(Context& context, UserString path, unsigned flags, unsigned mode);
Result<long> sys_creat(Context& context, UserString path, unsigned mode);
Result<long> sys_openat2(Context& context, int directory, UserString path, UserAddress how_address,
                         std::size_t size);
Result<long> sys_close(Context& context, FileDescriptor fd);
Result<long> sys_close_range(Context& context, unsigned first, unsigned last, unsigned flags);
Result<long> sys_fstat(Context& context, FileDescriptor fd, UserOut<arch::LinuxStat> out);
Result<long> sys_newfstatat(Context& context, int directory, UserString path, UserOut<arch::LinuxStat> out,
                            unsigned flags);
Result<long> sys_stat(Context& context, UserString path, UserOut<arch::LinuxStat> out);
Result<long> sys_lstat(Context& context, UserString path, UserOut<arch::LinuxStat> out);
Result<long> sys_statx(Context& context, int directory, UserString path, unsigned flags, std::uint32_t mask,
                       UserOut<Statx> out);
Result<long> sys_statfs(Context& context, UserString path_argument, UserOut<Statfs> out);
Result<long> sys_fstatfs(Context& context, FileDescriptor fd, UserOut<Statfs> out);
Result<long> sys_faccessat2(Context& context, int directory, UserString path_argument, unsigned mode,
                            unsigned flags);
Result<long> sys_faccessat(Context& context, int directory, UserString path, unsigned mode);
Result<long> sys_access(Context& context, UserString path, unsigned mode);
Result<long> sys_getdents64(Context& context, FileDescriptor fd, UserAddress to, unsigned size);
Result<long> sys_getdents(Context& context, FileDescriptor fd, UserAddress to, unsigned size);
Result<long> sys_getcwd(Context& context, UserBuffer out, std::size_t size);
Result<long> sys_chdir(Context& context, UserString path_argument);
Result<long> sys_fchdir(Context& context, FileDescriptor fd);
Result<long> sys_chroot(Context& context, UserString path_argument);
Result<long> sys_umask(Context& context, unsigned mask);
Result<long> sys_mkdirat(Context& context, int directory, UserString path_argument, unsigned mode);
Result<long> sys_mkdir(Context& context, UserString path, unsigned mode);
Result<long> sys_mknodat(Context& context, int directory, UserString path_argument, unsigned mode,
                         std::uint32_t device);
Result<long> sys_mknod(Context& context, UserString path, unsigned mode, std::uint32_t device);
Result<long> sys_unlinkat(Context& context, int directory, UserString path_argument, unsigned flags);
Result<long> sys_unlink(Context& context, UserString path);
Result<long> sys_rmdir(Context& context, UserString path);
Result<long> sys_linkat(Context& context, int old_directory, UserString old_argument, int new_directory,
                        UserString new_argument, unsigned flags);
Result<long> sys_link(Context& context, UserString old_path, UserString new_path);
Result<long> sys_symlinkat(Context& context, UserString target_argument, int directory,
                           UserString path_argument);
Result<long> sys_symlink(Context& context, UserString target, UserString path);
Result<long> sys_readlinkat(Context& context, int directory, UserString path_argument, UserBuffer out,
                            int size);
Result<long> sys_readlink(Context& context, UserString path, UserBuffer out, int size);
Result<long> sys_renameat2(Context& context, int old_directory, UserString old_argument, int new_directory,
                           UserString new_argument, unsigned flags);
Result<long> sys_renameat(Context& context, int old_directory, UserString old_path, int new_directory,
                          UserString new_path);
Result<long> sys_rename(Context& context, UserString old_path, UserString new_path);
Result<long> sys_fchmodat2(Context& context, int directory, UserString path, unsigned mode, unsigned flags);
Result<long> sys_fchmodat(Context& context, int directory, UserString path, unsigned mode);
Result<long> sys_chmod(Context& context, UserString path, unsigned mode);
Result<long> sys_fchmod(Context& context, FileDescriptor fd, unsigned mode);
Result<long> sys_fchownat(Context& context, int directory, UserString path, std::uint32_t uid,
                          std::uint32_t gid, unsigned flags);
Result<long> sys_chown(Context& context, UserString path, std::uint32_t uid, std::uint32_t gid);
Result<long> sys_lchown(Context& context, UserString path, std::uint32_t uid, std::uint32_t gid);
Result<long> sys_fchown(Context& context, FileDescriptor fd, std::uint32_t uid, std::uint32_t gid);
Result<long> sys_utimensat(Context& context, int directory, UserString path, UserArray<Timespec> in,
                           unsigned flags);
Result<long> sys_futimesat(Context& context, int directory, UserString path, UserArray<Timeval> in);
Result<long> sys_utimes(Context& context, UserString path, UserArray<Timeval> in);
Result<long> sys_utime(Context& context, UserString path, UserIn<Utimbuf> in);
Result<long> sys_truncate(Context& context, UserString path, std::int64_t size);
Result<long> sys_ftruncate(Context& context, FileDescriptor fd, std::int64_t size);
Result<long> sys_fallocate(Context& context, FileDescriptor fd, int mode, std::int64_t offset,
                           std::int64_t length);
Result<long> sys_dup(Context& context, FileDescriptor fd);
Result<long> sys_dup3(Context& context, FileDescriptor from, FileDescriptor to, unsigned flags);
Result<long> sys_dup2(Context& context, FileDescriptor from, FileDescriptor to);
Result<long> sys_fcntl(Context& context, FileDescriptor fd, int command, std::uint64_t argument);
Result<long> sys_flock(Context& context, FileDescriptor fd, int operation);
Result<long> sys_ioctl(Context& context, FileDescriptor fd, unsigned command, std::uintptr_t argument);
Result<long> sys_sync(Context& context);
Result<long> sys_syncfs(Context& context, FileDescriptor fd);
Result<long> sys_fsync(Context& context, FileDescriptor fd);
Result<long> sys_fdatasync(Context& context, FileDescriptor fd);
Result<long> sys_sync_file_range(Context& context, FileDescriptor fd, std::int64_t offset,
                                 std::int64_t length, unsigned flags);
Result<long> sys_fadvise64(Context& context, FileDescriptor fd, std::int64_t offset, std::int64_t length,
                           int advice);
Result<long> sys_readahead(Context& context, FileDescriptor fd, std::int64_t offset, std::size_t count);
Result<long> sys_setxattr(Context& context, UserString path, UserString name, UserBuffer value,
                          std::size_t size, int flags);
Result<long> sys_lsetxattr(Context& context, UserString path, UserString name, UserBuffer value,
                           std::size_t size, int flags);
Result<long> sys_fsetxattr(Context& context, FileDescriptor fd, UserString name, UserBuffer value,
                           std::size_t size, int flags);
Result<long> sys_getxattr(Context& context, UserString path, UserString name, UserBuffer value,
                          std::size_t size);
Result<long> sys_lgetxattr(Context& context, UserString path, UserString name, UserBuffer value,
                           std::size_t size);
Result<long> sys_fgetxattr(Context& context, FileDescriptor fd, UserString name, UserBuffer value,
                           std::size_t size);
Result<long> sys_listxattr(Context& context, UserString path, UserBuffer out, std::size_t size);
Result<long> sys_llistxattr(Context& context, UserString path, UserBuffer out, std::size_t size);
Result<long> sys_flistxattr(Context& context, FileDescriptor fd, UserBuffer out, std::size_t size);
Result<long> sys_removexattr(Context& context, UserString path, UserString name);
Result<long> sys_lremovexattr(Context& context, UserString path, UserString name);
Result<long> sys_fremovexattr(Context& context, FileDescriptor fd, UserString name);
Result<long> sys_mount(Context& context, UserString source_argument, UserString target_argument,
                       UserString type_argument, std::uint64_t flags, UserString data_argument);
Result<long> sys_umount2(Context& context, UserString target_argument, unsigned flags);
Result<long> sys_fsopen(Context& context, UserString name, unsigned flags);
Result<long> sys_fsconfig(Context& context, int fd, unsigned command, UserString key, UserAddress value,
                          int aux);
Result<long> sys_fsmount(Context& context, int fd, unsigned flags, unsigned attributes);
Result<long> sys_fspick(Context& context, int directory, UserString path, unsigned flags);
Result<long> sys_open_tree(Context& context, int directory, UserString path, unsigned flags);
Result<long> sys_move_mount(Context& context, int from_directory, UserString from_path, int to_directory,
                            UserString to_path, unsigned flags);
Result<long> sys_mount_setattr(Context& context, int directory, UserString path, unsigned flags,
                               UserAddress attributes, std::size_t size);
Result<long> sys_statmount(Context& context, UserAddress request, UserAddress buffer, std::size_t size,
                           unsigned flags);
Result<long> sys_listmount(Context& context, UserAddress request, UserAddress ids, std::size_t count,
                           unsigned flags);
Result<long> sys_pivot_root(Context& context, UserString new_argument, UserString old_argument);
Result<long> sys_sendfile(Context& context, FileDescriptor out, FileDescriptor in,
                          UserInOut<std::int64_t> offset, std::size_t count);
Result<long> sys_copy_file_range(Context& context, FileDescriptor in, UserInOut<std::int64_t> in_offset,
                                 FileDescriptor out, UserInOut<std::int64_t> out_offset, std::size_t count,
                                 unsigned flags);

Result<long> sys_memfd_create(Context& context, UserString name_argument, unsigned flags);
Result<long> sys_splice(Context& context, FileDescriptor in, UserInOut<std::int64_t> in_offset,
                        FileDescriptor out, UserInOut<std::int64_t> out_offset, std::size_t length,
                        unsigned flags);
Result<long> sys_tee(Context& context, FileDescriptor in, FileDescriptor out, std::size_t length,
                     unsigned flags);
Result<long> sys_vmsplice(Context& context, FileDescriptor fd, UserArray<Iovec> vectors, std::size_t count,
                          unsigned flags);

namespace syscalls::files {

inline constexpr SyscallRow rows[] = {
    row<number::read, sys_read>("read"),
    row<number::write, sys_write>("write"),
    quick_row<number::pread64, quick_pread64, sys_pread64>("pread64"),
    row<number::pwrite64, sys_pwrite64>("pwrite64"),
    row<number::preadv2, sys_preadv2>("preadv2"),
    row<number::pwritev2, sys_pwritev2>("pwritev2"),
    row<number::readv, sys_readv>("readv"),
    row<number::writev, sys_writev>("writev"),
    row<number::preadv, sys_preadv>("preadv"),
    row<number::pwritev, sys_pwritev>("pwritev"),
    row<number::lseek, sys_lseek>("lseek"),
    row<number::openat, sys_openat>("openat"),
    row<number::open, sys_open>("open"),
    row<number::creat, sys_creat>("creat"),
    row<number::openat2, sys_openat2>("openat2", "all RESOLVE flags"),
    row<number::close, sys_close>("close"),
    row<number::close_range, sys_close_range>("close_range"),
    row<number::fstat, sys_fstat>("fstat"),
    row<number::newfstatat, sys_newfstatat>("newfstatat"),
    row<number::stat, sys_stat>("stat"),
    row<number::lstat, sys_lstat>("lstat"),
    row<number::statx, sys_statx>("statx"),
    row<number::statfs, sys_statfs>("statfs"),
    row<number::fstatfs, sys_fstatfs>("fstatfs"),
    row<number::faccessat2, sys_faccessat2>("faccessat2"),
    row<number::faccessat, sys_faccessat>("faccessat"),
    row<number::access, sys_access>("access"),
    row<number::getdents64, sys_getdents64>("getdents64"),
    row<number::getdents, sys_getdents>("getdents"),
    row<number::getcwd, sys_getcwd>("getcwd"),
    row<number::chdir, sys_chdir>("chdir"),
    row<number::fchdir, sys_fchdir>("fchdir"),
    row<number::chroot, sys_chroot>("chroot"),
    row<number::umask, sys_umask>("umask"),
    row<number::mkdirat, sys_mkdirat>("mkdirat"),
    row<number::mkdir, sys_mkdir>("mkdir"),
    row<number::mknodat, sys_mknodat>("mknodat"),
    row<number::mknod, sys_mknod>("mknod"),
    row<number::unlinkat, sys_unlinkat>("unlinkat"),
    row<number::unlink, sys_unlink>("unlink"),
    row<number::rmdir, sys_rmdir>("rmdir"),
    row<number::linkat, sys_linkat>("linkat"),
    row<number::link, sys_link>("link"),
    row<number::symlinkat, sys_symlinkat>("symlinkat"),
    row<number::symlink, sys_symlink>("symlink"),
    row<number::readlinkat, sys_readlinkat>("readlinkat"),
    row<number::readlink, sys_readlink>("readlink"),
    row<number::renameat2, sys_renameat2>("renameat2"),
    row<number::renameat, sys_renameat>("renameat"),
    row<number::rename, sys_rename>("rename"),
    row<number::fchmodat2, sys_fchmodat2>("fchmodat2"),
    row<number::fchmodat, sys_fchmodat>("fchmodat"),
    row<number::chmod, sys_chmod>("chmod"),
    row<number::fchmod, sys_fchmod>("fchmod"),
    row<number::fchownat, sys_fchownat>("fchownat"),
    row<number::chown, sys_chown>("chown"),
    row<number::lchown, sys_lchown>("lchown"),
    row<number::fchown, sys_fchown>("fchown"),
    row<number::utimensat, sys_utimensat>("utimensat"),
    row<number::futimesat, sys_futimesat>("futimesat"),
    row<number::utimes, sys_utimes>("utimes"),
    row<number::utime, sys_utime>("utime"),
    row<number::truncate, sys_truncate>("truncate"),
    row<number::ftruncate, sys_ftruncate>("ftruncate"),
    row<number::fallocate, sys_fallocate>("fallocate"),
    row<number::dup, sys_dup>("dup"),
    row<number::dup3, sys_dup3>("dup3"),
    row<number::dup2, sys_dup2>("dup2"),
    row<number::fcntl, sys_fcntl>("fcntl", "all but leases and RW_HINT (EINVAL)"),
    row<number::flock, sys_flock>("flock"),
    row<number::ioctl, sys_ioctl>("ioctl"),
    row<number::sync, sys_sync>("sync"),
    row<number::syncfs, sys_syncfs>("syncfs"),
    row<number::fsync, sys_fsync>("fsync"),
    row<number::fdatasync, sys_fdatasync>("fdatasync"),
    row<number::sync_file_range, sys_sync_file_range>("sync_file_range"),
    row<number::fadvise64, sys_fadvise64>("fadvise64", "accepted; nothing to do"),
    row<number::readahead, sys_readahead>("readahead"),
    row<number::setxattr, sys_setxattr>("setxattr"),
    row<number::lsetxattr, sys_lsetxattr>("lsetxattr"),
    row<number::fsetxattr, sys_fsetxattr>("fsetxattr"),
    row<number::getxattr, sys_getxattr>("getxattr"),
    row<number::lgetxattr, sys_lgetxattr>("lgetxattr"),
    row<number::fgetxattr, sys_fgetxattr>("fgetxattr"),
    row<number::listxattr, sys_listxattr>("listxattr"),
    row<number::llistxattr, sys_llistxattr>("llistxattr"),
    row<number::flistxattr, sys_flistxattr>("flistxattr"),
    row<number::removexattr, sys_removexattr>("removexattr"),
    row<number::lremovexattr, sys_lremovexattr>("lremovexattr"),
    row<number::fremovexattr, sys_fremovexattr>("fremovexattr"),
    row<number::mount, sys_mount>("mount", "new, bind, move, remount, propagation"),
    row<number::umount2, sys_umount2>("umount2"),
    row<number::pivot_root, sys_pivot_root>("pivot_root"),
    row<number::fsopen, sys_fsopen>("fsopen"),
    row<number::fsconfig, sys_fsconfig>("fsconfig", "parameters are flags and strings"),
    row<number::fsmount, sys_fsmount>("fsmount"),
    row<number::fspick, sys_fspick>("fspick"),
    row<number::open_tree, sys_open_tree>("open_tree"),
    row<number::move_mount, sys_move_mount>("move_mount",
                                            "all but MOVE_MOUNT_SET_GROUP and MOVE_MOUNT_BENEATH (EINVAL)"),
    row<number::mount_setattr, sys_mount_setattr>("mount_setattr", "all but MOUNT_ATTR_IDMAP (EINVAL)"),
    row<number::statmount, sys_statmount>("statmount"),
    row<number::listmount, sys_listmount>("listmount"),
    row<number::sendfile, sys_sendfile>("sendfile"),
    row<number::copy_file_range, sys_copy_file_range>("copy_file_range", "by copying"),
    row<number::memfd_create, sys_memfd_create>("memfd_create", "all but MFD_HUGETLB (EINVAL)"),
    row<number::splice, sys_splice>("splice"),
    row<number::tee, sys_tee>("tee"),
    row<number::vmsplice, sys_vmsplice>("vmsplice", "by copying"),
};

}  // namespace syscalls::files

}  // namespace linux_abi
