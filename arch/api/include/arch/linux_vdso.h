// The vDSO: a small shared library that the kernel maps into every program, so that reading a clock needs no
// system call.
//
// What is mapped is linux_vdso_page_count() pages in a row, read-only: first linux_vdso_data_pages() of data,
// not executable, then the image. The program learns the address of the image (AT_SYSINFO_EHDR).
#pragma once

#include <cstdint>

namespace arch {

// Zero on an architecture without one.
unsigned linux_vdso_page_count();
unsigned linux_vdso_data_pages();
// Physical address of the index-th of these pages.
std::uintptr_t linux_vdso_page(unsigned index);

// The numbers of the clocks, copied into the data page under its sequence counter. One writer at a time.
struct LinuxVdsoClocks {
  bool usable = false;  // else every function makes its system call
  std::uint64_t counter_base = 0;
  std::uint64_t multiplier = 0, raw_multiplier = 0;
  std::uint32_t shift = 0;
  std::uint64_t monotonic_base_ns = 0, raw_base_ns = 0;
  std::uint64_t realtime_offset_ns = 0, boot_offset_ns = 0;  // added to monotonic
  std::int64_t tai_offset_s = 0;
};
void set_linux_vdso_clocks(const LinuxVdsoClocks& clocks);

}  // namespace arch
