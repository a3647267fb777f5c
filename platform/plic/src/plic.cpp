// The platform-level interrupt controller: up to 1023 lines, each with a priority, delivered to the harts
// that have enabled it. It has a set of registers (a context) for each hart and privilege level.
#include <arch/cpu.h>
#include <arch/interrupt.h>

#include <array>
#include <atomic>
#include <optional>

#include "core/interrupt/interrupt.h"
#include "core/interrupt/interrupt_domain.h"
#include "core/log/log.h"
#include "core/memory/kernel_map.h"
#include "core/sync/spin_lock.h"
#include "plic/plic.h"
#include "riscv64/smp.h"

namespace plic {
namespace {

using core::InterruptTrigger;

constexpr unsigned most_lines = 1024, no_context = ~0u;

// Registers of 32 bits each (RISC-V Platform-Level Interrupt Controller Specification 1.0).
class Registers {
 public:
  explicit constexpr Registers(volatile std::uint32_t* base = nullptr) : base_(base) {}
  explicit operator bool() const { return base_; }
  volatile std::uint32_t& priority(unsigned line) const { return base_[line]; }
  volatile std::uint32_t& enable(unsigned context, unsigned line) const {
    return base_[(0x2000 + 0x80 * context) / 4 + line / 32];
  }
  volatile std::uint32_t& threshold(unsigned context) const {
    return base_[(0x200000 + 0x1000 * context) / 4];
  }
  // Read: takes the most urgent line; written: that line is done.
  volatile std::uint32_t& claim(unsigned context) const {
    return base_[(0x200000 + 0x1000 * context) / 4 + 1];
  }

 private:
  volatile std::uint32_t* base_;
};

constinit Registers registers;
constinit unsigned line_count = 0;
constinit std::array<unsigned, arch::max_cpus> context_of_cpu{};
// Which interrupt a line stands for, plus one; 0: none.
constinit std::array<std::atomic<unsigned>, most_lines> interrupt_of_line{};

class PlicDomain final : public core::InterruptDomain {
 public:
  constexpr PlicDomain() : InterruptDomain("SiFive PLIC") {}

  // By priority: the end of an interrupt is ignored on a line that its hart has not enabled.
  void mask(unsigned line) override { registers.priority(line) = 0; }
  void unmask(unsigned line) override { registers.priority(line) = 1; }

  base::Result<void> configure(unsigned line, unsigned number, InterruptTrigger,
                               const core::CpuMask& mask) override {
    unsigned cpu = mask.first();
    if (line == 0 || line >= line_count || cpu >= arch::cpu_count() || context_of_cpu[cpu] == no_context)
      return base::error(base::Errno::einval);
    core::SpinGuard<core::IrqSave> guard{lock_};
    interrupt_of_line[line].store(number + 1, std::memory_order_release);
    std::uint32_t bit = std::uint32_t{1} << (line % 32);
    for (unsigned other = 0; other < arch::cpu_count(); ++other) {
      unsigned context = context_of_cpu[other];
      if (context == no_context) continue;
      volatile std::uint32_t& word = registers.enable(context, line);
      word = other == cpu ? word | bit : word & ~bit;
    }
    return {};
  }

 private:
  core::SpinLock lock_{"PlicDomain::lock_"};  // words of `enable` hold 32 lines
};

constinit PlicDomain domain;

void device_interrupt_came(unsigned) {
  unsigned context = context_of_cpu[arch::cpu_index()];
  while (std::uint32_t line = registers.claim(context)) {
    unsigned number = line < most_lines ? interrupt_of_line[line].load(std::memory_order_acquire) : 0;
    if (number)
      core::handle_interrupt(number - 1);
    else
      registers.priority(line) = 0;
    registers.claim(context) = line;
  }
}

constinit std::optional<device_tree::Node> controller;

void start_on_cpu(unsigned cpu) {
  unsigned context = arch::supervisor_interrupt_index(*controller, cpu).value_or(no_context);
  context_of_cpu[cpu] = context;
  if (context == no_context) return;
  for (unsigned line = 0; line < line_count; line += 32) registers.enable(context, line) = 0;
  registers.threshold(context) = 0;
  arch::enable_external_interrupts();
}

}  // namespace

base::Result<void> start(const device_tree::Tree& tree) {
  controller = tree.find_compatible("riscv,plic0");
  if (!controller) controller = tree.find_compatible("sifive,plic-1.0.0");
  auto range = controller ? controller->registers(0) : std::nullopt;
  if (!range) return base::error(base::Errno::enxio);
  void* mapped = TRY(
      core::map_device_memory(core::PhysicalAddress(range->address), range->size, arch::CacheType::uncached));
  registers = Registers(static_cast<volatile std::uint32_t*>(mapped));
  line_count = controller->cell("riscv,ndev").value_or(0) + 1;
  if (line_count > most_lines) line_count = most_lines;
  for (unsigned line = 1; line < line_count; ++line) registers.priority(line) = 0;
  arch::set_device_interrupt_handler(device_interrupt_came);
  arch::set_cpu_start_hook(start_on_cpu);
  start_on_cpu(0);
  core::log(core::LogLevel::info, "PLIC: {} lines", line_count - 1);
  return {};
}

base::Result<unsigned> map_interrupt(const device_tree::InterruptSpecifier& interrupt) {
  if (!registers || interrupt.cell_count == 0 || !(interrupt.controller == *controller))
    return base::error(base::Errno::enxio);
  return domain.map(interrupt.cells[0], InterruptTrigger::level_high);
}

}  // namespace plic
