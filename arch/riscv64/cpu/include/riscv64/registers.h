// Control and status registers, by the names the assembler has for them. Meaning is up to the caller.
#pragma once

#include <cstdint>

#include <arch_impl/asm_offsets.h>

namespace arch {

// SAFETY (this file): privileged instructions without effect on memory unless the register says so.
#define NOS_CONTROL_REGISTER(name, number)                         \
  inline std::uint64_t read_##name() {                             \
    std::uint64_t value;                                           \
    asm volatile("csrr %0, " #number : "=r"(value)::"memory");     \
    return value;                                                  \
  }                                                                \
  inline void write_##name(std::uint64_t value) {                  \
    asm volatile("csrw " #number ", %0" ::"rK"(value) : "memory"); \
  }                                                                \
  inline void set_##name(std::uint64_t bits) {                     \
    asm volatile("csrs " #number ", %0" ::"rK"(bits) : "memory");  \
  }                                                                \
  inline void clear_##name(std::uint64_t bits) {                   \
    asm volatile("csrc " #number ", %0" ::"rK"(bits) : "memory");  \
  }
NOS_CONTROL_REGISTER(sstatus, sstatus)
NOS_CONTROL_REGISTER(sie, sie)
NOS_CONTROL_REGISTER(sip, sip)
NOS_CONTROL_REGISTER(stvec, stvec)
NOS_CONTROL_REGISTER(sscratch, sscratch)
NOS_CONTROL_REGISTER(satp, satp)
NOS_CONTROL_REGISTER(scounteren, scounteren)
NOS_CONTROL_REGISTER(stimecmp, 0x14d)
// The interrupt file of the hart (Ssaia): the register chosen by siselect, and the most urgent interrupt.
NOS_CONTROL_REGISTER(siselect, 0x150)
NOS_CONTROL_REGISTER(sireg, 0x151)
NOS_CONTROL_REGISTER(stopei, 0x15c)
#undef NOS_CONTROL_REGISTER

// Bits of sie and sip, and the causes of interrupts without their highest bit.
enum class InterruptCause : unsigned { software = 1, timer = 5, external = 9 };
constexpr std::uint64_t interrupt_bit(InterruptCause cause) {
  return std::uint64_t{1} << static_cast<unsigned>(cause);
}

enum class Trap : unsigned {
  instruction_misaligned = 0,
  instruction_access = 1,
  illegal_instruction = 2,
  breakpoint = 3,
  load_misaligned = 4,
  load_access = 5,
  store_misaligned = 6,
  store_access = 7,
  system_call = 8,
  instruction_page = 12,
  load_page = 13,
  store_page = 15,
};

}  // namespace arch
