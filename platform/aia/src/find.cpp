#include "aplic.h"
#include "board/interrupts.h"
#include "core/log/log.h"
#include "imsic.h"
#include "plic/plic.h"

namespace board {

void initialize_interrupt_controllers(const device_tree::Tree& tree) {
  bool messages = static_cast<bool>(imsic::start(tree));
  bool lines = static_cast<bool>(aplic::start(tree)) || (!messages && static_cast<bool>(plic::start(tree)));
  if (!messages && !lines)
    core::log(core::LogLevel::error, "no interrupt controller that works; devices cannot interrupt");
}

base::Result<unsigned> map_interrupt(const device_tree::InterruptSpecifier& interrupt) {
  auto number = aplic::map_interrupt(interrupt);
  return number ? number : plic::map_interrupt(interrupt);
}

}  // namespace board
