// MSI and MSI-X: a memory write into the window of the local APICs is an interrupt (Intel SDM volume 3,
// section "Message Signalled Interrupts").
#include <arch/cpu.h>
#include <arch/interrupt.h>

#include <array>

#include "core/init/init_step.h"
#include "core/interrupt/interrupt_domain.h"
#include "core/interrupt/message_interrupt.h"
#include "core/sync/spin_lock.h"
#include "device_vectors.h"

namespace platform {
namespace {

using core::InterruptTrigger;

constexpr std::uint64_t message_window = 0xfee00000;
constexpr unsigned destination_shift = 12, largest_destination = 255;
constexpr unsigned most_messages = 512;

// The hardware number of a line is the place of its source in a table.
class MessageDomain final : public core::InterruptDomain, public core::MessageInterruptController {
 public:
  constexpr MessageDomain() : InterruptDomain("PCI-MSI") {}

  base::Result<unsigned> allocate(core::MessageInterruptSource& source) override {
    unsigned slot = TRY(reserve(source));
    auto number = map(slot, InterruptTrigger::edge_rising);
    if (!number)
      free_slot(slot);
    else
      slots_[slot].number = *number;
    return number;
  }

  void release(unsigned number) override {
    unsigned slot = slot_of(number);
    unmap(number);
    free_slot(slot);
  }

  // Called with the line's lock, and only while the slot is taken.
  void mask(unsigned slot) override { slots_[slot].source->mask(); }
  void unmask(unsigned slot) override { slots_[slot].source->unmask(); }

  base::Result<void> configure(unsigned slot, unsigned number, InterruptTrigger,
                               const core::CpuMask& cpus) override {
    unsigned cpu = cpus.first();
    if (cpu >= arch::cpu_count() || arch::hardware_cpu_id(cpu) > largest_destination)
      return base::error(base::Errno::einval);
    Slot& entry = slots_[slot];
    if (!entry.vector) entry.vector = TRY(arch::allocate_device_vector());
    set_interrupt_of_vector(entry.vector, number);
    std::uint64_t destination = static_cast<std::uint64_t>(arch::hardware_cpu_id(cpu)) << destination_shift;
    entry.source->set_message({.address = message_window | destination, .data = entry.vector});
    return {};
  }

 private:
  struct Slot {
    core::MessageInterruptSource* source = nullptr;
    unsigned vector = 0;
    unsigned number = ~0u;
  };

  base::Result<unsigned> reserve(core::MessageInterruptSource& source) {
    core::SpinGuard<core::IrqSave> guard{lock_};
    for (unsigned slot = next_; slot < most_messages; ++slot) {
      if (slots_[slot].source) continue;
      slots_[slot] = {.source = &source};
      next_ = slot + 1;
      return slot;
    }
    return base::error(base::Errno::enospc);
  }

  void free_slot(unsigned slot) {
    core::SpinGuard<core::IrqSave> guard{lock_};
    if (slots_[slot].vector) {
      clear_interrupt_of_vector(slots_[slot].vector);
      arch::free_device_vector(slots_[slot].vector);
    }
    slots_[slot] = {};
    if (slot < next_) next_ = slot;
  }

  unsigned slot_of(unsigned number) {
    core::SpinGuard<core::IrqSave> guard{lock_};
    for (unsigned slot = 0; slot < most_messages; ++slot)
      if (slots_[slot].source && slots_[slot].number == number) return slot;
    base::unreachable("release of a message interrupt that was not allocated");
  }

  core::SpinLock lock_{"message interrupts"};  // which slots are taken
  std::array<Slot, most_messages> slots_{};
  unsigned next_ = 0;  // every slot below is taken
};

constinit MessageDomain domain;

base::Result<void> offer_messages() {
  core::set_message_interrupt_controller(domain);
  return {};
}
INIT_STEP messages_step{"platform.messages", {"interrupts"}, offer_messages, {"buses"}};

}  // namespace
}  // namespace platform
