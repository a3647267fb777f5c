// Where assembly finds the number of the hart that is wanted, in arch_secondary_block (smp.cpp).
#pragma once

#define SECONDARY_HART 32
