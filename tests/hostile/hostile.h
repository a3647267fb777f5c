// Hostile: what a malicious or broken program may try, from children that have no privileges.
//
// The program has done its job when the machine still works afterwards; what happens to the children does
// not matter. Everything is derived from a seed, so that a panic can be repeated:
//
//   hostile --seed 17 --first 4711 --rounds 1 --verbose
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "support/random.h"

namespace hostile {

using test_support::Random;

// The exit status of a child that found the kernel at fault.
inline constexpr int attack_failed = 113;

struct Options {
  long seconds = 10;
  uint64_t seed = 1, first = 0, rounds = ~0ull;
  bool verbose = false, exhaust_memory = false;
};

// The attacks. Each runs in a child of its own, in a directory of its own, and may end in any way.
void random_calls(Random& random, const Options& options);
void random_code(Random& random);
void damaged_program(Random& random);
void exhaust_descriptors(Random& random);
void exhaust_processes(Random& random);
void exhaust_memory(Random& random);
void exhaust_signals(Random& random);

}  // namespace hostile
