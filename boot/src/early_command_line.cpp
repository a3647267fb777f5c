#include "boot/early_command_line.h"

#include <cstddef>

#include "base/bits.h"

namespace boot {

bool command_line_has(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    bool starts = at == 0 || text[at - 1] == ' ';
    std::size_t end = at + word.size();
    if (starts && (end == text.size() || text[end] == ' ')) return true;
  }
  return false;
}

std::uintptr_t command_line_memory_limit(std::string_view text) {
  std::uintptr_t limit = 0;
  for (std::size_t at = text.find("mem="); at != std::string_view::npos; at = text.find("mem=", at + 1)) {
    if (at != 0 && text[at - 1] != ' ') continue;
    std::uintptr_t value = 0;
    std::size_t i = at + 4;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i)
      value = value * 10 + static_cast<unsigned>(text[i] - '0');
    if (i < text.size()) {
      switch (text[i] | 0x20) {
        case 'k':
          value <<= 10;
          break;
        case 'm':
          value <<= 20;
          break;
        case 'g':
          value <<= 30;
          break;
        default:
          break;
      }
    }
    if (value >= 16 * base::MiB) limit = value;
  }
  return limit;
}

}  // namespace boot
