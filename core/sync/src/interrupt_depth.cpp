#include "core/sync/interrupt_depth.h"

#include "core/sync/per_cpu.h"

namespace core {

namespace {
struct Depth {
  unsigned value = 0;
};
PER_CPU constinit PerCpu<Depth> interrupt_depth;
}  // namespace

void note_interrupt_enter() { ++interrupt_depth.local_unchecked().value; }
void note_interrupt_leave() { --interrupt_depth.local_unchecked().value; }
bool in_hard_interrupt() { return interrupt_depth.local_unchecked().value != 0; }

}  // namespace core
