#include <arch/cpu.h>

#include <arch_impl/stack_frame.h>

namespace arch {

void walk_stack(std::uintptr_t frame_pointer, std::uintptr_t program_counter,
                bool (*function)(std::uintptr_t program_counter, void* argument), void* argument) {
  if (program_counter && !function(program_counter, argument)) return;
  // A stack is no larger than this, and a chain only ever leads outwards.
  constexpr std::uintptr_t largest_stack = 64 * 1024;
  std::uintptr_t limit = frame_pointer + largest_stack;
  while (frame_pointer >= kernel_half && (frame_pointer & 7) == 0 && frame_pointer < limit) {
    // Words of one page with one that the function whose frame it is has just used, or of the next: stacks
    // are mapped as a whole. SAFETY: follows the convention that every function of the kernel keeps.
    const auto* frame = reinterpret_cast<const std::uintptr_t*>(frame_pointer) + frame_record_at;
    std::uintptr_t next = frame[0], return_address = plain_return_address(frame[1]);
    if (return_address < kernel_half || !function(return_address, argument)) return;
    if (next <= frame_pointer) return;
    frame_pointer = next;
  }
}

}  // namespace arch
