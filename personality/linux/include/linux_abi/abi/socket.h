// Socket structures: message headers and what travels in them.
#pragma once

#include <cstdint>

#include "linux_abi/abi/types.h"

namespace linux_abi {

struct Msghdr {
  std::uint64_t name = 0;
  std::int32_t name_length = 0, pad = 0;
  std::uint64_t iov = 0, iov_count = 0;
  std::uint64_t control = 0, control_length = 0;
  std::uint32_t flags = 0, pad2 = 0;
};
struct Mmsghdr {
  Msghdr header;
  std::uint32_t length = 0, pad = 0;
};
struct Cmsghdr {
  std::uint64_t length = 0;
  std::int32_t level = 0, type = 0;
};
struct SockaddrUnix {
  std::uint16_t family = 0;
  char path[108] = {};
};

}  // namespace linux_abi
