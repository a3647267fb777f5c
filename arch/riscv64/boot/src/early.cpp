// Runs where the loader put the image, before relocation and translation: only addresses relative to the
// program counter are right, nothing may be called outside this file, and the canary is not set yet (so no
// stack protector: see CMakeLists.txt).
#include <cstddef>
#include <cstdint>

#include "arch_common/early.h"
#include "early.h"

extern "C" {
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

using arch::early::has_word, arch::early::large_page, arch::early::link_base;

// Entries: valid, readable, writable, executable, accessed, dirty; and valid alone for a table.
constexpr std::uint64_t leaf = 0xcf, table = 1;

// SAFETY: reads a counter.
std::uint64_t entropy(std::uint64_t& state) {
  std::uint64_t time;
  asm volatile("rdtime %0" : "=r"(time));
  return arch::early::mixed(state, time);
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
    directories[(final_base + offset - arch::early::top_of_two_gib) / large_page] =
        (image + offset) >> 2 | leaf;
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
  arch::early::Words words = arch::early::scan(device_tree);
  std::uint64_t seed = words.seed, size = arch::early::image_size();
  std::uint64_t slide = arch::early::choose_slide(words, entropy(seed), size);
  __stack_chk_guard ^= entropy(seed) << 8;
  std::uint64_t final_base = link_base + slide;
  arch::early::relocate(image, slide);
  fill_tables(image, final_base, size);
  arch::early_result.levels = choose_levels(words.command_line);
  arch::early_result.image = image;
  arch::early_result.random = entropy(seed);
  return final_base - image;
}
