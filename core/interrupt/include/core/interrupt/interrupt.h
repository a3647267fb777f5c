// Interrupts of devices, as drivers see them.
//
//   base::Result<InterruptRegistration> request_interrupt(line, "ttyS0", handler)
//
//   class Uart { InterruptRegistration interrupt_; ... };
//   interrupt_ = TRY(InterruptRegistration::request(line, {.name = "ttyS0", .thread = &Uart::interrupted,
//   .context = this}));
//
// Handlers run in a thread of their own at FIFO 50 ("irq/4-ttyS0"): they may take sleeping locks and be
// preempted. The hard part, with interrupts off, only masks or acknowledges the line and wakes the thread. A
// driver may add a `quick` function that runs in the hard part, for sources that must be asked whether it was
// them (shared lines) or latched at once: constant time, raw locks only.
//
// Level-triggered lines stay masked until the thread is done. Lines can be shared: each handler says whether
// the interrupt was its own. A line that nobody claims 99,900 times out of 100,000 is masked and reported.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "core/sync/cpu_mask.h"

namespace core {

enum class InterruptOutcome : std::uint8_t {
  not_mine,     // shared line, another device's
  handled,      // quick only: nothing is left for the thread
  wake_thread,  // quick only: run `thread`
};

struct InterruptHandler {
  const char* name;  // as in /proc/interrupts; lives as long as the registration
  InterruptOutcome (*thread)(void* context) = nullptr;  // not_mine or handled
  InterruptOutcome (*quick)(void* context) = nullptr;
  void* context = nullptr;
  bool shared = false;
};

class InterruptLine;
struct InterruptAction;

// Owns one handler on a line: gone, the handler neither runs nor will run.
class [[nodiscard]] InterruptRegistration {
 public:
  InterruptRegistration() = default;
  InterruptRegistration(InterruptRegistration&& other) noexcept
      : action_(std::exchange(other.action_, nullptr)) {}
  InterruptRegistration& operator=(InterruptRegistration&& other) noexcept {
    std::swap(action_, other.action_);
    return *this;
  }
  ~InterruptRegistration() { release(); }

  // `number` is the system-wide interrupt number (InterruptDomain::map gives it). EBUSY: taken and not
  // shared; EINVAL: no such number or no function given. Thread context.
  static base::Result<InterruptRegistration> request(unsigned number, const InterruptHandler& handler);
  void release();
  explicit operator bool() const { return action_ != nullptr; }

  // While a guard lives the line is masked (nests). Waits for a handler that is running.
  void disable();
  void enable();
  base::Result<void> set_affinity(const CpuMask& mask);
  unsigned number() const;

 private:
  void stop_thread();
  InterruptAction* action_ = nullptr;
};

// Interrupts off on this CPU in hard context: an interrupt with this number has come in. Called by the
// controllers.
void handle_interrupt(unsigned number);

// --- /proc/interrupts and /proc/irq.
struct InterruptInformation {
  unsigned number = 0;
  const char* controller = nullptr;  // domain's name, e.g. "IO-APIC"
  unsigned hardware_number = 0;
  bool level_triggered = false;
  char handlers[96] = {};  // names, separated by ", "
  CpuMask affinity;
};
// The smallest registered number at or above `from`. False: none.
bool next_interrupt(unsigned from, InterruptInformation& information);
std::uint64_t interrupt_count(unsigned number, unsigned cpu);
std::uint64_t spurious_interrupts();
base::Result<void> set_interrupt_affinity(unsigned number, const CpuMask& mask);

}  // namespace core
