// The first C++ at the kernel's final address: from the device tree to kernel_main().
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <arch/cpu.h>
#include <arch/early_console.h>
#include <arch/page_table.h>

#include "boot/boot_info_storage.h"
#include "boot/device_tree_protocol.h"
#include "boot/early_command_line.h"
#include "boot/memory_map.h"
#include "device_tree/tree.h"
#include "early.h"
#include "page_tables.h"
#include "riscv64/cpu_area.h"
#include "riscv64/features.h"

extern "C" {
extern char __kernel_start[], __kernel_end[];
[[noreturn]] void arch_start(std::uint64_t hart, std::uint64_t device_tree);
// kernel/src/main.cpp
[[noreturn]] void kernel_main(const boot::BootInfo& info);
}

namespace arch {
namespace {

constexpr std::uint64_t link_base = 0xffffffff80200000;  // KERNEL_LINK_BASE in kernel.lds
constinit char command_line_text[4096];

[[noreturn]] void refuse(const char* reason) {
  early_console_write("NOS: ");
  early_console_write(reason);
  early_console_write("\n");
  halt_forever();
}

// SAFETY: the loader's memory is mapped one to one until build_kernel_page_tables().
std::span<const std::byte> blob_at(std::uintptr_t physical) {
  const auto* start = reinterpret_cast<const std::byte*>(physical);
  return {start, device_tree::Tree::size_of(std::span<const std::byte, 8>(start, 8))};
}

std::string_view isa_of(const device_tree::Tree& tree, std::uint64_t hart) {
  auto cpus = tree.find("/cpus");
  if (!cpus) return {};
  for (auto node = cpus->first_child(); node; node = node->next_sibling())
    if (node->text("device_type") == "cpu" && node->cell("reg") == hart) return node->text("riscv,isa");
  return {};
}

void choose_paging() {
  paging.levels = static_cast<unsigned>(early_result.levels);
  paging.memory_types = cpu_features().memory_types;
  unsigned bits = page_shift + bits_per_level * paging.levels;
  user_address_limit = std::uintptr_t{1} << (bits - 1);
}

void reserve_what_is_ours(boot::BootInfo& info) {
  auto start = reinterpret_cast<std::uintptr_t>(__kernel_start);  // SAFETY: numbers from here on
  info.kernel_virtual = start;
  info.kernel_slide = static_cast<std::ptrdiff_t>(start - link_base);
  info.kernel_physical = {early_result.image, reinterpret_cast<std::uintptr_t>(__kernel_end) - start};
  // Address 0 means "none" in too many places.
  boot::reserve_memory(info, 0, page_size, boot::MemoryKind::reserved);
  if (std::uintptr_t limit = boot::command_line_memory_limit(info.command_line)) {
    // An amount: memory does not begin at 0 here.
    std::uintptr_t first = info.memory_count ? info.memory[0].start : 0;
    boot::limit_memory(info, first + limit);
  }
  boot::reserve_memory(info, info.kernel_physical.start,
                       info.kernel_physical.start + info.kernel_physical.size, boot::MemoryKind::kernel);
  boot::reserve_initrd(info);
}

[[noreturn]] void start(std::uint64_t hart, std::uintptr_t device_tree) {
  std::span<const std::byte> blob = blob_at(device_tree);
  auto tree = device_tree::Tree::open(blob);
  if (!tree) refuse("the boot loader's device tree is damaged or missing");
  detect_cpu_features(isa_of(*tree, hart));
  enable_cpu_features();
  choose_paging();
  boot::BootInfo& info = boot::boot_info_for_arch_start();
  if (!boot::read_device_tree(info, *tree, {device_tree, blob.size()}, command_line_text))
    refuse("the boot loader's device tree names no memory");
  reserve_what_is_ours(info);
  bool randomise = !boot::command_line_has(info.command_line, "nokaslr");
  build_kernel_page_tables(info, randomise ? early_result.random : 0);
  kernel_main(info);
}

}  // namespace
}  // namespace arch

extern "C" void arch_start(std::uint64_t hart, std::uint64_t device_tree) {
  arch::install_boot_cpu_area(hart);
  arch::start(hart, device_tree);
}
