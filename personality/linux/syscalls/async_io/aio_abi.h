// Structures and numbers of Linux aio (linux/aio_abi.h).
#pragma once

#include <cstdint>

namespace linux_abi {

struct AioEvent {
  std::uint64_t data = 0, object = 0;
  std::int64_t result = 0, result2 = 0;
};

// struct iocb; the order of key and flags is that of little-endian machines.
struct AioBlock {
  std::uint64_t data = 0;
  std::uint32_t key = 0, io_flags = 0;
  std::uint16_t opcode = 0;
  std::int16_t priority = 0;
  std::int32_t fd = 0;
  std::uint64_t buffer = 0, size = 0;
  std::int64_t offset = 0;
  std::uint64_t reserved = 0;
  std::uint32_t flags = 0, result_fd = 0;
};
static_assert(sizeof(AioBlock) == 64);
inline constexpr std::uint64_t aio_key_offset = 8;

enum AioOpcode : std::uint16_t {
  aio_pread = 0,
  aio_pwrite = 1,
  aio_fsync = 2,
  aio_fdsync = 3,
  aio_poll = 5,
  aio_preadv = 7,
  aio_pwritev = 8,
};
inline constexpr std::uint32_t aio_flag_result_fd = 1, aio_flag_priority = 2;

// The head of the ring that programs see; events follow.
struct AioRingHead {
  std::uint32_t id, slots, head, tail, magic, compatible, incompatible, header_length;
};
inline constexpr std::uint32_t aio_ring_magic = 0xa10a10a1;

// struct __aio_sigset
struct AioSignalMask {
  std::uint64_t mask = 0, size = 0;
};

}  // namespace linux_abi
