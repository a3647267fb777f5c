#include "device_vectors.h"

#include <arch/interrupt.h>

#include <array>
#include <atomic>

#include "core/interrupt/interrupt.h"

namespace platform {
namespace {

constexpr unsigned most_vectors = 256;
// The interrupt's number plus one; 0: none.
constinit std::array<std::atomic<unsigned>, most_vectors> interrupt_of_vector{};

void device_interrupt(unsigned vector) {
  unsigned number = interrupt_of_vector[vector].load(std::memory_order_acquire);
  if (number) core::handle_interrupt(number - 1);
  arch::end_of_interrupt();
}

}  // namespace

void set_interrupt_of_vector(unsigned vector, unsigned number) {
  interrupt_of_vector[vector].store(number + 1, std::memory_order_release);
}
void clear_interrupt_of_vector(unsigned vector) {
  interrupt_of_vector[vector].store(0, std::memory_order_release);
}
void start_device_vectors() { arch::set_device_interrupt_handler(device_interrupt); }

}  // namespace platform
