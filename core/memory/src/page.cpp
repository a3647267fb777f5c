#include "core/memory/page.h"

#include "page_internal.h"

namespace core {

constinit std::uintptr_t direct_map_base = 0;
constinit Page* memory_map = nullptr;
constinit std::uint64_t memory_map_end = 0;
constinit std::uint64_t* memory_map_presence = nullptr;

bool page_exists(PhysicalAddress address) { return descriptor_exists(page_number(address)); }

}  // namespace core
