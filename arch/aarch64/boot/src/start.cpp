// The first C++ at the kernel's final address: from the device tree to kernel_main().
#include <cstddef>
#include <cstdint>
#include <optional>

#include <arch/cpu.h>
#include <arch/early_console.h>
#include <arch/page_table.h>

#include "aarch64/cpu_area.h"
#include "aarch64/early_console.h"
#include "aarch64/features.h"
#include "aarch64/pointer_keys.h"
#include "boot/boot_info_storage.h"
#include "boot/device_tree_protocol.h"
#include "boot/early_command_line.h"
#include "boot/memory_map.h"
#include "page_tables.h"

extern "C" {
extern char __kernel_start[], __kernel_end[];
[[noreturn]] void arch_start(std::uintptr_t device_tree, std::uintptr_t image);
// kernel/src/main.cpp
[[noreturn]] void kernel_main(const boot::BootInfo& info);
}

namespace arch {
namespace {

constexpr std::uint64_t link_base = 0xffffffff80200000;  // KERNEL_LINK_BASE in kernel.lds
constinit char command_line_text[4096];

// SAFETY: the identity map has the tree as normal memory until build_kernel_page_tables().
std::optional<device_tree::Tree> open_tree(std::uintptr_t physical) {
  const auto* start = reinterpret_cast<const std::byte*>(physical);
  std::size_t size = device_tree::Tree::size_of(std::span<const std::byte, 8>(start, 8));
  auto tree = device_tree::Tree::open({start, size});
  return tree ? std::optional(*tree) : std::nullopt;
}

// The serial port that the firmware itself talks to, if it is one that early output can use.
std::uintptr_t console_of(const device_tree::Tree& tree) {
  auto chosen = tree.find("/chosen");
  auto port = chosen && chosen->has("stdout-path") ? tree.find(chosen->text("stdout-path"))
                                                   : tree.find_compatible("arm,pl011");
  auto registers = port && port->is_compatible("arm,pl011") ? port->registers(0) : std::nullopt;
  return registers ? registers->address : 0;
}

void read_loader_info(boot::BootInfo& info, const device_tree::Tree& tree, std::uintptr_t blob,
                      std::size_t blob_size, std::uintptr_t image) {
  if (!boot::read_device_tree(info, tree, {blob, blob_size}, command_line_text)) {
    early_console_write("NOS: the device tree names no memory\n");
    halt_forever();
  }
  auto start = reinterpret_cast<std::uintptr_t>(__kernel_start);  // SAFETY: numbers from here on
  info.kernel_virtual = start;
  info.kernel_slide = static_cast<std::ptrdiff_t>(start - link_base);
  info.kernel_physical = {image, reinterpret_cast<std::uintptr_t>(__kernel_end) - start};
  // The first page stays unused: address 0 means "none" in too many places.
  boot::reserve_memory(info, 0, page_size, boot::MemoryKind::reserved);
  // Memory does not begin at zero here: the limit counts from where it does.
  if (std::uintptr_t limit = boot::command_line_memory_limit(info.command_line))
    boot::limit_memory(info, info.memory[0].start + limit);
  boot::reserve_memory(info, info.kernel_physical.start,
                       info.kernel_physical.start + info.kernel_physical.size, boot::MemoryKind::kernel);
  boot::reserve_initrd(info);
}

}  // namespace
}  // namespace arch

extern "C" void arch_start(std::uintptr_t blob, std::uintptr_t image) {
  using namespace arch;
  install_boot_cpu_area();
  detect_cpu_features();
  choose_kernel_key();
  start_signing();
  auto tree = open_tree(blob);
  if (!tree) halt_forever();  // and nothing is known to say so on
  std::uintptr_t console = console_of(*tree);
  if (console) set_early_console(console);
  boot::BootInfo& info = boot::boot_info_for_arch_start();
  // SAFETY: as in open_tree().
  std::size_t size =
      device_tree::Tree::size_of(std::span<const std::byte, 8>(reinterpret_cast<const std::byte*>(blob), 8));
  read_loader_info(info, *tree, blob, size, image);
  build_kernel_page_tables(info, !boot::command_line_has(info.command_line, "nokaslr"), console);
  kernel_main(info);
}
