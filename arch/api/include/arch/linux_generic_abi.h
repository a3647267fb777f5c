// Structures of Linux's interface that all architectures share which follow its common headers
// (include/uapi/asm-generic). Such an architecture includes this from arch_impl/linux_abi.h.
#pragma once

#include <cstdint>

namespace arch {

struct LinuxStat {
  std::uint64_t device = 0, inode = 0;
  std::uint32_t mode = 0, link_count = 0, uid = 0, gid = 0;
  std::uint64_t special_device = 0, pad1 = 0;
  std::int64_t size = 0;
  std::int32_t block_size = 0, pad2 = 0;
  std::int64_t blocks = 0;
  std::uint64_t access_seconds = 0, access_nanoseconds = 0, modify_seconds = 0, modify_nanoseconds = 0,
                change_seconds = 0, change_nanoseconds = 0;
  std::uint32_t reserved[2] = {};
};
static_assert(sizeof(LinuxStat) == 128);

struct LinuxEpollEvent {
  std::uint32_t events = 0, pad = 0;
  std::uint64_t data = 0;
};
static_assert(sizeof(LinuxEpollEvent) == 16);

// clone(2): the thread pointer is the fourth argument, the place of the child's number the fifth.
inline constexpr bool linux_clone_thread_pointer_last = false;
inline constexpr bool linux_semaphore_times_are_padded = false;

}  // namespace arch
