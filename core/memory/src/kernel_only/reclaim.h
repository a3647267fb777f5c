// Getting pages back from those who can spare them.
#pragma once

#include <cstdint>

namespace core {

// Asks the registered reclaimers, the address spaces and the slabs in turn; may sleep. The number of pages
// freed; 1 if somebody else is at it and there may be memory soon.
std::uint64_t reclaim_pages(std::uint64_t wanted);
std::uint64_t reclaimable_pages();
// After an allocation for a program failed that reclaims nothing itself: makes room, at last with a victim.
// False: give up (there is nobody left, or there is memory and it fails all the same, which `vain` counts).
bool make_room_for_program(unsigned& vain);

}  // namespace core
