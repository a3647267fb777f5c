#include "core/random/random.h"

#include <arch/cpu.h>

#include <cstring>

#include "chacha.h"
#include "core/sync/mutex.h"
#include "core/time/clock.h"

namespace core {

namespace {

class Generator {
 public:
  // A key for one request.
  void derive(std::uint32_t (&key)[8]) {
    MutexGuard guard{lock_};
    if (!seeded_) seed_locked();
    std::uint64_t now = monotonic_ns();
    std::uint32_t block[16];
    run_locked(static_cast<std::uint32_t>(now), static_cast<std::uint32_t>(now >> 32), block);
    std::memcpy(key_, block, sizeof(key_));
    std::memcpy(key, block + 8, sizeof(key));
  }
  void add(std::span<const std::byte> data) {
    MutexGuard guard{lock_};
    for (std::size_t at = 0; at < data.size(); at += sizeof(key_)) {
      std::size_t part = data.size() - at < sizeof(key_) ? data.size() - at : sizeof(key_);
      std::uint32_t words[8] = {};
      std::memcpy(words, data.data() + at, part);
      for (int i = 0; i < 8; ++i) key_[i] ^= words[i];
      std::uint32_t block[16];
      run_locked(0, 0, block);
      std::memcpy(key_, block, sizeof(key_));
    }
  }

 private:
  void seed_locked() REQUIRES(lock_) {
    for (int i = 0; i < 8; i += 2) {
      std::uint64_t seed = arch::random_seed();
      key_[i] ^= static_cast<std::uint32_t>(seed);
      key_[i + 1] ^= static_cast<std::uint32_t>(seed >> 32);
    }
    seeded_ = true;
  }
  void run_locked(std::uint32_t nonce0, std::uint32_t nonce1, std::uint32_t (&block)[16]) REQUIRES(lock_) {
    std::uint32_t input[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    std::memcpy(input + 4, key_, sizeof(key_));
    std::uint64_t count = ++requests_;
    input[12] = static_cast<std::uint32_t>(count);
    input[13] = static_cast<std::uint32_t>(count >> 32);
    input[14] = nonce0;
    input[15] = nonce1;
    chacha_block(input, block);
  }

  Mutex lock_{"random generator"};
  std::uint32_t key_[8] GUARDED_BY(lock_) = {};
  std::uint64_t requests_ GUARDED_BY(lock_) = 0;
  bool seeded_ GUARDED_BY(lock_) = false;
};

[[clang::no_destroy]] constinit Generator generator;

}  // namespace

void random_bytes(std::span<std::byte> out) {
  std::uint32_t input[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  std::uint32_t key[8], block[16];
  generator.derive(key);
  std::memcpy(input + 4, key, sizeof(key));
  for (std::size_t at = 0; at < out.size(); at += sizeof(block)) {
    chacha_block(input, block);
    if (++input[12] == 0) ++input[13];
    std::size_t part = out.size() - at < sizeof(block) ? out.size() - at : sizeof(block);
    std::memcpy(out.data() + at, block, part);
  }
}

std::uint64_t random_number() {
  std::uint64_t number;
  random_bytes(std::as_writable_bytes(std::span(&number, 1)));
  return number;
}

std::uint64_t random_below(std::uint64_t bound) {
  // Values in the incomplete last stretch would make small results likelier.
  std::uint64_t unusable = (~std::uint64_t{0} % bound + 1) % bound;
  std::uint64_t number;
  do number = random_number();
  while (number > ~std::uint64_t{0} - unusable);
  return number % bound;
}

void add_randomness(std::span<const std::byte> data) { generator.add(data); }

}  // namespace core
