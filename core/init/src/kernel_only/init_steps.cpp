#include "core/init/init_step.h"
#include "core/init/panic.h"

// The linker names the ends of the section that INIT_STEP puts the steps into.
extern "C" {
extern const core::InitStep __start_init_steps[];
extern const core::InitStep __stop_init_steps[];
}

namespace core {
namespace {

// The milestones of init_step.h, in the order that every step may rely on. The modules that do the work put
// their steps before them.
INIT_STEP threads_milestone{"threads", {}, nullptr};
INIT_STEP interrupts_milestone{"interrupts", {"threads"}, nullptr};
INIT_STEP buses_milestone{"buses", {"interrupts"}, nullptr};
INIT_STEP drivers_milestone{"drivers", {"buses"}, nullptr};
INIT_STEP consoles_milestone{"consoles", {"drivers"}, nullptr};
INIT_STEP vfs_milestone{"vfs", {"threads"}, nullptr};
INIT_STEP personality_milestone{"personality", {"vfs", "consoles"}, nullptr};
INIT_STEP root_milestone{"root", {"vfs", "drivers"}, nullptr};

}  // namespace

std::span<const InitStep> all_init_steps() { return {__start_init_steps, __stop_init_steps}; }

void run_init_steps() {
  char memory[512];
  base::TextBuffer defect{memory};
  if (!run_init_graph(all_init_steps(), defect)) panic("{}", defect.view());
}

}  // namespace core
