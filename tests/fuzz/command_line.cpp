// Any bytes as the kernel command line.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/init/command_line.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static core::CommandLine line;
  line.set({reinterpret_cast<const char*>(data), size});
  std::string_view text = line.text();
  auto inside = [&](std::string_view part) {
    if (!part.empty() && (part.data() < text.data() || part.data() + part.size() > text.data() + text.size()))
      __builtin_trap();
  };
  auto check = [&](const core::CommandLineWord& word) {
    inside(word.text);
    inside(word.name);
    if (word.value) inside(*word.value);
    return true;
  };
  line.for_each_word([&](const core::CommandLineWord& word) {
    if (!line.has(word.name)) __builtin_trap();
    return check(word);
  });
  line.for_each_init_word(check);
  line.for_each_init_argument(inside);
  line.for_each_init_variable([&](std::string_view name, std::string_view value) {
    inside(name);
    inside(value);
  });
  (void)line.get_size("mem");
  (void)line.get_signed("panic");
  (void)line.get_flag("quiet", false);
  return 0;
}
