// Is this CPU handling a hard interrupt? Kept by the upcalls that arch makes around handlers (core/sched).
#pragma once

namespace core {

void note_interrupt_enter();
void note_interrupt_leave();
bool in_hard_interrupt();

}  // namespace core
