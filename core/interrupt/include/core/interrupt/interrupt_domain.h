// An interrupt controller, as the platform layer registers it.
//
//   class IoApic final : public InterruptDomain { ... };
//   unsigned number = TRY(io_apic.map(hardware_number, InterruptTrigger::level_low));
//   ...request_interrupt(number, ...)
//
// The core calls the operations with the line's raw lock held and interrupts off; they touch the controller's
// registers and return. The controller calls core::handle_interrupt(number) from its vector; end of interrupt
// is signalled by arch after the handler returned (arch/interrupt.h).
#pragma once

#include <cstdint>

#include "base/result.h"
#include "core/sync/cpu_mask.h"

namespace core {

enum class InterruptTrigger : std::uint8_t { edge_rising, edge_falling, level_high, level_low };
constexpr bool is_level(InterruptTrigger trigger) { return trigger >= InterruptTrigger::level_high; }

inline constexpr unsigned max_interrupts = 1024;

class InterruptDomain {
 public:
  constexpr explicit InterruptDomain(const char* name) : name_(name) {}
  const char* name() const { return name_; }

  // Gives the hardware line a system-wide number, the same for the same line. `preferred` (legacy numbers
  // below 16) is used if free. ENOSPC when all are taken; EBUSY when the line is mapped with another trigger.
  base::Result<unsigned> map(unsigned hardware_number, InterruptTrigger trigger, unsigned preferred = ~0u);
  void unmap(unsigned number);

  virtual void mask(unsigned hardware_number) = 0;
  virtual void unmask(unsigned hardware_number) = 0;
  // Hard context, before the handlers: what the controller itself needs besides arch's end of interrupt.
  virtual void acknowledge(unsigned hardware_number) {}
  // Prepares the line to deliver to one of the CPUs in `mask`; called before the first unmask and for
  // changes.
  virtual base::Result<void> configure(unsigned hardware_number, unsigned number, InterruptTrigger trigger,
                                       const CpuMask& mask) = 0;

 protected:
  ~InterruptDomain() = default;

 private:
  const char* name_;
};

}  // namespace core
