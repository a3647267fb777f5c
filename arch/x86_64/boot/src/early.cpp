// Runs where the loader put the image, in the identity map, before relocation: only addresses relative to the
// instruction pointer are right, nothing may be called outside this file, and the canary is not set yet (so
// no stack protector: see CMakeLists.txt).
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
constexpr std::uint64_t present_write = 3, large = 0x80;

// SAFETY (this file): physical addresses below 4 GiB are mapped one to one.
const char* text_at(std::uint64_t address) { return reinterpret_cast<const char*>(address); }
std::uint64_t word_at(std::uint64_t address) { return *reinterpret_cast<const std::uint64_t*>(address); }
std::uint32_t half_word_at(std::uint64_t address) { return *reinterpret_cast<const std::uint32_t*>(address); }

const char* command_line_of(std::uint32_t protocol, std::uint64_t info) {
  if (protocol == 0) return text_at(word_at(info + 24));  // hvm_start_info.cmdline_paddr
  return text_at(half_word_at(info + 0x228));             // boot_params.hdr.cmd_line_ptr
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

// SAFETY: reads the counter, the CPU's description and its random numbers; changes registers alone.
std::uint64_t entropy() {
  std::uint32_t low, high, a = 1, b, c = 0, d;
  asm volatile("rdtsc" : "=a"(low), "=d"(high));
  std::uint64_t value = (std::uint64_t{high} << 32 | low) * 0x9e3779b97f4a7c15;
  asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  if (c & (1u << 30)) {
    std::uint64_t random;
    bool good;
    asm volatile("rdrand %0" : "=r"(random), "=@ccc"(good));
    if (good) value ^= random;
  }
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

extern "C" std::uint64_t early_entry(std::uint32_t protocol, std::uint64_t info, std::uint64_t image) {
  if (protocol != 0) {
    // The Linux protocol carries no zeroed data. (An ELF loader has cleared it.)
    void* start = __bss_start;
    std::uint64_t words = static_cast<std::uint64_t>(__bss_end - __bss_start) / 8;
    // SAFETY: the linker script bounds zeroed data, in whole words; nothing uses it yet.
    asm volatile("rep stosq" : "+D"(start), "+c"(words) : "a"(0) : "memory");
  }
  std::uint64_t size = static_cast<std::uint64_t>(__kernel_end - __kernel_start);
  std::uint64_t slide = 0;
  if (!has_word(command_line_of(protocol, info), "nokaslr")) {
    std::uint64_t slots = (0x40000000 - size) / large_page;
    slide = entropy() % slots * large_page;
  }
  __stack_chk_guard ^= entropy() << 8;
  std::uint64_t final_base = link_base + slide;
  relocate(link_base - image, slide);

  // The image at its final address, with all rights until the real page tables stand (page_tables.cpp).
  std::uint64_t* root = boot_page_tables;
  std::uint64_t* directory_pointers = root + 6 * 512;
  std::uint64_t* directories = root + 7 * 512;  // two: the top 2 GiB
  auto physical = [](const std::uint64_t* table) { return reinterpret_cast<std::uint64_t>(table); };
  root[511] = physical(directory_pointers) | present_write;
  directory_pointers[510] = physical(directories) | present_write;
  directory_pointers[511] = physical(directories + 512) | present_write;
  for (std::uint64_t offset = 0; offset < size; offset += large_page) {
    std::uint64_t index = (final_base + offset - 0xffffffff80000000) / large_page;
    directories[index] = (image + offset) | present_write | large;
  }
  return final_base - image;
}
