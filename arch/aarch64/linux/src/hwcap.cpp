#include "hwcap.h"

#include "aarch64/features.h"
#include "aarch64/registers.h"

namespace arch {
namespace {

constexpr std::uint8_t isar0 = 0, isar1 = 1, isar2 = 2, pfr0 = 3, pfr1 = 4, mmfr2 = 7, kernel = 8, zfr0 = 9;

// What the kernel makes of several fields, or does itself (cpu/src/id_registers.cpp), in the form of one more
// register.
constexpr unsigned emulation = 0, address_authentication = 4, generic_authentication = 8;

std::uint64_t id_register(unsigned index) {
  const CpuFeatures& f = cpu_features();
  if (index == kernel)
    return 1 << emulation | (f.address_authentication ? 1 << address_authentication : 0) |
           (f.generic_authentication ? 1 << generic_authentication : 0);
  if (index == zfr0) return f.vectors;
  return index < 3 ? f.instruction_set[index] : index < 5 ? f.processor[index - 3] : f.memory[index - 5];
}

}  // namespace

// No SME, MTE.
constinit const Capability capabilities[] = {{1, 0, "fp", pfr0, 16, 0},
                                             {1, 1, "asimd", pfr0, 20, 0},
                                             {1, 3, "aes", isar0, 4, 1},
                                             {1, 4, "pmull", isar0, 4, 2},
                                             {1, 5, "sha1", isar0, 8, 1},
                                             {1, 6, "sha2", isar0, 12, 1},
                                             {1, 7, "crc32", isar0, 16, 1},
                                             {1, 8, "atomics", isar0, 20, 2},
                                             {1, 9, "fphp", pfr0, 16, 1},
                                             {1, 10, "asimdhp", pfr0, 20, 1},
                                             {1, 11, "cpuid", kernel, emulation, 1},
                                             {1, 12, "asimdrdm", isar0, 28, 1},
                                             {1, 13, "jscvt", isar1, 12, 1},
                                             {1, 14, "fcma", isar1, 16, 1},
                                             {1, 15, "lrcpc", isar1, 20, 1},
                                             {1, 16, "dcpop", isar1, 0, 1},
                                             {1, 17, "sha3", isar0, 32, 1},
                                             {1, 18, "sm3", isar0, 36, 1},
                                             {1, 19, "sm4", isar0, 40, 1},
                                             {1, 20, "asimddp", isar0, 44, 1},
                                             {1, 21, "sha512", isar0, 12, 2},
                                             {1, 22, "sve", pfr0, 32, 1},
                                             {1, 23, "asimdfhm", isar0, 48, 1},
                                             {1, 24, "dit", pfr0, 48, 1},
                                             {1, 25, "uscat", mmfr2, 32, 1},
                                             {1, 26, "ilrcpc", isar1, 20, 2},
                                             {1, 27, "flagm", isar0, 52, 1},
                                             {1, 28, "ssbs", pfr1, 4, 2},
                                             {1, 29, "sb", isar1, 36, 1},
                                             {1, 30, "paca", kernel, address_authentication, 1},
                                             {1, 31, "pacg", kernel, generic_authentication, 1},
                                             {2, 0, "dcpodp", isar1, 0, 2},
                                             {2, 1, "sve2", zfr0, 0, 1},
                                             {2, 2, "sveaes", zfr0, 4, 1},
                                             {2, 3, "svepmull", zfr0, 4, 2},
                                             {2, 4, "svebitperm", zfr0, 16, 1},
                                             {2, 5, "svesha3", zfr0, 32, 1},
                                             {2, 6, "svesm4", zfr0, 40, 1},
                                             {2, 7, "flagm2", isar0, 52, 2},
                                             {2, 8, "frint", isar1, 32, 1},
                                             {2, 9, "svei8mm", zfr0, 44, 1},
                                             {2, 10, "svef32mm", zfr0, 52, 1},
                                             {2, 11, "svef64mm", zfr0, 56, 1},
                                             {2, 12, "svebf16", zfr0, 20, 1},
                                             {2, 13, "i8mm", isar1, 52, 1},
                                             {2, 14, "bf16", isar1, 44, 1},
                                             {2, 15, "dgh", isar1, 48, 1},
                                             {2, 16, "rng", isar0, 60, 1},
                                             {2, 17, "bti", pfr1, 0, 1},
                                             {2, 21, "rpres", isar2, 4, 1},
                                             {2, 31, "wfxt", isar2, 0, 2}};
constinit const unsigned capability_count = sizeof(capabilities) / sizeof(capabilities[0]);

bool has(const Capability& c) {
  unsigned field = id_field(id_register(c.id_register), c.shift);
  // Floating point: 0 is there, 1 with half precision, 15 is none.
  if (c.id_register == pfr0 && (c.shift == 16 || c.shift == 20)) return field != 15 && field >= c.at_least;
  return field >= c.at_least;
}

std::uint64_t collect_capabilities(unsigned word) {
  std::uint64_t bits = 0;
  for (const Capability& capability : capabilities)
    if (capability.word == word && has(capability)) bits |= std::uint64_t{1} << capability.bit;
  return bits;
}

}  // namespace arch
