#include "boot/device_tree_protocol.h"

#include <algorithm>
#include <cstring>

#include "boot/memory_map.h"

namespace boot {
namespace {

using device_tree::Node;
using device_tree::Range;
using device_tree::Tree;

std::size_t add_banks(BootInfo& info, const Tree& tree) {
  std::size_t banks = 0;
  for (Node node : tree.nodes()) {
    if (node.text("device_type") != "memory" || !node.is_available()) continue;
    for (std::size_t i = 0; auto range = node.registers(i); ++i) {
      if (!range->size) continue;
      add_memory(info, range->address, range->address + range->size, MemoryKind::usable);
      ++banks;
    }
  }
  return banks;
}

// What the firmware keeps for itself may not even be mapped; what it only set aside for a device is left
// alone all the same.
void keep_reserved(BootInfo& info, const Tree& tree) {
  for (std::size_t i = 0; auto range = tree.reservation(i); ++i)
    reserve_memory(info, range->address, range->address + range->size, MemoryKind::boot_tables);
  auto reserved = tree.find("/reserved-memory");
  if (!reserved) return;
  for (auto node = reserved->first_child(); node; node = node->next_sibling()) {
    if (!node->is_available()) continue;
    MemoryKind kind = node->has("no-map") ? MemoryKind::reserved : MemoryKind::boot_tables;
    for (std::size_t i = 0; auto range = node->registers(i); ++i)
      reserve_memory(info, range->address, range->address + range->size, kind);
  }
}

// One cell or two, whatever the tree's address size is.
std::uint64_t number_of(const Node& node, std::string_view name) {
  auto property = node.property(name);
  return property ? property->number(0, property->cell_count() == 1 ? 1 : 2).value_or(0) : 0;
}

void read_chosen(BootInfo& info, const Tree& tree, std::span<char> text) {
  text[0] = '\0';
  auto chosen = tree.find("/chosen");
  if (!chosen) return;
  std::string_view line = chosen->text("bootargs");
  std::size_t size = std::min(line.size(), text.size() - 1);
  std::memcpy(text.data(), line.data(), size);
  text[size] = '\0';
  info.command_line = {text.data(), size};
  std::uint64_t start = number_of(*chosen, "linux,initrd-start"),
                end = number_of(*chosen, "linux,initrd-end");
  if (end > start) info.initrd = {start, end - start};
}

}  // namespace

base::Result<void> read_device_tree(BootInfo& info, const Tree& tree, PhysicalRange where,
                                    std::span<char> text) {
  info.protocol = "device tree";
  info.device_tree = where.start;
  if (add_banks(info, tree) == 0) return base::error(base::Errno::einval);
  keep_reserved(info, tree);
  reserve_memory(info, where.start, where.start + where.size, MemoryKind::boot_tables);
  read_chosen(info, tree, text);
  return {};
}

}  // namespace boot
