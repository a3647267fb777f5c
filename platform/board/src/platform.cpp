// Bringing up a board that a device tree describes: its CPUs, interrupt controllers, clocks.
#include "platform/platform.h"

#include <arch/board.h>
#include <arch/page_table.h>

#include <optional>

#include "board/board.h"
#include "board/clock.h"
#include "board/interrupts.h"
#include "core/init/panic.h"
#include "core/log/log.h"
#include "core/memory/address.h"

namespace board {
namespace {
constinit std::optional<device_tree::Tree> the_tree;
}

const device_tree::Tree* tree() { return the_tree ? &*the_tree : nullptr; }

namespace {

// The blob lies in memory that boot has reserved, so the direct map has it.
void open_tree(const boot::BootInfo& info) {
  if (!info.device_tree) core::panic("the loader passed no device tree");
  const auto* start = core::to_virtual<const std::byte>(core::PhysicalAddress(info.device_tree));
  std::size_t size = device_tree::Tree::size_of(std::span<const std::byte, 8>(start, 8));
  auto opened = device_tree::Tree::open({start, size});
  if (!opened) core::panic("the device tree is damaged");
  the_tree = *opened;
}

void add_cpus(const device_tree::Tree& from) {
  auto cpus = from.find("/cpus");
  if (!cpus) return;
  for (auto node = cpus->first_child(); node; node = node->next_sibling())
    if (node->text("device_type") == "cpu" && node->is_available()) arch::add_board_cpu(*node);
}

}  // namespace
}  // namespace board

namespace platform {

void initialize_early(const boot::BootInfo& info) {
  board::open_tree(info);
  const device_tree::Tree& tree = *board::tree();
  core::log(core::LogLevel::info, "board: {}",
            tree.root().text("model").empty() ? tree.root().text("compatible") : tree.root().text("model"));
  board::add_cpus(tree);
  arch::initialize_board_power(tree);
  board::initialize_interrupt_controllers(tree);
  board::find_clock(tree);
  arch::initialize_board_time(tree);
}

}  // namespace platform
