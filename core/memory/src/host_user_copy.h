#pragma once

#include <cstdint>

namespace core {
// Host tests: the part of memory that user copies shall fault on.
extern std::uintptr_t host_user_fault_start, host_user_fault_end;
}  // namespace core
