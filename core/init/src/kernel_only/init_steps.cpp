#include "core/init/init_step.h"
#include "core/init/panic.h"

// The linker names the ends of the section that INIT_STEP puts the steps into.
extern "C" {
extern const core::InitStep __start_init_steps[];
extern const core::InitStep __stop_init_steps[];
}

namespace core {
namespace {

// Milestones that have no work of their own; the rest of the names in init_step.h belong to the modules that do it.
INIT_STEP drivers_milestone{"drivers", {"buses"}, nullptr};
INIT_STEP consoles_milestone{"consoles", {"threads"}, nullptr};

}  // namespace

std::span<const InitStep> all_init_steps() { return {__start_init_steps, __stop_init_steps}; }

void run_init_steps() {
  char memory[512];
  base::TextBuffer defect{memory};
  if (!run_init_graph(all_init_steps(), defect)) panic("{}", defect.view());
}

}  // namespace core
