#include "distributor.h"

#include <arch/cpu.h>
#include <arch/interrupt.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "board/interrupts.h"
#include "core/interrupt/interrupt.h"
#include "core/interrupt/interrupt_domain.h"
#include "core/sync/spin_lock.h"

namespace gic {
namespace {

constinit Registers distributor;
constinit Route route_to = nullptr;
// The system-wide number of an interrupt, plus one; 0: none.
constinit std::array<std::atomic<unsigned>, last_shared + 1> number_of{};

class Domain final : public core::InterruptDomain {
 public:
  constexpr Domain() : InterruptDomain("GIC") {}

  void mask(unsigned interrupt) override { disable(distributor, interrupt); }
  void unmask(unsigned interrupt) override { enable(distributor, interrupt); }

  base::Result<void> configure(unsigned interrupt, unsigned number, core::InterruptTrigger trigger,
                               const core::CpuMask& mask) override {
    unsigned cpu = mask.first();
    if (interrupt < first_shared || interrupt > last_shared || cpu >= arch::cpu_count())
      return base::error(base::Errno::einval);
    number_of[interrupt].store(number + 1, std::memory_order_release);
    core::SpinGuard<core::IrqSave> guard{lock_};
    std::size_t at = configuration + interrupt / 16 * 4;
    std::uint32_t edge = 2u << (interrupt % 16 * 2);
    std::uint32_t value = distributor.read(at);
    distributor.write(at, core::is_level(trigger) ? value & ~edge : value | edge);
    route_to(interrupt, cpu);
    return {};
  }

 private:
  core::SpinLock lock_{"GIC distributor"};  // read, change and write back
};

constinit Domain domain;

void device_interrupt(unsigned interrupt) {
  unsigned number = interrupt <= last_shared ? number_of[interrupt].load(std::memory_order_acquire) : 0;
  if (number)
    core::handle_interrupt(number - 1);
  else
    disable(distributor, interrupt);  // nobody's: once is enough
  arch::end_of_interrupt();
}

}  // namespace

void enable(Registers registers, unsigned interrupt) {
  registers.write(set_enable + interrupt / 32 * 4, 1u << interrupt % 32);
}
void disable(Registers registers, unsigned interrupt) {
  registers.write(clear_enable + interrupt / 32 * 4, 1u << interrupt % 32);
}

void prepare_distributor(Registers registers) {
  unsigned end = std::min((registers.read(type) & 31) * 32 + 32, last_shared + 1);
  for (unsigned first = first_shared; first < end; first += 32) {
    registers.write(clear_enable + first / 8, ~0u);
    registers.write(group + first / 8, ~0u);
  }
  for (unsigned first = first_shared; first < end; first += 16) registers.write(configuration + first / 4, 0);
  for (unsigned first = first_shared; first < end; first += 4)
    registers.write(priority + first, usual_priority * 0x01010101u);
}

void start_distributor(Registers registers, Route route) {
  distributor = registers;
  route_to = route;
  arch::set_device_interrupt_handler(device_interrupt);
}

}  // namespace gic

namespace board {

// Three cells: kind (0: shared, 1: a CPU's own), number, trigger.
base::Result<unsigned> map_interrupt(const device_tree::InterruptSpecifier& interrupt) {
  using core::InterruptTrigger;
  constexpr auto none = base::Errno::enxio;
  if (!interrupt.controller.has("interrupt-controller") || interrupt.cell_count < 3) return base::error(none);
  if (interrupt.cells[0] != 0 || interrupt.cells[1] > gic::last_shared - gic::first_shared)
    return base::error(none);
  bool edge = interrupt.cells[2] & 3;
  return gic::domain.map(interrupt.cells[1] + gic::first_shared,
                         edge ? InterruptTrigger::edge_rising : InterruptTrigger::level_high);
}

}  // namespace board
