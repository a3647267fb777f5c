#include <arch/linux_cpuinfo.h>

#include <arch/cpu.h>
#include <arch/interrupt.h>
#include <arch/smp.h>
#include <arch/time.h>

#include "x86_64/features.h"
#include "x86_64/registers.h"

namespace arch {
namespace {

struct Flag {
  std::uint8_t bit;
  const char* name;
};

// The names that Linux gives to the bits of each CPUID word (arch/x86 cpufeatures), in the order of its
// output.
constexpr Flag leaf1_edx[] = {{0, "fpu"},   {1, "vme"},    {2, "de"},    {3, "pse"},      {4, "tsc"},
                              {5, "msr"},   {6, "pae"},    {7, "mce"},   {8, "cx8"},      {9, "apic"},
                              {11, "sep"},  {12, "mtrr"},  {13, "pge"},  {14, "mca"},     {15, "cmov"},
                              {16, "pat"},  {17, "pse36"}, {18, "pn"},   {19, "clflush"}, {21, "dts"},
                              {22, "acpi"}, {23, "mmx"},   {24, "fxsr"}, {25, "sse"},     {26, "sse2"},
                              {27, "ss"},   {28, "ht"},    {29, "tm"},   {30, "ia64"},    {31, "pbe"}};
constexpr Flag extended_edx[] = {{11, "syscall"},  {19, "mp"},      {20, "nx"},     {22, "mmxext"},
                                 {25, "fxsr_opt"}, {26, "pdpe1gb"}, {27, "rdtscp"}, {29, "lm"},
                                 {30, "3dnowext"}, {31, "3dnow"}};
constexpr Flag leaf1_ecx[] = {{0, "pni"},     {1, "pclmulqdq"},  {2, "dtes64"},  {3, "monitor"},
                              {4, "ds_cpl"},  {5, "vmx"},        {6, "smx"},     {7, "est"},
                              {8, "tm2"},     {9, "ssse3"},      {10, "cid"},    {11, "sdbg"},
                              {12, "fma"},    {13, "cx16"},      {14, "xtpr"},   {15, "pdcm"},
                              {17, "pcid"},   {18, "dca"},       {19, "sse4_1"}, {20, "sse4_2"},
                              {21, "x2apic"}, {22, "movbe"},     {23, "popcnt"}, {24, "tsc_deadline_timer"},
                              {25, "aes"},    {26, "xsave"},     {28, "avx"},    {29, "f16c"},
                              {30, "rdrand"}, {31, "hypervisor"}};
constexpr Flag extended_ecx[] = {{0, "lahf_lm"},       {1, "cmp_legacy"},  {2, "svm"},   {3, "extapic"},
                                 {4, "cr8_legacy"},    {5, "abm"},         {6, "sse4a"}, {7, "misalignsse"},
                                 {8, "3dnowprefetch"}, {9, "osvw"},        {10, "ibs"},  {11, "xop"},
                                 {12, "skinit"},       {13, "wdt"},        {15, "lwp"},  {16, "fma4"},
                                 {17, "tce"},          {19, "nodeid_msr"}, {21, "tbm"},  {22, "topoext"}};
constexpr Flag leaf7_ebx[] = {{0, "fsgsbase"},    {1, "tsc_adjust"}, {3, "bmi1"},      {4, "hle"},
                              {5, "avx2"},        {7, "smep"},       {8, "bmi2"},      {9, "erms"},
                              {10, "invpcid"},    {11, "rtm"},       {16, "avx512f"},  {17, "avx512dq"},
                              {18, "rdseed"},     {19, "adx"},       {20, "smap"},     {21, "avx512ifma"},
                              {23, "clflushopt"}, {24, "clwb"},      {26, "avx512pf"}, {27, "avx512er"},
                              {28, "avx512cd"},   {29, "sha_ni"},    {30, "avx512bw"}, {31, "avx512vl"}};
constexpr Flag xsave_eax[] = {{0, "xsaveopt"}, {1, "xsavec"}, {2, "xgetbv1"}, {3, "xsaves"}};
constexpr Flag leaf7_ecx[] = {{1, "avx512vbmi"},   {2, "umip"},           {6, "avx512_vbmi2"},
                              {8, "gfni"},         {9, "vaes"},           {10, "vpclmulqdq"},
                              {11, "avx512_vnni"}, {12, "avx512_bitalg"}, {14, "avx512_vpopcntdq"},
                              {22, "rdpid"},       {25, "cldemote"},      {27, "movdiri"},
                              {28, "movdir64b"}};
constexpr Flag leaf7_edx[] = {{4, "fsrm"}, {8, "avx512_vp2intersect"}, {14, "serialize"}};

// What the kernel does not switch on must not be announced, or programs use it and fail.
std::uint32_t usable_leaf7_ebx() {
  constexpr std::uint32_t avx512 =
      1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31;
  const CpuFeatures& f = cpu_features();
  std::uint32_t bits = f.leaf7_ebx;
  if (!(f.extended_components & 0x20)) bits &= ~avx512;
  if (!(f.extended_components & 4)) bits &= ~(1u << 5);
  return bits;
}

template <std::size_t n>
void put_flags(base::TextSink& sink, const Flag (&flags)[n], std::uint32_t word) {
  for (const Flag& flag : flags)
    if (word >> flag.bit & 1) base::format(sink, "{} ", flag.name);
}

std::string_view trimmed(const char* text) {
  std::string_view view(text);
  while (!view.empty() && view.front() == ' ') view.remove_prefix(1);
  return view;
}

}  // namespace

void describe_linux_cpu(base::TextSink& sink, unsigned cpu) {
  const CpuFeatures& f = cpu_features();
  std::uint64_t khz = counter_frequency() / 1000;
  base::format(sink, "processor\t: {}\nvendor_id\t: {}\ncpu family\t: {}\nmodel\t\t: {}\nmodel name\t: {}\n",
               cpu, f.vendor, f.family, f.model, f.brand[0] ? trimmed(f.brand) : std::string_view("unknown"));
  base::format(sink, "stepping\t: {}\ncpu MHz\t\t: {}.{:03}\ncache size\t: 16384 KB\n", f.stepping,
               khz / 1000, khz % 1000);
  unsigned count = cpu_count();
  base::format(sink, "physical id\t: {}\nsiblings\t: {}\ncore id\t\t: {}\ncpu cores\t: {}\n", 0, count, cpu,
               count);
  std::uint32_t apic_id = hardware_cpu_id(cpu);
  base::format(sink, "apicid\t\t: {}\ninitial apicid\t: {}\nfpu\t\t: yes\nfpu_exception\t: yes\n", apic_id,
               apic_id);
  base::format(sink, "cpuid level\t: {}\nwp\t\t: yes\nflags\t\t: ", f.max_leaf);
  put_flags(sink, leaf1_edx, f.leaf1_edx);
  put_flags(sink, extended_edx, f.extended_edx);
  if (f.invariant_tsc) sink.put("constant_tsc ");
  sink.put("rep_good nopl ");
  if (f.invariant_tsc) sink.put("nonstop_tsc ");
  sink.put("cpuid ");
  put_flags(sink, leaf1_ecx, f.leaf1_ecx);
  put_flags(sink, extended_ecx, f.extended_ecx);
  put_flags(sink, leaf7_ebx, usable_leaf7_ebx());
  put_flags(sink, xsave_eax, f.leaf_d1_eax);
  put_flags(sink, leaf7_ecx, f.leaf7_ecx);
  put_flags(sink, leaf7_edx, f.leaf7_edx);
  base::format(sink, "\nbugs\t\t:\nbogomips\t: {}.{:02}\nclflush size\t: 64\ncache_alignment\t: 64\n",
               khz * 2 / 1000, khz * 2 / 10 % 100);
  base::format(sink, "address sizes\t: {} bits physical, {} bits virtual\npower management:\n\n",
               f.physical_bits, f.linear_bits);
}

}  // namespace arch
