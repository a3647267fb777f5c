#include "directory_hash.h"

#include <bit>
#include <cstring>

namespace ext4 {

namespace {

int value_of(char c, HashCharacters characters) {
  return characters == HashCharacters::are_signed ? static_cast<int>(static_cast<signed char>(c))
                                                  : static_cast<int>(static_cast<unsigned char>(c));
}

// `count` words from the name, most significant byte first; what is missing is the length over and over.
void to_words(std::string_view name, HashCharacters characters, std::uint32_t* words, unsigned count) {
  auto length = static_cast<std::uint32_t>(name.size());
  std::uint32_t padding = length | length << 8;
  padding |= padding << 16;
  std::size_t used = name.size() < count * 4 ? name.size() : count * 4;
  for (unsigned i = 0; i < count; ++i) {
    std::uint32_t word = padding;
    for (std::size_t at = i * 4; at < used && at < i * 4 + 4; ++at)
      word = static_cast<std::uint32_t>(value_of(name[at], characters)) + (word << 8);
    words[i] = word;
  }
}

void mix_tea(std::uint32_t (&state)[4], const std::uint32_t* in) {
  std::uint32_t low = state[0], high = state[1], sum = 0;
  for (int round = 0; round < 16; ++round) {
    sum += 0x9e3779b9;
    low += ((high << 4) + in[0]) ^ (high + sum) ^ ((high >> 5) + in[1]);
    high += ((low << 4) + in[2]) ^ (low + sum) ^ ((low >> 5) + in[3]);
  }
  state[0] += low;
  state[1] += high;
}

// Three rounds of eight steps of MD4; each step turns the four words by one place.
void mix_half_md4(std::uint32_t (&state)[4], const std::uint32_t* in) {
  static constexpr unsigned order[3][8] = {
      {0, 1, 2, 3, 4, 5, 6, 7}, {1, 3, 5, 7, 0, 2, 4, 6}, {3, 7, 2, 6, 1, 5, 0, 4}};
  static constexpr int turns[3][4] = {{3, 7, 11, 19}, {3, 5, 9, 13}, {3, 9, 11, 15}};
  static constexpr std::uint32_t constants[3] = {0, 0x5a827999, 0x6ed9eba1};
  std::uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  for (int round = 0; round < 3; ++round) {
    for (int step = 0; step < 8; ++step) {
      std::uint32_t mixed = round == 0 ? d ^ (b & (c ^ d)) : round == 1 ? (b & c) + ((b ^ c) & d) : b ^ c ^ d;
      std::uint32_t next =
          std::rotl(a + mixed + in[order[round][step]] + constants[round], turns[round][step % 4]);
      a = d;
      d = c;
      c = b;
      b = next;
    }
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
}

std::uint32_t legacy(std::string_view name, HashCharacters characters) {
  std::uint32_t previous = 0x37abe8f9, current = 0x12a3fe2d;
  for (char c : name) {
    std::uint32_t next = previous + (current ^ static_cast<std::uint32_t>(value_of(c, characters) * 7152373));
    if (next & 0x80000000) next -= 0x7fffffff;
    previous = current;
    current = next;
  }
  return current << 1;
}

}  // namespace

std::uint32_t directory_hash(std::string_view name, HashVersion version, HashCharacters characters,
                             const std::uint32_t (&seed)[4]) {
  std::uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  if (seed[0] | seed[1] | seed[2] | seed[3]) std::memcpy(state, seed, sizeof(state));
  std::uint32_t hash, words[8];
  if (version == HashVersion::legacy) {
    hash = legacy(name, characters);
  } else {
    std::size_t piece = version == HashVersion::half_md4 ? 32 : 16;
    for (std::size_t at = 0; at < name.size(); at += piece) {
      to_words(name.substr(at), characters, words, static_cast<unsigned>(piece / 4));
      version == HashVersion::half_md4 ? mix_half_md4(state, words) : mix_tea(state, words);
    }
    hash = version == HashVersion::half_md4 ? state[1] : state[0];
  }
  hash &= ~1u;
  return hash == 0xfffffffe ? 0xfffffffc : hash;
}

}  // namespace ext4
