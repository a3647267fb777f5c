#include "aarch64/features.h"

#include "aarch64/debugging.h"
#include "aarch64/floating_point.h"
#include "aarch64/registers.h"

// Read by user_copy.S.
extern "C" constinit bool arch_has_pan;
constinit bool arch_has_pan = false;

namespace arch {
namespace {
constinit CpuFeatures features{};
}

const CpuFeatures& cpu_features() { return features; }

// SAFETY (this file): ID registers are only read; the others are set to what the manual says for each bit
// named.
void detect_cpu_features() {
  features.instruction_set[0] = NOS_READ_REGISTER("id_aa64isar0_el1");
  features.instruction_set[1] = NOS_READ_REGISTER("id_aa64isar1_el1");
  features.instruction_set[2] = NOS_READ_REGISTER("S3_0_C0_C6_2");
  features.processor[0] = NOS_READ_REGISTER("id_aa64pfr0_el1");
  features.processor[1] = NOS_READ_REGISTER("id_aa64pfr1_el1");
  features.memory[0] = NOS_READ_REGISTER("id_aa64mmfr0_el1");
  features.memory[1] = NOS_READ_REGISTER("id_aa64mmfr1_el1");
  features.memory[2] = NOS_READ_REGISTER("id_aa64mmfr2_el1");
  features.scalable_vectors = id_field(features.processor[0], 32) != 0;
  if (features.scalable_vectors) features.vectors = NOS_READ_REGISTER("S3_0_C0_C4_4");
  features.branch_targets = id_field(features.processor[1], 0) != 0;
  features.pan = id_field(features.memory[1], 20) != 0;
  features.random = id_field(features.instruction_set[0], 60) != 0;
  // APA, API, APA3 and GPA, GPI, GPA3: one of the three says which algorithm.
  features.address_authentication =
      (features.instruction_set[1] & 0xff0) || (features.instruction_set[2] & 0xf000);
  features.generic_authentication =
      (features.instruction_set[1] & 0xff00'0000) || (features.instruction_set[2] & 0xf00);
  features.hardware_access_flag = id_field(features.memory[1], 0) >= 1;
  features.hardware_dirty_state = id_field(features.memory[1], 0) >= 2;
  arch_has_pan = features.pan;
  enable_cpu_features();
  detect_vector_lengths();
}

void enable_cpu_features() {
  if (features.pan) asm volatile(".inst 0xd500419f" ::: "memory");  // MSR PAN, #1
  // User code reads the virtual counter (the vDSO does) and nothing else of the timer.
  NOS_WRITE_REGISTER("cntkctl_el1", 2);
  // A function that begins by signing its return address is a target of calls, not of every branch.
  constexpr std::uint64_t strict_targets = std::uint64_t{3} << 35;  // SCTLR_EL1.BT0, BT1
  if (features.branch_targets)
    NOS_WRITE_REGISTER("sctlr_el1", NOS_READ_REGISTER("sctlr_el1") | strict_targets);
  enable_debugging();
  disable_vectors();
  // No performance counters for user code.
  if (id_field(NOS_READ_REGISTER("id_aa64dfr0_el1"), 8) - 1 < 14) NOS_WRITE_REGISTER("pmuserenr_el0", 0);
  NOS_WRITE_REGISTER("tpidrro_el0", 0);
  instruction_barrier();
}

}  // namespace arch
