#include "core/interrupt/message_interrupt.h"

namespace core {

namespace {
constinit MessageInterruptController* the_controller = nullptr;
}

void set_message_interrupt_controller(MessageInterruptController& controller) {
  the_controller = &controller;
}
bool has_message_interrupts() { return the_controller != nullptr; }

base::Result<MessageInterrupt> MessageInterrupt::allocate(MessageInterruptSource& source) {
  if (!the_controller) return base::error(base::Errno::enxio);
  MessageInterrupt result;
  result.number_ = TRY(the_controller->allocate(source));
  result.allocated_ = true;
  return result;
}

MessageInterrupt::~MessageInterrupt() {
  if (allocated_) the_controller->release(number_);
}

}  // namespace core
