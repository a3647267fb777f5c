// What the processor can do. Found once on the boot CPU; the others are taken to be equal.
#pragma once

#include <cstddef>
#include <cstdint>

namespace arch {

struct CpuFeatures {
  char vendor[13] = {};
  char brand[49] = {};
  std::uint32_t max_leaf = 0, max_extended_leaf = 0;
  std::uint32_t family = 0, model = 0, stepping = 0;
  unsigned physical_bits = 36, linear_bits = 48;
  std::uint32_t leaf1_ecx = 0, leaf1_edx = 0, leaf7_ebx = 0, leaf7_ecx = 0, leaf7_edx = 0, leaf7_1_eax = 0,
                extended_ecx = 0, extended_edx = 0, leaf_d1_eax = 0;
  bool no_execute = false, gigabyte_pages = false, smep = false, smap = false, umip = false, fsgsbase = false,
       pcid = false, invpcid = false, x2apic = false, tsc_deadline = false, invariant_tsc = false,
       erms = false, fsrm = false, rdrand = false, rdseed = false, rdtscp = false, rdpid = false,
       xsave = false, xsaveopt = false, xsavec = false, xsaves = false, crc32 = false, hypervisor = false;
  // Extended (floating-point and vector) state.
  std::uint64_t extended_components = 3;  // XCR0
  std::size_t extended_size = 512;        // of the area XSAVE writes, standard format
};

const CpuFeatures& cpu_features();

// Boot CPU, before anything depends on features.
void detect_cpu_features();
// Every CPU: control registers, page attribute table, no-execute, extended state.
void enable_cpu_features();

}  // namespace arch
