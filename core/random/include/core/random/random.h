// Random numbers that nobody can predict: getrandom(2), /dev/urandom, address-space layout.
//
// A ChaCha20 generator with fast key erasure: every request first replaces the key by a part of the output,
// so that what was given out before cannot be computed from the state later. Seeded from arch::random_seed()
// at the first use and stirred with the clock at each; drivers may add more with add_randomness().
//
// Thread context; may sleep for a moment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace core {

void random_bytes(std::span<std::byte> out);
std::uint64_t random_number();
// Evenly in [0, bound); bound > 0.
std::uint64_t random_below(std::uint64_t bound);
void add_randomness(std::span<const std::byte> data);

}  // namespace core
