#include <arch/cpu.h>

namespace arch {

void walk_stack(std::uintptr_t frame_pointer, std::uintptr_t program_counter,
                bool (*function)(std::uintptr_t program_counter, void* argument), void* argument) {
  if (program_counter && !function(program_counter, argument)) return;
  // A stack is no larger than this, and a chain only ever leads outwards.
  constexpr std::uintptr_t largest_stack = 64 * 1024, kernel_half = 0xff00000000000000;
  std::uintptr_t limit = frame_pointer + largest_stack;
  while (frame_pointer >= kernel_half && (frame_pointer & 7) == 0 && frame_pointer < limit) {
    // The two words below the frame pointer: the caller's frame pointer and the return address. They lie in
    // the frame that the function has just used. SAFETY: follows the convention that every function of the
    // kernel keeps.
    const auto* frame = reinterpret_cast<const std::uintptr_t*>(frame_pointer);
    std::uintptr_t next = frame[-2], return_address = frame[-1];
    if (return_address < kernel_half || !function(return_address, argument)) return;
    if (next <= frame_pointer) return;
    frame_pointer = next;
  }
}

}  // namespace arch
