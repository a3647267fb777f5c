// Interrupts that a device sends as a memory write (MSI, MSI-X): the interrupt controller decides address and
// data of the write, the bus puts them into the device.
//
//   bus:     class Entry : public MessageInterruptSource { ... };
//            MessageInterrupt vector = TRY(MessageInterrupt::allocate(entry));
//   driver:  InterruptRegistration::request(vector.number(), ...)
//
// Messages are edges: one that comes while its handler runs makes the handler run again.
#pragma once

#include <cstdint>
#include <utility>

#include "base/result.h"

namespace core {

struct InterruptMessage {
  std::uint64_t address = 0;
  std::uint32_t data = 0;
};

// The device's side of one vector. Called with the line's raw lock held and interrupts off: register accesses
// only. The vector is masked while a message is set.
class MessageInterruptSource {
 public:
  virtual void set_message(const InterruptMessage& message) = 0;
  virtual void mask() = 0;
  virtual void unmask() = 0;

 protected:
  ~MessageInterruptSource() = default;
};

// What an interrupt controller that takes messages registers.
class MessageInterruptController {
 public:
  // A system-wide number for the source, which stays where it is until release. ENOSPC.
  virtual base::Result<unsigned> allocate(MessageInterruptSource& source) = 0;
  virtual void release(unsigned number) = 0;

 protected:
  ~MessageInterruptController() = default;
};
// During start only.
void set_message_interrupt_controller(MessageInterruptController& controller);
bool has_message_interrupts();

// Owns one vector; its InterruptRegistration must be gone before.
class [[nodiscard]] MessageInterrupt {
 public:
  MessageInterrupt() = default;
  MessageInterrupt(MessageInterrupt&& other) noexcept
      : number_(other.number_), allocated_(std::exchange(other.allocated_, false)) {}
  MessageInterrupt& operator=(MessageInterrupt&& other) noexcept {
    std::swap(number_, other.number_);
    std::swap(allocated_, other.allocated_);
    return *this;
  }
  ~MessageInterrupt();

  // ENXIO: no controller of this machine takes messages.
  static base::Result<MessageInterrupt> allocate(MessageInterruptSource& source);
  unsigned number() const { return number_; }
  explicit operator bool() const { return allocated_; }

 private:
  unsigned number_ = 0;
  bool allocated_ = false;
};

}  // namespace core
