// The random numbers of the test programs: a seed repeats a run, on any machine.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace test_support {

// xorshift64*: small, good enough, the same everywhere.
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
  // 0 .. limit - 1
  uint64_t below(uint64_t limit) { return next() % limit; }
  bool one_in(uint64_t chances) { return below(chances) == 0; }

 private:
  uint64_t state_;
};

}  // namespace test_support
