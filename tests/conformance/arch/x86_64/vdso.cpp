// vdso(7): the functions that the kernel maps into every program.
#include <elf.h>
#include <sys/auxv.h>
#include <sys/time.h>
#include <time.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

// Finds a symbol in the image, the way the C library does it.
void* vdso_symbol(const char* name) {
  const unsigned long base = getauxval(AT_SYSINFO_EHDR);
  if (!base) return nullptr;
  const auto* header = reinterpret_cast<const Elf64_Ehdr*>(base);
  const auto* segments = reinterpret_cast<const Elf64_Phdr*>(base + header->e_phoff);
  unsigned long slide = 0;
  const Elf64_Dyn* dynamic = nullptr;
  for (int i = 0; i < header->e_phnum; i++) {
    if (segments[i].p_type == PT_LOAD) slide = base + segments[i].p_offset - segments[i].p_vaddr;
    if (segments[i].p_type == PT_DYNAMIC) {
      dynamic = reinterpret_cast<const Elf64_Dyn*>(base + segments[i].p_offset);
    }
  }
  const Elf64_Sym* symbols = nullptr;
  const char* strings = nullptr;
  for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
    if (dynamic->d_tag == DT_SYMTAB)
      symbols = reinterpret_cast<const Elf64_Sym*>(slide + dynamic->d_un.d_ptr);
    if (dynamic->d_tag == DT_STRTAB) strings = reinterpret_cast<const char*>(slide + dynamic->d_un.d_ptr);
  }
  if (!symbols || !strings) return nullptr;
  // The string table follows the symbol table in every vDSO.
  const auto* end = reinterpret_cast<const Elf64_Sym*>(strings);
  for (const Elf64_Sym* symbol = symbols; symbol < end; symbol++) {
    if (symbol->st_shndx != SHN_UNDEF && strcmp(strings + symbol->st_name, name) == 0) {
      return reinterpret_cast<void*>(slide + symbol->st_value);
    }
  }
  return nullptr;
}

TEST(Vdso, IsMappedAndAnElfFile) {
  const unsigned long base = getauxval(AT_SYSINFO_EHDR);
  ASSERT_NE(base, 0u);
  EXPECT_EQ(memcmp(reinterpret_cast<void*>(base), ELFMAG, SELFMAG), 0);
  EXPECT_NE(slurp("/proc/self/maps").find("[vdso]"), std::string::npos);
}

TEST(Vdso, HasTheFunctions) {
  for (const char* name : {"__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_time", "__vdso_getcpu"}) {
    EXPECT_NE(vdso_symbol(name), nullptr) << name;
  }
}

TEST(Vdso, ClockGettimeAgreesWithTheSystemCall) {
  auto* function = reinterpret_cast<int (*)(clockid_t, timespec*)>(vdso_symbol("__vdso_clock_gettime"));
  ASSERT_NE(function, nullptr);
  for (const clockid_t clock :
       {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_REALTIME_COARSE,
        CLOCK_MONOTONIC_COARSE, CLOCK_TAI, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID}) {
    timespec before, inner, after;
    ASSERT_OK(sys(SYS_clock_gettime, clock, &before));
    ASSERT_EQ(function(clock, &inner), 0);
    ASSERT_OK(sys(SYS_clock_gettime, clock, &after));
    const auto value = [](const timespec& time) { return time.tv_sec * 1000000000ll + time.tv_nsec; };
    EXPECT_LE(value(before), value(inner)) << clock;
    EXPECT_LE(value(inner), value(after)) << clock;
  }
  timespec ignored;
  EXPECT_EQ(function(99, &ignored), -EINVAL);
}

TEST(Vdso, TimeAndGettimeofday) {
  auto* seconds = reinterpret_cast<time_t (*)(time_t*)>(vdso_symbol("__vdso_time"));
  auto* day = reinterpret_cast<int (*)(timeval*, void*)>(vdso_symbol("__vdso_gettimeofday"));
  ASSERT_NE(seconds, nullptr);
  ASSERT_NE(day, nullptr);
  timeval now;
  ASSERT_EQ(day(&now, nullptr), 0);
  time_t stored = 0;
  const time_t returned = seconds(&stored);
  EXPECT_EQ(stored, returned);
  EXPECT_NEAR((double)returned, (double)now.tv_sec, 1);
}

TEST(Vdso, GetcpuAgrees) {
  auto* function = reinterpret_cast<long (*)(unsigned*, unsigned*, void*)>(vdso_symbol("__vdso_getcpu"));
  ASSERT_NE(function, nullptr);
  unsigned cpu = 9999, node = 9999;
  ASSERT_EQ(function(&cpu, &node, nullptr), 0);
  EXPECT_LT(cpu, 4096u);
  EXPECT_LT(node, 1024u);
}

TEST(Vdso, CannotBeWritten) {
  const unsigned long base = getauxval(AT_SYSINFO_EHDR);
  EXPECT_KILLED(run_child([&] { *reinterpret_cast<volatile char*>(base) = 0; }), SIGSEGV);
}

}  // namespace
