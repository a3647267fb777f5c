// System registers (ARM DDI 0487).
#pragma once

#include <cstdint>

namespace arch {

// SAFETY (this file): the caller knows what the register does; names are those of the manual.
#define NOS_READ_REGISTER(name)                   \
  ([] {                                           \
    std::uint64_t value_;                         \
    asm volatile("mrs %0, " name : "=r"(value_)); \
    return value_;                                \
  }())
#define NOS_WRITE_REGISTER(name, value) \
  asm volatile("msr " name ", %0" ::"r"(static_cast<std::uint64_t>(value)) : "memory")

inline void instruction_barrier() { asm volatile("isb" ::: "memory"); }

// A field of four bits of an ID register.
constexpr unsigned id_field(std::uint64_t value, unsigned shift) {
  return static_cast<unsigned>(value >> shift & 15);
}

}  // namespace arch
