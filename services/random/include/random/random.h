// Random numbers: getrandom(2), /dev/random, /dev/urandom, and the kernel's own (address-space layout, cookies).
//
//   random_numbers::fill(bytes);      std::uint64_t cookie = random_numbers::number();
//
// A ChaCha20 generator with fast key erasure: each request takes one block under the lock, whose first half becomes the next
// key and whose second half is the key for this request's output, so that what was given out cannot be recomputed from what
// the kernel remembers. Seeded with arch::random_seed() (the CPU's generator, timing) and reseeded with every minute's
// first request; whoever has entropy adds it. Any context.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace random_numbers {

void fill(std::span<std::byte> out);
std::uint64_t number();
// Uniform in [0, limit); limit > 0.
std::uint64_t below(std::uint64_t limit);
void add_entropy(std::span<const std::byte> data);
// For /proc/sys/kernel/random/boot_id and uuid: version 4, in text of 36 characters.
void make_uuid(std::span<char, 36> text);

// One block of ChaCha20 (RFC 8439): key, block counter and nonce to 64 bytes. For tests.
void chacha20_block(const std::uint32_t (&key)[8], std::uint32_t counter, const std::uint32_t (&nonce)[3],
                    std::uint32_t (&out)[16]);

}  // namespace random_numbers
