// Getting pages back from those who can spare them.
#pragma once

#include <cstdint>

namespace core {

// Asks the registered reclaimers and the slabs in turn; may sleep. The number of pages freed.
std::uint64_t reclaim_pages(std::uint64_t wanted);
std::uint64_t reclaimable_pages();

}  // namespace core
