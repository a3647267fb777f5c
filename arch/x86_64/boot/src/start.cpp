// The first C++ at the kernel's final address: from the loader's structures to kernel_main().
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <arch/cpu.h>
#include <arch/early_console.h>
#include <arch/page_table.h>

#include "base/bits.h"
#include "boot/boot_info_storage.h"
#include "boot/early_command_line.h"
#include "boot/memory_map.h"
#include "boot/x86_protocols.h"
#include "page_tables.h"
#include "x86_64/cpu_area.h"
#include "x86_64/features.h"
#include "x86_64/registers.h"
#include "x86_64/user_access.h"

extern "C" {
extern char __kernel_start[], __kernel_end[];
extern std::uint64_t boot_page_tables[];
[[noreturn]] void arch_start(std::uint32_t protocol, std::uint64_t info);
// kernel/src/main.cpp
[[noreturn]] void kernel_main(const boot::BootInfo& info);
}

namespace arch {
namespace {

constexpr std::uint64_t link_base = 0xffffffff80200000;  // KERNEL_LINK_BASE in kernel.lds
constinit char command_line_text[4096];

// SAFETY: the low 4 GiB are mapped one to one until build_kernel_page_tables().
constexpr auto identity = [](std::uintptr_t physical) { return reinterpret_cast<const void*>(physical); };

// The physical address of the image: what the boot page tables say.
std::uintptr_t image_physical() {
  const std::uint64_t* directories = boot_page_tables + 7 * 512;
  auto start = reinterpret_cast<std::uintptr_t>(__kernel_start);  // SAFETY: a number
  return directories[(start - 0xffffffff80000000) >> 21] & 0x000fffffffe00000;
}

// Loaders put the initramfs as high as they can, which may be beyond mem=: it moves below, so that the limit
// does not cut it off.
void apply_memory_limit(boot::BootInfo& info, std::uintptr_t limit) {
  boot::PhysicalRange& initrd = info.initrd;
  boot::limit_memory(info, limit);
  if (initrd.size == 0 || initrd.start + initrd.size <= limit) return;
  constexpr std::uintptr_t four_gigabytes = std::uintptr_t{1} << 32;
  std::uintptr_t place =
      boot::find_free(info, initrd.size, limit < initrd.start ? limit : initrd.start, page_size);
  if (place == 0 || initrd.start + initrd.size > four_gigabytes) {
    early_console_write("NOS: no room for the initramfs below mem=; it is not used\n");
    initrd = {};
    return;
  }
  // SAFETY: both lie in the low 4 GiB, which are mapped one to one; the place is free memory, below the
  // source.
  std::memcpy(reinterpret_cast<void*>(place), identity(initrd.start), initrd.size);
  initrd.start = place;
}

void read_loader_info(boot::BootInfo& info, std::uint32_t protocol, std::uintptr_t structure) {
  auto result = protocol == 0 ? boot::read_pvh(info, structure, command_line_text, identity)
                              : boot::read_linux_boot_params(info, structure, command_line_text, identity);
  if (!result) {
    early_console_write("NOS: the boot loader's information makes no sense\n");
    halt_forever();
  }
  auto start = reinterpret_cast<std::uintptr_t>(__kernel_start);  // SAFETY: numbers from here on
  info.kernel_virtual = start;
  info.kernel_slide = static_cast<std::ptrdiff_t>(start - link_base);
  info.kernel_physical = {image_physical(), reinterpret_cast<std::uintptr_t>(__kernel_end) - start};
  // The first page stays unused: address 0 means "none" in too many places, and the firmware keeps its data
  // there.
  boot::reserve_memory(info, 0, page_size, boot::MemoryKind::reserved);
  boot::reserve_memory(info, info.kernel_physical.start,
                       info.kernel_physical.start + info.kernel_physical.size, boot::MemoryKind::kernel);
  if (std::uintptr_t limit = boot::command_line_memory_limit(info.command_line))
    apply_memory_limit(info, limit);
  boot::reserve_initrd(info);
}

[[noreturn]] void start(std::uint32_t protocol, std::uintptr_t structure) {
  enable_cpu_features();
  prepare_user_access();
  boot::BootInfo& info = boot::boot_info_for_arch_start();
  read_loader_info(info, protocol, structure);
  build_kernel_page_tables(info, !boot::command_line_has(info.command_line, "nokaslr"));
  kernel_main(info);
}

}  // namespace
}  // namespace arch

extern "C" void arch_start(std::uint32_t protocol, std::uint64_t info) {
  arch::detect_cpu_features();
  arch::install_boot_cpu_area();
  arch::start(protocol, info);
}
