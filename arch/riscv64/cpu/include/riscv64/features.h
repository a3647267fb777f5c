// What the processor can do, as the device tree says. The boot hart's description stands for all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace arch {

struct CpuFeatures {
  // "rv64imafdc_zicsr...", zero-terminated.
  char isa[256] = {};
  bool zba = false, zbb = false, zbc = false, zbs = false, zicboz = false;
  bool memory_types = false;      // Svpbmt
  bool supervisor_timer = false;  // Sstc: stimecmp
  std::uint64_t vendor = 0, architecture = 0, implementation = 0;
  std::size_t vector_registers_size = 0;  // of all 32 together; 0: none
  unsigned address_space_bits = 0;        // of address space identifiers
};

const CpuFeatures& cpu_features();
// Boot: takes the text of "riscv,isa". What is not known by its name is not used.
void detect_cpu_features(std::string_view isa);

// Every CPU: floating-point unit on, counters readable, no access to user pages.
void enable_cpu_features();

}  // namespace arch
