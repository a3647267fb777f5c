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

namespace hostile {

// xorshift64*
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 0x1234567) {
    if (!state_) state_ = 1;
  }
  uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1du;
  }
  uint64_t below(uint64_t limit) { return next() % limit; }
  bool one_in(uint64_t chances) { return below(chances) == 0; }

 private:
  uint64_t state_;
};

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
