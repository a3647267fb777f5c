// Where allocations ask whether they should fail on purpose.
#pragma once

#include <atomic>

#include "core/memory/page_allocator.h"

namespace core {

extern std::atomic<bool> failure_injection_active;
extern std::atomic<bool> failure_injection_pages;
bool failure_is_due();

inline bool should_fail(AllocationFlags flags) {
  // relaxed: a switch that may be seen late.
  return failure_injection_active.load(std::memory_order_relaxed) &&
         !has(flags, AllocationFlags::no_injection) && failure_is_due();
}
inline bool should_fail_pages(AllocationFlags flags) {
  return failure_injection_pages.load(std::memory_order_relaxed) && has(flags, AllocationFlags::user) &&
         should_fail(flags);
}

}  // namespace core
