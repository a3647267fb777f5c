// Structures of poll(2) and select(2).
#pragma once

#include <cstdint>

namespace linux_abi {

// struct pollfd
struct PollDescriptor {
  std::int32_t fd = 0;
  std::int16_t events = 0;
  std::int16_t returned = 0;
};

// The last argument of pselect6: a pointer to a signal set, and its size.
struct PselectMask {
  std::uint64_t address = 0;
  std::uint64_t size = 0;
};

}  // namespace linux_abi
