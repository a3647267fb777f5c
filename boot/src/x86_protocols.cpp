#include "boot/x86_protocols.h"

#include <cstring>

#include "boot/memory_map.h"

namespace boot {
namespace {

// xen/include/public/arch-x86/hvm/start_info.h describes these.
struct PvhStartInfo {
  std::uint32_t magic, version, flags, module_count;
  std::uint64_t modules, command_line, rsdp, memory_map;
  std::uint32_t memory_map_entries, reserved;
};
constexpr std::uint32_t pvh_magic = 0x336ec578;
struct PvhModule {
  std::uint64_t address, size, command_line, reserved;
};
struct PvhMemory {
  std::uint64_t address, size;
  std::uint32_t type, reserved;
};

// Linux's Documentation/arch/x86/boot.rst and zero-page.rst: offsets in boot_params.
constexpr std::size_t rsdp_at = 0x70, extended_ramdisk_at = 0xc0, extended_ramdisk_size_at = 0xc4,
                      extended_command_line_at = 0xc8, map_count_at = 0x1e8, header_magic_at = 0x202,
                      ramdisk_at = 0x218, ramdisk_size_at = 0x21c, command_line_at = 0x228, map_at = 0x2d0;
struct [[gnu::packed]] E820 {
  std::uint64_t address, size;
  std::uint32_t type;
};

template <typename T>
T read(const void* base, std::size_t offset) {
  T value;
  std::memcpy(&value, static_cast<const char*>(base) + offset, sizeof(value));
  return value;
}

MemoryKind kind_of(std::uint32_t e820_type) {
  switch (e820_type) {
    case 1:
      return MemoryKind::usable;
    case 3:
      return MemoryKind::acpi_reclaimable;
    case 4:
      return MemoryKind::acpi_nonvolatile;
    case 5:
      return MemoryKind::unusable;
    case 7:
      return MemoryKind::persistent;
    default:
      return MemoryKind::reserved;
  }
}

void add_e820(BootInfo& info, std::uint64_t address, std::uint64_t size, std::uint32_t type) {
  std::uint64_t end = address + size < address ? ~std::uint64_t{0} : address + size;
  add_memory(info, address, end, kind_of(type));
}

void copy_command_line(BootInfo& info, std::span<char> text, const void* from) {
  std::size_t size = 0;
  for (const char* source = static_cast<const char*>(from); source && size + 1 < text.size() && source[size];
       ++size)
    text[size] = source[size];
  text[size] = '\0';
  info.command_line = {text.data(), size};
}

}  // namespace

base::Result<void> read_pvh(BootInfo& info, std::uintptr_t start_info, std::span<char> text,
                            PhysicalReader at) {
  auto start = read<PvhStartInfo>(at(start_info), 0);
  if (start.magic != pvh_magic) return base::error(base::Errno::einval);
  info.protocol = "PVH";
  if (start.version >= 1 && start.memory_map) {
    for (std::uint32_t i = 0; i < start.memory_map_entries; ++i) {
      auto entry = read<PvhMemory>(at(start.memory_map), i * sizeof(PvhMemory));
      add_e820(info, entry.address, entry.size, entry.type);
    }
  }
  info.acpi_rsdp = start.rsdp;
  if (start.module_count) {
    auto module = read<PvhModule>(at(start.modules), 0);
    info.initrd = {module.address, module.size};
  }
  copy_command_line(info, text, start.command_line ? at(start.command_line) : nullptr);
  return {};
}

base::Result<void> read_linux_boot_params(BootInfo& info, std::uintptr_t boot_params, std::span<char> text,
                                          PhysicalReader at) {
  const void* params = at(boot_params);
  if (read<std::uint32_t>(params, header_magic_at) != 0x53726448)
    return base::error(base::Errno::einval);  // "HdrS"
  info.protocol = "Linux";
  unsigned count = read<std::uint8_t>(params, map_count_at);
  for (unsigned i = 0; i < count && i < 128; ++i) {
    auto entry = read<E820>(params, map_at + i * sizeof(E820));
    add_e820(info, entry.address, entry.size, entry.type);
  }
  info.acpi_rsdp = read<std::uint64_t>(params, rsdp_at);
  auto wide = [&](std::size_t low, std::size_t high) {
    return std::uint64_t{read<std::uint32_t>(params, high)} << 32 | read<std::uint32_t>(params, low);
  };
  info.initrd = {wide(ramdisk_at, extended_ramdisk_at), wide(ramdisk_size_at, extended_ramdisk_size_at)};
  std::uint64_t command_line = wide(command_line_at, extended_command_line_at);
  copy_command_line(info, text, command_line ? at(command_line) : nullptr);
  return {};
}

}  // namespace boot
