// The capabilities of the processor under Linux's names (asm/hwcap.h): AT_HWCAP, AT_HWCAP2, /proc/cpuinfo.
#pragma once

#include <cstdint>

namespace arch {

struct Capability {
  std::uint8_t word;  // 1: AT_HWCAP, 2: AT_HWCAP2
  std::uint8_t bit;
  const char* name;
  // What an ID register must say: instruction_set[0..2] are 0 to 2, processor[0..1] 3 and 4, memory[0..2] 5
  // to 7; 8 is no register but what hwcap.cpp puts together.
  std::uint8_t id_register;
  std::uint8_t shift;
  std::uint8_t at_least;
};

// In the order of the bits.
extern const Capability capabilities[];
extern const unsigned capability_count;

bool has(const Capability& capability);
std::uint64_t collect_capabilities(unsigned word);

}  // namespace arch
