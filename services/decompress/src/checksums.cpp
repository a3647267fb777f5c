#include "checksums.h"

#include <array>
#include <bit>
#include <cstring>

#include "bytes.h"

namespace decompress {
namespace {

// tables[k][b]: what byte b does to the remainder k bytes later ("slicing by eight").
template <typename Word, Word polynomial>
struct CrcTables {
  std::array<std::array<Word, 256>, 8> tables{};
  constexpr CrcTables() {
    for (unsigned byte = 0; byte < 256; ++byte) {
      Word remainder = byte;
      for (int bit = 0; bit < 8; ++bit) remainder = remainder >> 1 ^ (remainder & 1 ? polynomial : 0);
      tables[0][byte] = remainder;
    }
    for (unsigned k = 1; k < 8; ++k)
      for (unsigned byte = 0; byte < 256; ++byte) {
        Word before = tables[k - 1][byte];
        tables[k][byte] = before >> 8 ^ tables[0][before & 0xff];
      }
  }
};
constexpr CrcTables<std::uint32_t, 0xedb88320u> crc32_tables;
constexpr CrcTables<std::uint64_t, 0xc96c5795d7870f42u> crc64_tables;

template <typename Word, typename Tables>
Word update_crc(Word state, std::span<const std::uint8_t> bytes, const Tables& slices) {
  const auto& table = slices.tables;
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word = load<std::uint64_t>(at) ^ state;
    state = table[7][word & 0xff] ^ table[6][word >> 8 & 0xff] ^ table[5][word >> 16 & 0xff] ^
            table[4][word >> 24 & 0xff] ^ table[3][word >> 32 & 0xff] ^ table[2][word >> 40 & 0xff] ^
            table[1][word >> 48 & 0xff] ^ table[0][word >> 56];
  }
  for (; left; ++at, --left) state = state >> 8 ^ table[0][(state ^ *at) & 0xff];
  return state;
}

}  // namespace

void Crc32::update(std::span<const std::uint8_t> bytes) { state_ = update_crc(state_, bytes, crc32_tables); }
void Crc64::update(std::span<const std::uint8_t> bytes) { state_ = update_crc(state_, bytes, crc64_tables); }

std::uint32_t Crc32::of(std::span<const std::uint8_t> bytes) {
  Crc32 crc;
  crc.update(bytes);
  return crc.value();
}

void Adler32::update(std::span<const std::uint8_t> bytes) {
  constexpr std::uint32_t modulus = 65521;
  constexpr std::size_t run = 5552;  // the sums stay below 2^32 for so many bytes
  while (!bytes.empty()) {
    auto piece = bytes.subspan(0, bytes.size() < run ? bytes.size() : run);
    for (std::uint8_t byte : piece) {
      a_ += byte;
      b_ += a_;
    }
    a_ %= modulus;
    b_ %= modulus;
    bytes = bytes.subspan(piece.size());
  }
}

namespace {

// Both hashes cut their input into stripes; what does not fill one waits in `pending`.
template <std::size_t stripe, typename Mix>
void update_in_stripes(std::span<const std::uint8_t> bytes, std::uint8_t (&pending)[stripe],
                       std::uint64_t& total, Mix mix) {
  std::size_t held = total % stripe;
  total += bytes.size();
  if (held) {
    std::size_t missing = stripe - held, taken = bytes.size() < missing ? bytes.size() : missing;
    std::memcpy(pending + held, bytes.data(), taken);
    bytes = bytes.subspan(taken);
    if (held + taken < stripe) return;
    mix(pending);
  }
  for (; bytes.size() >= stripe; bytes = bytes.subspan(stripe)) mix(bytes.data());
  if (!bytes.empty()) std::memcpy(pending, bytes.data(), bytes.size());
}

constexpr std::uint32_t prime32[] = {0x9e3779b1u, 0x85ebca77u, 0xc2b2ae3du, 0x27d4eb2fu, 0x165667b1u};
constexpr std::uint64_t prime64[] = {0x9e3779b185ebca87u, 0xc2b2ae3d27d4eb4fu, 0x165667b19e3779f9u,
                                     0x85ebca77c2b2ae63u, 0x27d4eb2f165667c5u};

std::uint64_t round64(std::uint64_t lane, std::uint64_t input) {
  return std::rotl(lane + input * prime64[1], 31) * prime64[0];
}

}  // namespace

XxHash32::XxHash32() : lanes_{prime32[0] + prime32[1], prime32[1], 0, 0 - prime32[0]} {}

void XxHash32::mix(const std::uint8_t* bytes) {
  for (unsigned i = 0; i < 4; ++i)
    lanes_[i] = std::rotl(lanes_[i] + load<std::uint32_t>(bytes + 4 * i) * prime32[1], 13) * prime32[0];
}

void XxHash32::update(std::span<const std::uint8_t> bytes) {
  update_in_stripes(bytes, pending_, total_, [this](const std::uint8_t* at) { mix(at); });
}

std::uint32_t XxHash32::value() const {
  std::uint32_t hash = total_ >= stripe ? std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) +
                                              std::rotl(lanes_[2], 12) + std::rotl(lanes_[3], 18)
                                        : prime32[4];
  hash += static_cast<std::uint32_t>(total_);
  std::size_t left = total_ % stripe, at = 0;
  for (; left - at >= 4; at += 4)
    hash = std::rotl(hash + load<std::uint32_t>(pending_ + at) * prime32[2], 17) * prime32[3];
  for (; at < left; ++at) hash = std::rotl(hash + pending_[at] * prime32[4], 11) * prime32[0];
  hash = (hash ^ hash >> 15) * prime32[1];
  hash = (hash ^ hash >> 13) * prime32[2];
  return hash ^ hash >> 16;
}

std::uint32_t XxHash32::of(std::span<const std::uint8_t> bytes) {
  XxHash32 hash;
  hash.update(bytes);
  return hash.value();
}

XxHash64::XxHash64() : lanes_{prime64[0] + prime64[1], prime64[1], 0, 0 - prime64[0]} {}

void XxHash64::mix(const std::uint8_t* bytes) {
  for (unsigned i = 0; i < 4; ++i) lanes_[i] = round64(lanes_[i], load<std::uint64_t>(bytes + 8 * i));
}

void XxHash64::update(std::span<const std::uint8_t> bytes) {
  update_in_stripes(bytes, pending_, total_, [this](const std::uint8_t* at) { mix(at); });
}

std::uint64_t XxHash64::value() const {
  std::uint64_t hash = prime64[4];
  if (total_ >= stripe) {
    hash = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) +
           std::rotl(lanes_[3], 18);
    for (std::uint64_t lane : lanes_) hash = (hash ^ round64(0, lane)) * prime64[0] + prime64[3];
  }
  hash += total_;
  std::size_t left = total_ % stripe, at = 0;
  for (; left - at >= 8; at += 8)
    hash = std::rotl(hash ^ round64(0, load<std::uint64_t>(pending_ + at)), 27) * prime64[0] + prime64[3];
  if (left - at >= 4) {
    hash = std::rotl(hash ^ load<std::uint32_t>(pending_ + at) * prime64[0], 23) * prime64[1] + prime64[2];
    at += 4;
  }
  for (; at < left; ++at) hash = std::rotl(hash ^ pending_[at] * prime64[4], 11) * prime64[0];
  hash = (hash ^ hash >> 33) * prime64[1];
  hash = (hash ^ hash >> 29) * prime64[2];
  return hash ^ hash >> 32;
}

}  // namespace decompress
