// The numbers of the file interface: modes, device numbers, open flags, time stamps. Values are those of
// Linux's generic ABI (asm-generic/fcntl.h, linux/stat.h), so on most architectures the personality passes
// them through; where one differs (O_DIRECTORY on arm64), its personality part translates.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/errno.h"
#include "base/ref.h"
#include "base/result.h"

namespace vfs {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;

inline constexpr std::size_t name_max = 255;   // bytes in one component
inline constexpr std::size_t path_max = 4096;  // bytes in a path, with its zero byte
inline constexpr unsigned symlinks_max = 40;   // links followed in one lookup, then ELOOP

// Mode bits: the type in mode_type_mask, permissions below.
using Mode = std::uint32_t;
inline constexpr Mode mode_type_mask = 0170000, mode_socket = 0140000, mode_symlink = 0120000,
                      mode_regular = 0100000, mode_block = 0060000, mode_directory = 0040000,
                      mode_character = 0020000, mode_fifo = 0010000;
inline constexpr Mode mode_set_uid = 04000, mode_set_gid = 02000, mode_sticky = 01000,
                      mode_permissions = 07777;

constexpr bool is_directory(Mode mode) { return (mode & mode_type_mask) == mode_directory; }
constexpr bool is_regular(Mode mode) { return (mode & mode_type_mask) == mode_regular; }
constexpr bool is_symlink(Mode mode) { return (mode & mode_type_mask) == mode_symlink; }
constexpr bool is_character(Mode mode) { return (mode & mode_type_mask) == mode_character; }
constexpr bool is_block(Mode mode) { return (mode & mode_type_mask) == mode_block; }
constexpr bool is_fifo(Mode mode) { return (mode & mode_type_mask) == mode_fifo; }
constexpr bool is_socket(Mode mode) { return (mode & mode_type_mask) == mode_socket; }
// The d_type of a directory entry (DT_REG ...).
constexpr std::uint8_t directory_entry_type(Mode mode) {
  return static_cast<std::uint8_t>((mode & mode_type_mask) >> 12);
}

// What an access is checked for; the values of access(2).
using Access = unsigned;
inline constexpr Access access_exists = 0, access_execute = 1, access_write = 2, access_read = 4;

struct DeviceNumber {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  constexpr bool operator==(const DeviceNumber&) const = default;
  // dev_t as user space sees it in mknod() and struct stat.
  constexpr std::uint64_t encoded() const {
    return (minor & 0xff) | (static_cast<std::uint64_t>(major) & 0xfff) << 8 |
           (static_cast<std::uint64_t>(minor) & ~std::uint64_t{0xff}) << 12;
  }
  static constexpr DeviceNumber decode(std::uint64_t device) {
    return {static_cast<std::uint32_t>(device >> 8 & 0xfff),
            static_cast<std::uint32_t>((device & 0xff) | (device >> 12 & 0xfff00))};
  }
};

struct Timestamp {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  constexpr auto operator<=>(const Timestamp&) const = default;
};
// The wall clock, for time stamps of inodes.
Timestamp current_time();

// File status and creation flags: O_* of the generic ABI.
using OpenFlags = std::uint32_t;
inline constexpr OpenFlags open_access_mask = 03, open_read_only = 00, open_write_only = 01,
                           open_read_write = 02, open_create = 0100, open_exclusive = 0200,
                           open_no_controlling_tty = 0400, open_truncate = 01000, open_append = 02000,
                           open_non_blocking = 04000, open_data_sync = 010000, open_async = 020000,
                           open_direct = 040000, open_large_file = 0100000, open_directory = 0200000,
                           open_no_follow = 0400000, open_no_access_time = 01000000,
                           open_close_on_exec = 02000000, open_sync = 04010000, open_path = 010000000,
                           open_temporary_bit = 020000000,
                           open_temporary = open_temporary_bit | open_directory;
// Kernel-internal, never from user space: opened for execve (execute permission, no writers).
inline constexpr OpenFlags open_for_execute = 0x40000000;
// What fcntl(F_SETFL) may change.
inline constexpr OpenFlags open_changeable =
    open_append | open_non_blocking | open_async | open_direct | open_no_access_time;

// Flags of one read or write (RWF_* of preadv2), beyond those of the file.
using IoFlags = std::uint32_t;
inline constexpr IoFlags io_none = 0, io_high_priority = 1, io_data_sync = 2, io_sync = 4, io_no_wait = 8,
                         io_append = 16, io_no_append = 32;

// lseek() whence.
enum class Whence : unsigned { set = 0, current = 1, end = 2, data = 3, hole = 4 };

// ioctl(2) of an inode's attributes (FS_IOC_GETFLAGS) and statx attributes.
inline constexpr std::uint32_t inode_attribute_append = 0x20, inode_attribute_immutable = 0x10,
                               inode_attribute_no_access_time = 0x80;

}  // namespace vfs
