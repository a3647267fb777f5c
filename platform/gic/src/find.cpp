#include "board/interrupts.h"
#include "controllers.h"
#include "core/init/panic.h"

namespace board {

void initialize_interrupt_controllers(const device_tree::Tree& tree) {
  constexpr const char* version_2[] = {"arm,cortex-a15-gic", "arm,gic-400", "arm,cortex-a9-gic"};
  if (auto node = tree.find_compatible("arm,gic-v3")) {
    if (gic::start_version_3(*node)) return;
  }
  for (const char* name : version_2) {
    auto node = tree.find_compatible(name);
    if (node && gic::start_version_2(*node)) return;
  }
  core::panic("no interrupt controller that works");
}

}  // namespace board
