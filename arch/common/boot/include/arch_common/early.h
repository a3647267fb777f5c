// What the first C++ of every port with a device tree does: it runs where the loader put the image, before
// relocation, so that only addresses relative to the program counter are right. Hence everything is inline,
// for each port's early.cpp alone, which is compiled without sanitizers and stack protector.
//
//   early::Words words = early::scan(device tree);
//   std::uint64_t random = early::mixed(words.seed, counter);
//   std::uint64_t slide = early::choose_slide(words, random, size of the image);
//   __stack_chk_guard ^= ...; early::relocate(where it runs, slide);
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {
extern char __kernel_start[], __kernel_end[];
extern const std::uint64_t __relr_start[], __relr_end[];
}

namespace arch::early {

constexpr std::uint64_t link_base = 0xffffffff80200000;  // KERNEL_LINK_BASE in kernel.lds
constexpr std::uint64_t large_page = 0x200000;
constexpr std::uint64_t top_of_two_gib = 0xffffffff80000000;

// What the loader says before there is anything to read the device tree with.
struct Words {
  const char* command_line = nullptr;
  std::uint64_t seed = 0;
};

// SAFETY (this file): physical addresses of the image and of the device tree are addresses.
inline std::uint32_t cell_at(const char* at) {
  auto* bytes = reinterpret_cast<const std::uint8_t*>(at);
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 |
         bytes[3];
}

inline bool same(const char* text, const char* expected) {
  while (*text && *text == *expected) {
    ++text;
    ++expected;
  }
  return *text == *expected;
}

// The three properties of /chosen that matter: the names occur nowhere else. Bounded by the size in the
// header.
inline Words scan(std::uint64_t device_tree) {
  Words words;
  const auto* blob = reinterpret_cast<const char*>(device_tree);
  if (!blob || cell_at(blob) != 0xd00dfeed) return words;
  constexpr std::uint32_t largest_tree = 2u << 20;  // the boot protocols' own limit
  std::uint32_t total = cell_at(blob + 4);
  std::uint32_t at = cell_at(blob + 8), names = cell_at(blob + 12);
  if (total > largest_tree) return words;
  while (at < total && total - at >= 12) {
    std::uint32_t token = cell_at(blob + at);
    at += 4;
    if (token == 1) {  // a node: its name, in whole cells
      while (at < total && blob[at]) ++at;
      at = (at + 4) & ~3u;
    } else if (token == 3) {  // a property: length, name
      std::uint32_t size = cell_at(blob + at), name = names + cell_at(blob + at + 4);
      const char* value = blob + at + 8;
      if (size > total || name >= total) return words;
      if (same(blob + name, "bootargs")) words.command_line = value;
      if (same(blob + name, "kaslr-seed") || same(blob + name, "rng-seed"))
        for (std::uint32_t i = 0; i + 4 <= size; i += 4)
          words.seed = (words.seed ^ cell_at(value + i)) * 0x9e3779b97f4a7c15;
      at = (at + 8 + size + 3) & ~3u;
    } else if (token != 2 && token != 4) {
      break;
    }
  }
  return words;
}

inline bool has_word(const char* text, const char* word) {
  while (text && *text) {
    while (*text == ' ') ++text;
    const char *at = text, *expected = word;
    while (*expected && *at == *expected) {
      ++at;
      ++expected;
    }
    if (!*expected && (*at == 0 || *at == ' ')) return true;
    while (*text && *text != ' ') ++text;
  }
  return false;
}

// A number that is as random as the seed and the time are; `state` goes on from one to the next.
inline std::uint64_t mixed(std::uint64_t& state, std::uint64_t time) {
  state = (state ^ time) * 0x9e3779b97f4a7c15;
  std::uint64_t value = state ^ state >> 32;
  return value * 0xd6e8feb86659fd93 >> 16;
}

// From where the image is linked for to where it is going to lie: within a GiB from there.
inline std::uint64_t choose_slide(const Words& words, std::uint64_t random, std::uint64_t size) {
  if (has_word(words.command_line, "nokaslr")) return 0;
  return random % ((0x40000000 - size) / large_page) * large_page;
}

inline std::uint64_t image_size() { return static_cast<std::uint64_t>(__kernel_end - __kernel_start); }

// Packed relative relocations: an even word is an address to relocate; an odd one a bitmap of the 63 words
// that follow.
inline void relocate(std::uint64_t image, std::uint64_t slide) {
  std::uint64_t* where = nullptr;
  for (const std::uint64_t* entry = __relr_start; entry < __relr_end; ++entry) {
    if (!(*entry & 1)) {
      // SAFETY: the linker lists the words of this image that hold addresses; they lie as far from its start.
      where = reinterpret_cast<std::uint64_t*>(*entry - link_base + image);
      *where++ += slide;
      continue;
    }
    for (unsigned bit = 0; bit < 63; ++bit)
      if (*entry >> (bit + 1) & 1) where[bit] += slide;
    where += 63;
  }
}

}  // namespace arch::early
