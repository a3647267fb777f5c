#include "aarch64/pointer_keys.h"

#include <arch/cpu.h>

#include "aarch64/features.h"
#include "aarch64/registers.h"
#include "core/random/random.h"

namespace arch {
namespace {

// SCTLR_EL1: EnIA, EnIB, EnDA, EnDB, in the order of the set's bits.
constexpr unsigned enable_bits[] = {31, 30, 27, 13};

// SAFETY (this file): the registers of the keys are there where known_pointer_keys() says so, and no code of
// the kernel uses those that are written here. The first key is the kernel's now: entry.S looks after it.
void load_enabled(unsigned enabled) {
  std::uint64_t before = NOS_READ_REGISTER("sctlr_el1"), control = before;
  for (unsigned i = 1; i < 4; ++i) {
    control &= ~(std::uint64_t{1} << enable_bits[i]);
    control |= std::uint64_t{enabled >> i & 1} << enable_bits[i];
  }
  if (control == before) return;
  NOS_WRITE_REGISTER("sctlr_el1", control);
  instruction_barrier();
}

}  // namespace

unsigned known_pointer_keys() {
  const CpuFeatures& features = cpu_features();
  return (features.address_authentication ? address_keys : 0) |
         (features.generic_authentication ? generic_key : 0);
}

void renew_pointer_keys(ThreadState& state, unsigned which) {
  PointerKeys keys = state.keys;
  for (unsigned i = 0; i < 5; ++i)
    if (which >> i & 1) core::random_bytes(std::as_writable_bytes(std::span(keys.words[i])));
  InterruptsOff off;
  state.keys = keys;
  load_pointer_keys(state);
}

void set_enabled_pointer_keys(ThreadState& state, unsigned enabled) {
  InterruptsOff off;
  state.enabled_keys = static_cast<std::uint8_t>(enabled);
  load_pointer_keys(state);
}

void choose_kernel_key() {
  if (!cpu_features().address_authentication) return;
  CpuLocal& local = this_cpu_local();
  for (std::uint64_t& word : local.kernel_key) word = random_seed();
  local.kernel_key[1] |= 1;  // zero says that there is none
}

void load_pointer_keys(const ThreadState& state) {
  const auto& words = state.keys.words;
  if (cpu_features().address_authentication) {
    NOS_WRITE_REGISTER("S3_0_C2_C1_2", words[1][0]);  // APIBKey
    NOS_WRITE_REGISTER("S3_0_C2_C1_3", words[1][1]);
    NOS_WRITE_REGISTER("S3_0_C2_C2_0", words[2][0]);  // APDAKey
    NOS_WRITE_REGISTER("S3_0_C2_C2_1", words[2][1]);
    NOS_WRITE_REGISTER("S3_0_C2_C2_2", words[3][0]);  // APDBKey
    NOS_WRITE_REGISTER("S3_0_C2_C2_3", words[3][1]);
    load_enabled(state.enabled_keys);
  }
  if (cpu_features().generic_authentication) {
    NOS_WRITE_REGISTER("S3_0_C2_C3_0", words[4][0]);  // APGAKey
    NOS_WRITE_REGISTER("S3_0_C2_C3_1", words[4][1]);
  }
}

}  // namespace arch
