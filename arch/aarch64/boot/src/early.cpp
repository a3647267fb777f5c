// Runs where the loader put the image, in the identity map, before relocation: only addresses relative to the
// program counter are right, nothing may be called outside this file, and the canary is not set yet (so no
// stack protector: see CMakeLists.txt).
#include <cstddef>
#include <cstdint>

#include "arch_common/early.h"

extern "C" {
extern char __bss_start[], __bss_end[];
extern std::uint64_t boot_page_tables[];
// What -fstack-protector compares with. Random from here on; the lowest byte is zero, so that no string
// carries it over.
std::uint64_t __stack_chk_guard = 0x595e9fbd94fda700;
}

namespace {

using namespace arch::early;

constexpr std::uint64_t table = 3, normal_leaf = 0x701;

// SAFETY: reads the counter.
std::uint64_t entropy(std::uint64_t& state) {
  std::uint64_t time;
  asm volatile("isb\n mrs %0, cntvct_el0" : "=r"(time));
  return mixed(state, time);
}

}  // namespace

extern "C" std::uint64_t early_entry(std::uint64_t device_tree, std::uint64_t image) {
  for (char* at = __bss_start; at < __bss_end; at += 8) {
    // SAFETY: the linker script bounds zeroed data, in whole words; nothing uses it yet. Volatile: must not
    // become a call.
    *reinterpret_cast<volatile std::uint64_t*>(at) = 0;
  }
  Words words = scan(device_tree);
  std::uint64_t seed = words.seed, size = image_size();
  // The last 64 MiB of the address space belong to page_tables.cpp.
  std::uint64_t slide = choose_slide(words, entropy(seed), size);
  __stack_chk_guard ^= entropy(seed) << 8;
  std::uint64_t final_base = link_base + slide;
  relocate(image, slide);

  // The image at its final address, with all rights until the real page tables stand (page_tables.cpp).
  std::uint64_t* root = boot_page_tables + 2 * 512;
  std::uint64_t* first = boot_page_tables + 3 * 512;
  std::uint64_t* second = boot_page_tables + 4 * 512;  // two: the top 2 GiB
  auto physical = [](const std::uint64_t* of) { return reinterpret_cast<std::uint64_t>(of); };
  root[511] = physical(first) | table;
  first[510] = physical(second) | table;
  first[511] = physical(second + 512) | table;
  for (std::uint64_t offset = 0; offset < size; offset += large_page) {
    std::uint64_t index = (final_base + offset - top_of_two_gib) / large_page;
    second[index] = (image + offset) | normal_leaf;
  }
  // SAFETY: the tables are complete before the processor walks them; relocated code is seen by instruction
  // fetch.
  asm volatile("dsb ish\n ic iallu\n dsb nsh\n isb" ::: "memory");
  return final_base - image;
}
