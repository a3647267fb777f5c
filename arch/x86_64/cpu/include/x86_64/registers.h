// Control and model-specific registers, CPUID, ports. One function per instruction; meaning is up to the
// caller.
#pragma once

#include <cstdint>

namespace arch {

struct CpuId {
  std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// SAFETY (this file): privileged instructions of ring 0 without effect on memory unless said.
inline CpuId cpuid(std::uint32_t leaf, std::uint32_t subleaf = 0) {
  CpuId r;
  asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
  return r;
}

enum class Msr : std::uint32_t {
  time_stamp_counter = 0x10,
  apic_base = 0x1b,
  tsc_adjust = 0x3b,
  misc_enable = 0x1a0,
  page_attribute_table = 0x277,
  tsc_deadline = 0x6e0,
  x2apic_base = 0x800,
  xss = 0xda0,
  efer = 0xc0000080,
  star = 0xc0000081,
  lstar = 0xc0000082,
  cstar = 0xc0000083,
  syscall_mask = 0xc0000084,
  fs_base = 0xc0000100,
  gs_base = 0xc0000101,
  kernel_gs_base = 0xc0000102,
  tsc_aux = 0xc0000103,
};

inline std::uint64_t read_msr(std::uint32_t msr) {
  std::uint32_t low, high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
  return std::uint64_t{high} << 32 | low;
}
inline void write_msr(std::uint32_t msr, std::uint64_t value) {
  asm volatile("wrmsr" ::"c"(msr), "a"(static_cast<std::uint32_t>(value)),
               "d"(static_cast<std::uint32_t>(value >> 32))
               : "memory");
}
inline std::uint64_t read_msr(Msr msr) { return read_msr(static_cast<std::uint32_t>(msr)); }
inline void write_msr(Msr msr, std::uint64_t value) { write_msr(static_cast<std::uint32_t>(msr), value); }

#define NOS_CONTROL_REGISTER(name)                                \
  inline std::uint64_t read_##name() {                            \
    std::uint64_t value;                                          \
    asm volatile("movq %%" #name ", %0" : "=r"(value)::"memory"); \
    return value;                                                 \
  }                                                               \
  inline void write_##name(std::uint64_t value) { asm volatile("movq %0, %%" #name ::"r"(value) : "memory"); }
NOS_CONTROL_REGISTER(cr0)
NOS_CONTROL_REGISTER(cr2)
NOS_CONTROL_REGISTER(cr3)
NOS_CONTROL_REGISTER(cr4)
NOS_CONTROL_REGISTER(dr0)
NOS_CONTROL_REGISTER(dr1)
NOS_CONTROL_REGISTER(dr2)
NOS_CONTROL_REGISTER(dr3)
NOS_CONTROL_REGISTER(dr6)
NOS_CONTROL_REGISTER(dr7)
#undef NOS_CONTROL_REGISTER

inline constexpr std::uint64_t cr4_global_pages = 1 << 7, cr4_fxsave = 1 << 9, cr4_simd_exceptions = 1 << 10,
                               cr4_umip = 1 << 11, cr4_fsgsbase = 1 << 16, cr4_pcid = 1 << 17,
                               cr4_xsave = 1 << 18, cr4_smep = 1 << 20, cr4_smap = 1 << 21;

inline std::uint8_t in8(std::uint16_t port) {
  std::uint8_t value;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
inline std::uint16_t in16(std::uint16_t port) {
  std::uint16_t value;
  asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
inline std::uint32_t in32(std::uint16_t port) {
  std::uint32_t value;
  asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
inline void out8(std::uint16_t port, std::uint8_t value) {
  asm volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}
inline void out16(std::uint16_t port, std::uint16_t value) {
  asm volatile("outw %0, %1" ::"a"(value), "Nd"(port));
}
inline void out32(std::uint16_t port, std::uint32_t value) {
  asm volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}

inline void write_xcr0(std::uint64_t value) {
  asm volatile("xsetbv" ::"c"(0), "a"(static_cast<std::uint32_t>(value)),
               "d"(static_cast<std::uint32_t>(value >> 32)));
}

}  // namespace arch
