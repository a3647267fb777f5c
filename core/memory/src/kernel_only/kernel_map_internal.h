#pragma once

#include <cstdint>

namespace core {

void initialize_kernel_map(std::uintptr_t start, std::uintptr_t end);
void initialize_address_spaces();  // address_space.cpp

}  // namespace core
