#include "page_tables.h"

#include <arch/cpu.h>
#include <arch/page_table.h>

#include "aarch64/early_console.h"
#include "aarch64/features.h"
#include "aarch64/tlb.h"
#include "arch_common/image.h"
#include "arch_common/kernel_map.h"
#include "base/bits.h"

extern "C" {
extern std::uint64_t boot_page_tables[];
void arch_switch_kernel_root(std::uintptr_t root, std::uintptr_t physical_address_of_itself,
                             std::uintptr_t empty_root);
}

namespace arch {
namespace {

// Below the top of the address space and above where the image can come to lie.
constexpr std::uintptr_t console_address = 0xfffffffff0000000;

}  // namespace

// make_leaf() sets the bits for accessed and dirty in the kernel's pages. All code of the kernel has its
// targets of branches marked.
PageTableEntry make_boot_leaf(std::uintptr_t physical, PageAttributes attributes, unsigned level) {
  attributes.guarded = attributes.execute && cpu_features().branch_targets;
  return PageTableEntry::make_leaf(physical, attributes, level);
}

void build_kernel_page_tables(boot::BootInfo& info, bool randomise, std::uintptr_t console) {
  choose_kernel_layout(info, 17, 240, randomise ? random_seed() : 0);
  KernelMap map(info, base::align_down(info.kernel_physical.start, base::GiB) + base::GiB);
  map.add_image();
  map.add_memory();
  map.prepare_regions();
  if (console)
    map.map(console_address, console & ~(page_size - 1), page_size,
            {.write = true, .global = true, .cache = CacheType::uncached});

  map.finish();
  // entry.S: the last of the boot tables is an empty root.
  std::uintptr_t empty_root = physical_of_image(boot_page_tables) + 6 * page_size;
  // SAFETY: a number
  const void* code = reinterpret_cast<const void*>(&arch_switch_kernel_root);
  set_kernel_root(map.root(), empty_root);
  full_memory_barrier();
  arch_switch_kernel_root(map.root(), physical_of_image(code), empty_root);
  if (console) set_early_console(console_address + (console & (page_size - 1)));
  // The identity map is for CPUs that start; no program runs yet, so nothing is mapped in the lower half.
  clear_user_root();
}

}  // namespace arch
