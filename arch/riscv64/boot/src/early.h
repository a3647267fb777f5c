// What early.cpp leaves behind.
#pragma once

#include <cstdint>

namespace arch {

struct EarlyResult {
  std::uint64_t levels = 0;  // of page tables
  std::uint64_t image = 0;   // physical address
  std::uint64_t random = 0;
};
extern EarlyResult early_result;

}  // namespace arch
