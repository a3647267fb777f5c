// Runs where the loader put the image, before relocation and translation: only addresses relative to the
// program counter are right, nothing may be called outside this file, and the canary is not set yet (so no
// stack protector: see CMakeLists.txt).
#include <cstddef>
#include <cstdint>

#include "early.h"

extern "C" {
extern char __kernel_start[], __kernel_end[];
extern const std::uint64_t __relr_start[], __relr_end[];
extern std::uint64_t boot_page_tables[];
// What -fstack-protector compares with. Random from here on; the lowest byte is zero, so that no string
// carries it over.
std::uint64_t __stack_chk_guard = 0x595e9fbd94fda700;
std::uint64_t early_entry(std::uint64_t device_tree, std::uint64_t image);
}

namespace arch {
constinit EarlyResult early_result{};
}

namespace {

constexpr std::uint64_t link_base = 0xffffffff80200000;  // KERNEL_LINK_BASE in kernel.lds
constexpr std::uint64_t large_page = 0x200000;
// Entries: valid, readable, writable, executable, accessed, dirty; and valid alone for a table.
constexpr std::uint64_t leaf = 0xcf, table = 1;

struct Words {
  const char* command_line = nullptr;
  std::uint64_t seed = 0;
};

// SAFETY (this file): physical addresses are addresses.
std::uint32_t cell_at(const char* at) {
  auto* bytes = reinterpret_cast<const std::uint8_t*>(at);
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 |
         bytes[3];
}

bool same(const char* text, const char* expected) {
  while (*text && *text == *expected) {
    ++text;
    ++expected;
  }
  return *text == *expected;
}

// The three properties of /chosen that matter before there is anything to read the device tree with. The
// names occur nowhere else. Bounded by the size in the header.
Words scan(const char* blob) {
  Words words;
  if (!blob || cell_at(blob) != 0xd00dfeed) return words;
  std::uint32_t total = cell_at(blob + 4);
  std::uint32_t at = cell_at(blob + 8), names = cell_at(blob + 12);
  while (at + 12 <= total) {
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

bool has_word(const char* text, const char* word) {
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

// SAFETY: reads a counter.
std::uint64_t entropy(std::uint64_t& state) {
  std::uint64_t time;
  asm volatile("rdtime %0" : "=r"(time));
  state = (state ^ time) * 0x9e3779b97f4a7c15;
  std::uint64_t value = state ^ state >> 32;
  return value * 0xd6e8feb86659fd93 >> 16;
}

// Packed relative relocations: an even word is an address to relocate; an odd one a bitmap of the 63 words
// that follow.
void relocate(std::uint64_t image_offset, std::uint64_t slide) {
  std::uint64_t* where = nullptr;
  for (const std::uint64_t* entry = __relr_start; entry < __relr_end; ++entry) {
    if (!(*entry & 1)) {
      // SAFETY: the linker lists the words of this image that hold addresses; less the offset, they lie here.
      where = reinterpret_cast<std::uint64_t*>(*entry - image_offset);
      *where++ += slide;
      continue;
    }
    for (unsigned bit = 0; bit < 63; ++bit)
      if (*entry >> (bit + 1) & 1) where[bit] += slide;
    where += 63;
  }
}

// The low 256 GiB one to one and the image at its final address, with all rights until the real page tables
// stand (page_tables.cpp). One table serves as the root for three levels and, reached through both ends of
// the tables above it, for four and five.
void fill_tables(std::uint64_t image, std::uint64_t final_base, std::uint64_t size) {
  std::uint64_t* gigabytes = boot_page_tables;
  std::uint64_t* directories = gigabytes + 512;  // two: the top 2 GiB
  std::uint64_t *fourth = gigabytes + 3 * 512, *fifth = gigabytes + 4 * 512;
  auto entry = [](const std::uint64_t* to) { return reinterpret_cast<std::uint64_t>(to) >> 2 | table; };
  for (std::uint64_t i = 0; i < 256; ++i) gigabytes[i] = i << 30 >> 2 | leaf;
  gigabytes[510] = entry(directories);
  gigabytes[511] = entry(directories + 512);
  for (std::uint64_t offset = 0; offset < size; offset += large_page)
    directories[(final_base + offset - 0xffffffff80000000) / large_page] = (image + offset) >> 2 | leaf;
  fourth[0] = fourth[511] = entry(gigabytes);
  fifth[0] = fifth[511] = entry(fourth);
}

// A mode that the processor does not have leaves the register as it was.
// SAFETY: the code that runs is mapped one to one in every mode.
bool start_translation(std::uint64_t mode, const std::uint64_t* root) {
  std::uint64_t wanted = mode << 60 | reinterpret_cast<std::uint64_t>(root) >> 12, found;
  asm volatile("sfence.vma; csrw satp, %1; csrr %0, satp; sfence.vma" : "=r"(found) : "r"(wanted) : "memory");
  return found == wanted;
}

unsigned choose_levels(const char* command_line) {
  std::uint64_t* root = boot_page_tables;
  bool four = !has_word(command_line, "no4lvl"), five = four && !has_word(command_line, "no5lvl");
  if (five && start_translation(10, root + 4 * 512)) return 5;
  if (four && start_translation(9, root + 3 * 512)) return 4;
  start_translation(8, root);
  return 3;
}

}  // namespace

std::uint64_t early_entry(std::uint64_t device_tree, std::uint64_t image) {
  Words words = scan(reinterpret_cast<const char*>(device_tree));
  std::uint64_t seed = words.seed;
  auto size = static_cast<std::uint64_t>(__kernel_end - __kernel_start);
  std::uint64_t slide = 0;
  if (!has_word(words.command_line, "nokaslr")) {
    std::uint64_t slots = (0x40000000 - size) / large_page;
    slide = entropy(seed) % slots * large_page;
  }
  __stack_chk_guard ^= entropy(seed) << 8;
  std::uint64_t final_base = link_base + slide;
  relocate(link_base - image, slide);
  fill_tables(image, final_base, size);
  arch::early_result.levels = choose_levels(words.command_line);
  arch::early_result.image = image;
  arch::early_result.random = entropy(seed);
  return final_base - image;
}
