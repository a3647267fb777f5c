// The first things the kernel does, before there is memory to allocate.
#pragma once

#include <string_view>

namespace core {

// Keeps the command line, gives the log its clock and options (loglevel=, quiet, debug, ignore_loglevel,
// printk.time, console=, keep_bootcon, panic=) and prints on the early console from here on. Called once, by
// the boot code.
void start_log(std::string_view command_line_text);

}  // namespace core
