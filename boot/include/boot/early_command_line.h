// The few words of the command line that matter before the command line is parsed (core/init/command_line.h).
#pragma once

#include <cstdint>
#include <string_view>

namespace boot {

// A word that stands alone, like "nokaslr".
bool command_line_has(std::string_view command_line, std::string_view word);
// What the last mem=64M says; 0: no limit, or one too small to run with.
std::uintptr_t command_line_memory_limit(std::string_view command_line);

}  // namespace boot
