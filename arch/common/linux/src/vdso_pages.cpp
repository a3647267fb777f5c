#include <arch/linux_vdso.h>
#include <cstring>

#include <arch/page_table.h>

#include "arch_common/image.h"
#include "arch_common/vdso_entry.h"
#include "vdso_data.h"

extern "C" const char vdso_image[], vdso_image_end[];

namespace arch {
namespace {

constexpr unsigned data_pages = 1;

union alignas(page_size) DataPage {
  VdsoData data;
  std::byte bytes[page_size];
};
constinit DataPage page{.bytes = {}};

}  // namespace

unsigned linux_vdso_data_pages() { return data_pages; }
unsigned linux_vdso_page_count() {
  auto size = static_cast<std::size_t>(vdso_image_end - vdso_image);
  return data_pages + static_cast<unsigned>((size + page_size - 1) / page_size);
}

std::uintptr_t linux_vdso_page(unsigned index) {
  if (index < data_pages) return physical_of_image(&page);
  return physical_of_image(vdso_image) + (index - data_pages) * page_size;
}

std::uint64_t vdso_entry_offset() {
  constexpr std::size_t entry_point = 24;  // Elf64_Ehdr::e_entry
  std::uint64_t offset;
  std::memcpy(&offset, vdso_image + entry_point, sizeof(offset));
  return offset;
}

void set_linux_vdso_clocks(const LinuxVdsoClocks& clocks) {
  VdsoData& data = page.data;
  // Odd while it is being written; the fence keeps the data from being stored before that.
  __atomic_store_n(&data.sequence, data.sequence + 1, __ATOMIC_RELAXED);
  __atomic_thread_fence(__ATOMIC_RELEASE);
  data.usable = clocks.usable ? known_clocks : 0;
  data.counter_base = clocks.counter_base;
  data.shift = clocks.shift;
  std::uint64_t monotonic = clocks.monotonic_base_ns;
  std::uint64_t realtime = monotonic + clocks.realtime_offset_ns;
  auto set = [&](VdsoClock clock, std::uint64_t base_ns) {
    data.clocks[clock] = {base_ns, clock == clock_monotonic_raw ? clocks.raw_multiplier : clocks.multiplier};
  };
  set(clock_realtime, realtime);
  set(clock_realtime_coarse, realtime);
  set(clock_monotonic, monotonic);
  set(clock_monotonic_coarse, monotonic);
  set(clock_monotonic_raw, clocks.raw_base_ns);
  set(clock_boot_time, monotonic + clocks.boot_offset_ns);
  set(clock_tai, realtime + static_cast<std::uint64_t>(clocks.tai_offset_s * 1'000'000'000));
  __atomic_store_n(&data.sequence, data.sequence + 1, __ATOMIC_RELEASE);
}

}  // namespace arch
