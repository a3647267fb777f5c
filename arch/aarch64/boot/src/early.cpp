// Runs where the loader put the image, in the identity map, before relocation: only addresses relative to the
// program counter are right, nothing may be called outside this file, and the canary is not set yet (so no
// stack protector: see CMakeLists.txt).
#include <cstddef>
#include <cstdint>

extern "C" {
extern char __kernel_start[], __kernel_end[], __bss_start[], __bss_end[];
extern const std::uint64_t __relr_start[], __relr_end[];
extern std::uint64_t boot_page_tables[];
// What -fstack-protector compares with. Random from here on; the lowest byte is zero, so that no string
// carries it over.
std::uint64_t __stack_chk_guard = 0x595e9fbd94fda700;
}

namespace {

constexpr std::uint64_t link_base = 0xffffffff80200000;  // KERNEL_LINK_BASE in kernel.lds
constexpr std::uint64_t large_page = 0x200000;
constexpr std::uint64_t table = 3, normal_leaf = 0x701;

// SAFETY (this file): physical addresses around the image and the device tree are mapped one to one.
const std::uint8_t* bytes_at(std::uint64_t address) { return reinterpret_cast<const std::uint8_t*>(address); }

std::uint32_t big_endian(const std::uint8_t* at) {
  return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 | at[3];
}

constexpr std::uint32_t largest_tree = 2u << 20;

std::uint32_t tree_size(const std::uint8_t* tree) {
  if (big_endian(tree) != 0xd00dfeed) return 0;
  std::uint32_t size = big_endian(tree + 4);
  return size < largest_tree ? size : 0;
}

// The text anywhere in the blob, as a word: there is no parser yet, and nothing but the command line has it.
bool tree_has_word(const std::uint8_t* tree, const char* word) {
  std::uint32_t size = tree_size(tree);
  for (std::uint32_t start = 0; start < size; ++start) {
    std::uint32_t at = start;
    const char* expected = word;
    while (*expected && at < size && tree[at] == static_cast<std::uint8_t>(*expected)) {
      ++at;
      ++expected;
    }
    if (!*expected && at < size && (tree[at] == 0 || tree[at] == ' ')) return true;
  }
  return false;
}

// SAFETY: reads the counter; changes registers alone.
std::uint64_t entropy(const std::uint8_t* tree) {
  std::uint64_t value;
  asm volatile("isb\n mrs %0, cntvct_el0" : "=r"(value));
  // QEMU and boot loaders put a random seed into the tree (/chosen/kaslr-seed, rng-seed): all of it is mixed
  // in.
  std::uint32_t size = tree_size(tree);
  for (std::uint32_t i = 0; i < size; ++i) value = (value ^ tree[i]) * 0x100000001b3;
  value ^= value >> 32;
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

}  // namespace

extern "C" std::uint64_t early_entry(std::uint64_t device_tree, std::uint64_t image) {
  for (char* at = __bss_start; at < __bss_end; at += 8) {
    // SAFETY: the linker script bounds zeroed data, in whole words; nothing uses it yet. Volatile: must not
    // become a call.
    *reinterpret_cast<volatile std::uint64_t*>(at) = 0;
  }
  const std::uint8_t* tree = bytes_at(device_tree);
  std::uint64_t size = static_cast<std::uint64_t>(__kernel_end - __kernel_start);
  std::uint64_t slide = 0;
  std::uint64_t random = entropy(tree);
  if (!tree_has_word(tree, "nokaslr")) {
    // The last 64 MiB of the address space belong to page_tables.cpp.
    std::uint64_t slots = (0x40000000 - size) / large_page;
    slide = random % slots * large_page;
  }
  __stack_chk_guard ^= random << 8;
  std::uint64_t final_base = link_base + slide;
  relocate(link_base - image, slide);

  // The image at its final address, with all rights until the real page tables stand (page_tables.cpp).
  std::uint64_t* root = boot_page_tables + 2 * 512;
  std::uint64_t* first = boot_page_tables + 3 * 512;
  std::uint64_t* second = boot_page_tables + 4 * 512;  // two: the top 2 GiB
  auto physical = [](const std::uint64_t* of) { return reinterpret_cast<std::uint64_t>(of); };
  root[511] = physical(first) | table;
  first[510] = physical(second) | table;
  first[511] = physical(second + 512) | table;
  for (std::uint64_t offset = 0; offset < size; offset += large_page) {
    std::uint64_t index = (final_base + offset - 0xffffffff80000000) / large_page;
    second[index] = (image + offset) | normal_leaf;
  }
  // SAFETY: the tables are complete before the processor walks them; relocated code is seen by instruction
  // fetch.
  asm volatile("dsb ish\n ic iallu\n dsb nsh\n isb" ::: "memory");
  return final_base - image;
}
