// The interrupt vectors that the kernel itself uses.
#pragma once

namespace arch {

enum class SystemVector : unsigned {
  first = 0xf0,
  timer = 0xf0,
  reschedule = 0xf1,
  call = 0xf2,
  error = 0xf3,
  spurious = 0xff,
};

// Interrupts off. Runs the handler of `vector` with the interrupt unit of the preemption count taken.
void dispatch_interrupt(unsigned vector);

}  // namespace arch
