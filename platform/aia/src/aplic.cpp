// RISC-V Advanced Interrupt Architecture 1.0, chapter 4.
#include "aplic.h"

#include <arch/cpu.h>
#include <arch/interrupt.h>

#include <array>
#include <atomic>
#include <optional>

#include "core/device/register_block.h"
#include "core/interrupt/interrupt.h"
#include "core/interrupt/interrupt_domain.h"
#include "core/log/log.h"
#include "core/memory/kernel_map.h"
#include "imsic.h"
#include "riscv64/smp.h"

namespace aplic {
namespace {

using core::InterruptTrigger;
using device_tree::Node;

constexpr unsigned most_lines = 1024, no_hart = ~0u;

// Offsets of the domain's registers. Of those for lines, the first belongs to line 1.
constexpr unsigned domain_configuration = 0, source_configuration = 0x4, inputs = 0x1d00,
                   set_pending_number = 0x1cdc, clear_enable = 0x1f00, set_enable_number = 0x1edc,
                   clear_enable_number = 0x1fdc, target = 0x3004;
constexpr std::uint32_t interrupts_enabled = 1 << 8, as_messages = 1 << 2;
// Of a hart, for delivery without messages.
constexpr unsigned hart_registers = 0x4000, hart_registers_size = 32, hart_delivery = 0, hart_threshold = 8,
                   hart_claim = 0x1c;
constexpr unsigned hart_shift = 18, direct_priority = 1;

constinit core::MemoryRegisters registers;
constinit std::optional<Node> controller;
constinit unsigned line_count = 0;
constinit bool sends_messages = false;
constinit std::array<unsigned, arch::max_cpus> hart_index{};
// Of a line: with messages the identity that it sends, else its interrupt plus one; 0: none yet.
constinit std::array<std::atomic<unsigned>, most_lines> line_use{};

std::uint32_t source_mode(InterruptTrigger trigger) {
  switch (trigger) {
    case InterruptTrigger::edge_rising:
      return 4;
    case InterruptTrigger::edge_falling:
      return 5;
    case InterruptTrigger::level_high:
      return 6;
    case InterruptTrigger::level_low:
      return 7;
  }
  return 0;
}

class LineDomain final : public core::InterruptDomain {
 public:
  constexpr LineDomain() : InterruptDomain("RISC-V APLIC") {}

  void mask(unsigned line) override { registers.write32(clear_enable_number, line); }

  void unmask(unsigned line) override {
    registers.write32(set_enable_number, line);
    // A line that stayed active has sent its message already and would send none again.
    bool active = registers.read32(inputs + line / 32 * 4) >> (line % 32) & 1;
    if (sends_messages && is_level_[line] && active) registers.write32(set_pending_number, line);
  }

  base::Result<void> configure(unsigned line, unsigned number, InterruptTrigger trigger,
                               const core::CpuMask& mask) override {
    unsigned cpu = mask.first();
    if (line == 0 || line >= line_count || cpu >= arch::cpu_count()) return base::error(base::Errno::einval);
    std::uint32_t destination = TRY(destination_of(line, number, cpu));
    is_level_[line] = core::is_level(trigger);
    registers.write32(source_configuration + (line - 1) * 4, source_mode(trigger));
    registers.write32(target + (line - 1) * 4, destination);
    return {};
  }

 private:
  static base::Result<std::uint32_t> destination_of(unsigned line, unsigned number, unsigned cpu) {
    if (sends_messages) {
      auto file = imsic::file_of_cpu(cpu);
      if (!file) return base::error(base::Errno::einval);
      unsigned identity = line_use[line].load(std::memory_order_relaxed);
      if (!identity) identity = TRY(imsic::allocate_identity(number));
      line_use[line].store(identity, std::memory_order_relaxed);
      return *file << hart_shift | identity;
    }
    if (hart_index[cpu] == no_hart) return base::error(base::Errno::einval);
    line_use[line].store(number + 1, std::memory_order_release);
    return hart_index[cpu] << hart_shift | direct_priority;
  }

  std::array<bool, most_lines> is_level_{};
};

constinit LineDomain domain;

unsigned hart_register(unsigned cpu, unsigned offset) {
  return hart_registers + hart_index[cpu] * hart_registers_size + offset;
}

void line_interrupt_came(unsigned) {
  unsigned claim = hart_register(arch::cpu_index(), hart_claim);
  while (unsigned line = registers.read32(claim) >> 16 & (most_lines - 1)) {
    unsigned number = line_use[line].load(std::memory_order_acquire);
    if (number)
      core::handle_interrupt(number - 1);
    else
      registers.write32(clear_enable_number, line);
  }
}

void start_on_cpu(unsigned cpu) {
  hart_index[cpu] = arch::supervisor_interrupt_index(*controller, cpu).value_or(no_hart);
  if (hart_index[cpu] == no_hart) return;
  registers.write32(hart_register(cpu, hart_threshold), 0);
  registers.write32(hart_register(cpu, hart_delivery), 1);
  arch::enable_external_interrupts();
}

// The domain whose interrupts end at harts in supervisor mode.
std::optional<Node> find_node(const device_tree::Tree& tree) {
  for (Node node : tree.nodes()) {
    if (!node.is_available() || !node.is_compatible("riscv,aplic")) continue;
    if (arch::interrupts_supervisor(node)) return node;
    auto parent = tree.find_phandle(node.cell("msi-parent").value_or(0));
    if (parent && imsic::is_node(*parent)) return node;
  }
  return std::nullopt;
}

}  // namespace

base::Result<void> start(const device_tree::Tree& tree) {
  auto node = find_node(tree);
  auto range = node ? node->registers(0) : std::nullopt;
  if (!range) return base::error(base::Errno::enxio);
  void* mapped = TRY(
      core::map_device_memory(core::PhysicalAddress(range->address), range->size, arch::CacheType::uncached));
  registers = core::MemoryRegisters(mapped, range->size);
  controller = node;
  sends_messages = !node->interrupt(0);
  line_count = node->cell("riscv,num-sources").value_or(0) + 1;
  if (line_count > most_lines) line_count = most_lines;
  registers.write32(domain_configuration, 0);
  for (unsigned line = 0; line < line_count; line += 32) registers.write32(clear_enable + line / 8, ~0u);
  for (unsigned line = 1; line < line_count; ++line)
    registers.write32(source_configuration + (line - 1) * 4, 0);
  registers.write32(domain_configuration, interrupts_enabled | (sends_messages ? as_messages : 0));
  if (!sends_messages) {
    arch::set_device_interrupt_handler(line_interrupt_came);
    arch::set_cpu_start_hook(start_on_cpu);
    start_on_cpu(0);
  }
  core::log(core::LogLevel::info, "APLIC: {} lines, {}", line_count - 1,
            sends_messages ? "as messages" : "directly to the harts");
  return {};
}

base::Result<unsigned> map_interrupt(const device_tree::InterruptSpecifier& interrupt) {
  if (!controller || interrupt.cell_count < 2 || !(interrupt.controller == *controller))
    return base::error(base::Errno::enxio);
  std::uint32_t kind = interrupt.cells[1];
  InterruptTrigger trigger = kind == 1   ? InterruptTrigger::edge_rising
                             : kind == 2 ? InterruptTrigger::edge_falling
                             : kind == 8 ? InterruptTrigger::level_low
                                         : InterruptTrigger::level_high;
  return domain.map(interrupt.cells[0], trigger);
}

}  // namespace aplic
