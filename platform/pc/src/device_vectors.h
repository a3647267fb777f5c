// Which system-wide interrupt a CPU vector stands for.
#pragma once

namespace platform {

// Any context; the vector must have been allocated (arch/interrupt.h).
void set_interrupt_of_vector(unsigned vector, unsigned number);
void clear_interrupt_of_vector(unsigned vector);
// Once: sends device vectors to core.
void start_device_vectors();

}  // namespace platform
