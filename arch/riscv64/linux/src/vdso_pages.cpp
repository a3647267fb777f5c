#include <arch/linux_vdso.h>
#include <arch/page_table.h>

#include "boot/boot_info.h"
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

std::uintptr_t physical_of_image_address(const void* address) {
  const boot::BootInfo& info = boot::boot_info();
  return reinterpret_cast<std::uintptr_t>(address) - info.kernel_virtual +
         info.kernel_physical.start;  // SAFETY: a number
}

}  // namespace

unsigned linux_vdso_data_pages() { return data_pages; }
unsigned linux_vdso_page_count() {
  auto size = static_cast<std::size_t>(vdso_image_end - vdso_image);
  return data_pages + static_cast<unsigned>((size + page_size - 1) / page_size);
}

std::uintptr_t linux_vdso_page(unsigned index) {
  if (index < data_pages) return physical_of_image_address(&page);
  return physical_of_image_address(vdso_image) + (index - data_pages) * page_size;
}

void set_linux_vdso_clocks(const LinuxVdsoClocks& clocks) {
  VdsoData& data = page.data;
  // Odd while it is being written; the fence keeps the data from being stored before that.
  __atomic_store_n(&data.sequence, data.sequence + 1, __ATOMIC_RELAXED);
  __atomic_thread_fence(__ATOMIC_RELEASE);
  data.usable = clocks.usable;
  data.counter_base = clocks.counter_base;
  data.multiplier = clocks.multiplier;
  data.raw_multiplier = clocks.raw_multiplier;
  data.shift = clocks.shift;
  data.monotonic_base_ns = clocks.monotonic_base_ns;
  data.raw_base_ns = clocks.raw_base_ns;
  data.realtime_offset_ns = clocks.realtime_offset_ns;
  data.boot_offset_ns = clocks.boot_offset_ns;
  data.tai_offset_ns = clocks.tai_offset_s * 1'000'000'000;
  __atomic_store_n(&data.sequence, data.sequence + 1, __ATOMIC_RELEASE);
}

}  // namespace arch
