#include "x86_64/features.h"

#include <cstring>

#include "x86_64/registers.h"

namespace arch {
namespace {

constinit CpuFeatures features;

constexpr bool bit(std::uint32_t word, unsigned n) { return word >> n & 1; }

void detect_identity() {
  CpuId leaf0 = cpuid(0);
  features.max_leaf = leaf0.eax;
  std::memcpy(features.vendor, &leaf0.ebx, 4);
  std::memcpy(features.vendor + 4, &leaf0.edx, 4);
  std::memcpy(features.vendor + 8, &leaf0.ecx, 4);
  CpuId leaf1 = cpuid(1);
  features.leaf1_ecx = leaf1.ecx;
  features.leaf1_edx = leaf1.edx;
  features.stepping = leaf1.eax & 15;
  features.model = leaf1.eax >> 4 & 15;
  features.family = leaf1.eax >> 8 & 15;
  if (features.family == 6 || features.family == 15) features.model |= (leaf1.eax >> 16 & 15) << 4;
  if (features.family == 15) features.family += leaf1.eax >> 20 & 255;
  features.max_extended_leaf = cpuid(0x80000000).eax;
  if (features.max_extended_leaf >= 0x80000004) {
    for (unsigned i = 0; i < 3; ++i) {
      CpuId part = cpuid(0x80000002 + i);
      std::memcpy(features.brand + 16 * i, &part, 16);
    }
  }
}

void detect_extended_state() {
  if (!features.xsave) return;
  CpuId leaf = cpuid(0xd, 0);
  std::uint64_t available = std::uint64_t{leaf.edx} << 32 | leaf.eax;
  // x87, SSE, AVX, AVX-512 (three parts), protection keys. Nothing whose size a program must ask for first.
  features.extended_components = available & 0x2e7;
  if ((features.extended_components & 0xe0) != 0xe0) features.extended_components &= ~std::uint64_t{0xe0};
  if (!(features.extended_components & 4)) features.extended_components &= ~std::uint64_t{0xe0};
  features.extended_components &= ~std::uint64_t{0x200};  // no protection keys yet (CR4.PKE stays off)
  std::size_t size = 512 + 64;
  for (unsigned i = 2; i < 63; ++i) {
    if (!(features.extended_components >> i & 1)) continue;
    CpuId part = cpuid(0xd, i);
    if (part.ebx + part.eax > size) size = part.ebx + part.eax;
  }
  features.extended_size = size;
  features.leaf_d1_eax = cpuid(0xd, 1).eax;
  features.xsaveopt = bit(features.leaf_d1_eax, 0);
  features.xsavec = bit(features.leaf_d1_eax, 1);
  features.xsaves = bit(features.leaf_d1_eax, 3);
}

}  // namespace

const CpuFeatures& cpu_features() { return features; }

void detect_cpu_features() {
  detect_identity();
  if (features.max_leaf >= 7) {
    CpuId leaf = cpuid(7);
    features.leaf7_ebx = leaf.ebx;
    features.leaf7_ecx = leaf.ecx;
    features.leaf7_edx = leaf.edx;
    if (leaf.eax >= 1) features.leaf7_1_eax = cpuid(7, 1).eax;
  }
  if (features.max_extended_leaf >= 0x80000001) {
    CpuId leaf = cpuid(0x80000001);
    features.extended_ecx = leaf.ecx;
    features.extended_edx = leaf.edx;
  }
  if (features.max_extended_leaf >= 0x80000007) features.invariant_tsc = bit(cpuid(0x80000007).edx, 8);
  if (features.max_extended_leaf >= 0x80000008) {
    CpuId leaf = cpuid(0x80000008);
    features.physical_bits = leaf.eax & 255;
    features.linear_bits = leaf.eax >> 8 & 255;
  }
  features.no_execute = bit(features.extended_edx, 20);
  features.gigabyte_pages = bit(features.extended_edx, 26);
  features.rdtscp = bit(features.extended_edx, 27);
  features.pcid = bit(features.leaf1_ecx, 17);
  features.crc32 = bit(features.leaf1_ecx, 20);  // a part of SSE 4.2
  features.x2apic = bit(features.leaf1_ecx, 21);
  features.tsc_deadline = bit(features.leaf1_ecx, 24);
  features.xsave = bit(features.leaf1_ecx, 26);
  features.rdrand = bit(features.leaf1_ecx, 30);
  features.hypervisor = bit(features.leaf1_ecx, 31);
  features.fsgsbase = bit(features.leaf7_ebx, 0);
  features.smep = bit(features.leaf7_ebx, 7);
  features.erms = bit(features.leaf7_ebx, 9);
  features.invpcid = bit(features.leaf7_ebx, 10);
  features.rdseed = bit(features.leaf7_ebx, 18);
  features.smap = bit(features.leaf7_ebx, 20);
  features.umip = bit(features.leaf7_ecx, 2);
  features.rdpid = bit(features.leaf7_ecx, 22);
  features.fsrm = bit(features.leaf7_edx, 4);
  detect_extended_state();
}

void enable_cpu_features() {
  // Protection, native floating-point errors, no emulation, write protection in ring 0, paging; caches on.
  write_cr0(0x80010033);
  std::uint64_t cr4 = read_cr4() | cr4_fxsave | cr4_simd_exceptions | cr4_global_pages;
  if (features.umip) cr4 |= cr4_umip;
  if (features.fsgsbase) cr4 |= cr4_fsgsbase;
  if (features.xsave) cr4 |= cr4_xsave;
  if (features.smep) cr4 |= cr4_smep;
  if (features.smap) cr4 |= cr4_smap;
  write_cr4(cr4);
  if (features.smap) asm volatile("clac" ::: "memory", "cc");  // SAFETY: closes the user access window
  if (features.xsave) write_xcr0(features.extended_components);
  if (features.xsaves) write_msr(Msr::xss, 0);
  write_msr(Msr::efer, read_msr(Msr::efer) | 1 | (features.no_execute ? 0x800 : 0));  // SYSCALL, NX
  // 0 write-back, 1 write-combining, 2 uncached-, 3 uncached, the same again with 7 write-through:
  // arch_impl/page_table.h.
  write_msr(Msr::page_attribute_table, 0x0407010600070106);
}

}  // namespace arch
