// Battery-backed clocks of boards: PL031 and Goldfish.
#pragma once

#include "device_tree/tree.h"

namespace board {

// Gives the first that the tree describes to arch::set_board_clock().
void find_clock(const device_tree::Tree& tree);

}  // namespace board
