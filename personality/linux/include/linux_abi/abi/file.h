// Files: open flags, modes, fcntl commands, stat-like structures.
#pragma once

#include <cstdint>

namespace linux_abi {

inline constexpr unsigned o_accmode = 3, o_rdonly = 0, o_wronly = 1, o_rdwr = 2, o_creat = 0100,
                          o_excl = 0200, o_noctty = 0400, o_trunc = 01000, o_append = 02000,
                          o_nonblock = 04000, o_dsync = 010000, o_async = 020000, o_noatime = 01000000,
                          o_cloexec = 02000000, o_sync = 04010000, o_path = 010000000,
                          o_tmpfile_bit = 020000000;

inline constexpr unsigned s_ifmt = 0170000, s_ifsock = 0140000, s_iflnk = 0120000, s_ifreg = 0100000,
                          s_ifblk = 0060000, s_ifdir = 0040000, s_ifchr = 0020000, s_ififo = 0010000,
                          s_isuid = 04000, s_isgid = 02000, s_isvtx = 01000;

inline constexpr int at_fdcwd = -100;
inline constexpr unsigned at_symlink_nofollow = 0x100, at_removedir = 0x200, at_eaccess = 0x200,
                          at_symlink_follow = 0x400, at_no_automount = 0x800, at_empty_path = 0x1000,
                          at_statx_sync_type = 0x6000, at_recursive = 0x8000;

inline constexpr int f_dupfd = 0, f_getfd = 1, f_setfd = 2, f_getfl = 3, f_setfl = 4, f_getlk = 5,
                     f_setlk = 6, f_setlkw = 7, f_setown = 8, f_getown = 9, f_setsig = 10, f_getsig = 11,
                     f_setown_ex = 15, f_getown_ex = 16, f_getowner_uids = 17, f_ofd_getlk = 36,
                     f_ofd_setlk = 37, f_ofd_setlkw = 38, f_setlease = 1024, f_getlease = 1025,
                     f_notify = 1026, f_dupfd_query = 1027, f_dupfd_cloexec = 1030, f_setpipe_sz = 1031,
                     f_getpipe_sz = 1032, f_add_seals = 1033, f_get_seals = 1034, f_get_rw_hint = 1035,
                     f_set_rw_hint = 1036;
inline constexpr int fd_cloexec = 1;
inline constexpr int f_rdlck = 0, f_wrlck = 1, f_unlck = 2;
inline constexpr int f_owner_tid = 0, f_owner_pid = 1, f_owner_pgrp = 2;
inline constexpr int lock_sh = 1, lock_ex = 2, lock_nb = 4, lock_un = 8;

inline constexpr unsigned f_ok = 0, x_ok = 1, w_ok = 2, r_ok = 4;

inline constexpr unsigned rename_noreplace = 1, rename_exchange = 2, rename_whiteout = 4;

inline constexpr unsigned rwf_hipri = 1, rwf_dsync = 2, rwf_sync = 4, rwf_nowait = 8, rwf_append = 16,
                          rwf_noappend = 32;

inline constexpr unsigned close_range_unshare = 2, close_range_cloexec = 4;

inline constexpr unsigned mfd_cloexec = 1, mfd_allow_sealing = 2, mfd_hugetlb = 4, mfd_noexec_seal = 8,
                          mfd_exec = 16;

inline constexpr std::uint64_t resolve_no_xdev = 1, resolve_no_magiclinks = 2, resolve_no_symlinks = 4,
                               resolve_beneath = 8, resolve_in_root = 16, resolve_cached = 32;

inline constexpr unsigned grnd_nonblock = 1, grnd_random = 2, grnd_insecure = 4;

inline constexpr unsigned ioctl_fionclex = 0x5450, ioctl_fioclex = 0x5451, ioctl_fioasync = 0x5452,
                          ioctl_fionbio = 0x5421, ioctl_fionread = 0x541b, ioctl_fioqsize = 0x5460;

inline constexpr std::int64_t utime_now = 0x3fffffff, utime_omit = 0x3ffffffe;

struct StatxTimestamp {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  std::int32_t reserved = 0;
};

struct Statx {
  std::uint32_t mask = 0, block_size = 0;
  std::uint64_t attributes = 0;
  std::uint32_t links = 0, uid = 0, gid = 0;
  std::uint16_t mode = 0, pad0 = 0;
  std::uint64_t inode = 0, size = 0, blocks = 0, attributes_mask = 0;
  StatxTimestamp access_time, birth_time, change_time, modification_time;
  std::uint32_t rdev_major = 0, rdev_minor = 0, dev_major = 0, dev_minor = 0;
  std::uint64_t mount_id = 0;
  std::uint32_t dio_memory_align = 0, dio_offset_align = 0;
  std::uint64_t subvolume = 0;
  std::uint32_t atomic_write_min = 0, atomic_write_max = 0, atomic_write_segments = 0,
                dio_read_offset_align = 0;
  std::uint64_t spare[9] = {};
};
static_assert(sizeof(Statx) == 256);
inline constexpr std::uint32_t statx_dioalign = 0x2000;
inline constexpr std::uint32_t statx_type = 1, statx_mode = 2, statx_nlink = 4, statx_uid = 8,
                               statx_gid = 0x10, statx_atime = 0x20, statx_mtime = 0x40, statx_ctime = 0x80,
                               statx_ino = 0x100, statx_size = 0x200, statx_blocks = 0x400,
                               statx_basic_stats = 0x7ff, statx_btime = 0x800, statx_mnt_id = 0x1000,
                               statx_mnt_id_unique = 0x4000, statx_reserved = 0x80000000;
inline constexpr std::uint64_t statx_attr_mount_root = 0x2000;

struct Statfs {
  std::int64_t type = 0, block_size = 0;
  std::uint64_t blocks = 0, blocks_free = 0, blocks_available = 0, files = 0, files_free = 0;
  std::int32_t id[2] = {};
  std::int64_t name_length = 0, fragment_size = 0, flags = 0, spare[4] = {};
};
static_assert(sizeof(Statfs) == 120);

inline constexpr unsigned path_max = 4096, name_max = 255;

}  // namespace linux_abi
