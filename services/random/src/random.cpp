#include "random/random.h"

#include <arch/cpu.h>

#include <bit>
#include <cstring>

#include "core/sync/spin_lock.h"
#include "core/time/clock.h"

namespace random_numbers {

void chacha20_block(const std::uint32_t (&key)[8], std::uint32_t counter, const std::uint32_t (&nonce)[3],
                    std::uint32_t (&out)[16]) {
  // RFC 8439, section 2.3.
  const std::uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, key[0], key[1], key[2], key[3],
                                   key[4],     key[5],     key[6],     key[7],     counter, nonce[0], nonce[1], nonce[2]};
  std::uint32_t x[16];
  std::memcpy(x, start, sizeof(x));
  auto quarter = [&](unsigned a, unsigned b, unsigned c, unsigned d) {
    x[a] += x[b], x[d] = std::rotl(x[d] ^ x[a], 16);
    x[c] += x[d], x[b] = std::rotl(x[b] ^ x[c], 12);
    x[a] += x[b], x[d] = std::rotl(x[d] ^ x[a], 8);
    x[c] += x[d], x[b] = std::rotl(x[b] ^ x[c], 7);
  };
  for (int round = 0; round < 10; ++round) {
    quarter(0, 4, 8, 12), quarter(1, 5, 9, 13), quarter(2, 6, 10, 14), quarter(3, 7, 11, 15);
    quarter(0, 5, 10, 15), quarter(1, 6, 11, 12), quarter(2, 7, 8, 13), quarter(3, 4, 9, 14);
  }
  for (unsigned i = 0; i < 16; ++i) out[i] = x[i] + start[i];
}

namespace {

constexpr std::uint64_t reseed_interval_ns = 60 * core::ns_per_second;

struct Generator {
  core::SpinLock lock{"random"};
  std::uint32_t key[8] GUARDED_BY(lock) = {};
  std::uint64_t reseeded_ns GUARDED_BY(lock) = 0;
  bool seeded GUARDED_BY(lock) = false;

  // Stirs eight words into the key: the new key depends on all of the old one and all of the input.
  void stir_locked(const std::uint32_t (&input)[8]) REQUIRES(lock) {
    for (unsigned i = 0; i < 8; ++i) key[i] ^= input[i];
    std::uint32_t block[16];
    const std::uint32_t nonce[3] = {0x72657365, 0, 1};
    chacha20_block(key, 0, nonce, block);
    std::memcpy(key, block, sizeof(key));
  }
  void reseed_locked(std::uint64_t now) REQUIRES(lock) {
    std::uint32_t input[8];
    for (unsigned i = 0; i < 8; i += 2) {
      std::uint64_t seed = arch::random_seed();
      std::memcpy(&input[i], &seed, 8);
    }
    input[0] ^= static_cast<std::uint32_t>(now);
    input[1] ^= static_cast<std::uint32_t>(now >> 32);
    stir_locked(input);
    reseeded_ns = now;
    seeded = true;
  }
  void take_key(std::uint32_t (&request)[8]) EXCLUDES(lock) {
    std::uint64_t now = core::monotonic_ns();
    core::SpinGuard<core::IrqSave> guard{lock};
    if (!seeded || now - reseeded_ns > reseed_interval_ns) reseed_locked(now);
    std::uint32_t block[16];
    const std::uint32_t nonce[3] = {0, 0, 0};
    chacha20_block(key, 0, nonce, block);
    std::memcpy(key, block, sizeof(key));
    std::memcpy(request, block + 8, sizeof(request));
  }
};
constinit Generator generator;

}  // namespace

void fill(std::span<std::byte> out) {
  std::uint32_t key[8], block[16];
  generator.take_key(key);
  const std::uint32_t nonce[3] = {0, 0, 0};
  for (std::uint32_t counter = 1; !out.empty(); ++counter) {
    chacha20_block(key, counter, nonce, block);
    std::size_t count = out.size() < sizeof(block) ? out.size() : sizeof(block);
    std::memcpy(out.data(), block, count);
    out = out.subspan(count);
    // The block counter has 32 bits: a request beyond 256 GiB takes a new key.
    if (counter == 0xffffffff) {
      generator.take_key(key);
      counter = 0;
    }
  }
}

std::uint64_t number() {
  std::uint64_t value;
  fill(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

std::uint64_t below(std::uint64_t limit) {
  // Values in the incomplete last stretch would favour small results.
  std::uint64_t threshold = (0 - limit) % limit;
  for (;;) {
    std::uint64_t value = number();
    if (value >= threshold) return value % limit;
  }
}

void add_entropy(std::span<const std::byte> data) {
  while (!data.empty()) {
    std::uint32_t input[8] = {};
    std::size_t count = data.size() < sizeof(input) ? data.size() : sizeof(input);
    std::memcpy(input, data.data(), count);
    data = data.subspan(count);
    core::SpinGuard<core::IrqSave> guard{generator.lock};
    generator.stir_locked(input);
  }
}

void make_uuid(std::span<char, 36> text) {
  std::uint8_t bytes[16];
  fill(std::as_writable_bytes(std::span(bytes)));
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);  // version 4
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);  // RFC 4122 variant
  constexpr char digits[] = "0123456789abcdef";
  std::size_t at = 0;
  for (unsigned i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text[at++] = '-';
    text[at++] = digits[bytes[i] >> 4];
    text[at++] = digits[bytes[i] & 15];
  }
}

}  // namespace random_numbers
