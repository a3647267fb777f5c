// What this processor has, from its ID registers (ARM DDI 0487, chapter D19.2).
#pragma once

#include <cstdint>

namespace arch {

struct CpuFeatures {
  std::uint64_t instruction_set[3] = {};  // ID_AA64ISAR0 … 2
  std::uint64_t processor[2] = {};        // ID_AA64PFR0, 1
  std::uint64_t memory[3] = {};           // ID_AA64MMFR0 … 2
  std::uint64_t vectors = 0;              // ID_AA64ZFR0; 0 without SVE
  bool scalable_vectors = false;
  bool pan = false;
  bool branch_targets = false;
  bool random = false;  // RNDR
  bool address_authentication = false, generic_authentication = false;
  bool hardware_access_flag = false;
  bool hardware_dirty_state = false;
  bool has_crc32() const { return (instruction_set[0] >> 16 & 15) != 0; }
};

const CpuFeatures& cpu_features();
// Boot CPU, once.
void detect_cpu_features();
// Every CPU: what is not set before the MMU is on.
void enable_cpu_features();

}  // namespace arch
