#pragma once

#include <cstdint>

namespace core {

void initialize_kernel_map(std::uintptr_t start, std::uintptr_t end);
void initialize_address_spaces();  // address_space.cpp
// Frees what waits for a flush of the TLBs. Threads that may sleep.
void purge_kernel_map();

}  // namespace core
