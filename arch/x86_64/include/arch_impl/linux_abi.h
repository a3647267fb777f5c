// x86-64: structures of Linux's interface.
#pragma once

#include <cstdint>

namespace arch {

inline constexpr char linux_machine[] = "x86_64";
inline constexpr char linux_machine_32[] = "i686";
inline constexpr unsigned linux_elf_machine = 62;
inline constexpr unsigned linux_open_directory = 0200000, linux_open_no_follow = 0400000,
                          linux_open_direct = 040000, linux_open_large_file = 0100000;
inline constexpr unsigned linux_restorer_flag = 0x04000000;

inline constexpr bool linux_semaphore_times_are_padded = true;

struct LinuxStat {
  std::uint64_t device = 0, inode = 0, link_count = 0;
  std::uint32_t mode = 0, uid = 0, gid = 0, pad = 0;
  std::uint64_t special_device = 0;
  std::int64_t size = 0, block_size = 0, blocks = 0;
  std::uint64_t access_seconds = 0, access_nanoseconds = 0, modify_seconds = 0, modify_nanoseconds = 0,
                change_seconds = 0, change_nanoseconds = 0;
  std::int64_t reserved[3] = {};
};
static_assert(sizeof(LinuxStat) == 144);

struct __attribute__((packed)) LinuxEpollEvent {
  std::uint32_t events = 0;
  std::uint64_t data = 0;
};
static_assert(sizeof(LinuxEpollEvent) == 12);

inline constexpr bool linux_clone_thread_pointer_last = true;

}  // namespace arch
