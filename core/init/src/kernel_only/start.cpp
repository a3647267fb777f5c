#include "core/init/start.h"

#include <arch/early_console.h>
#include <arch/time.h>

#include "core/init/command_line.h"
#include "core/init/panic.h"
#include "core/log/console.h"
#include "core/log/log.h"

namespace core {
namespace {

class EarlyConsole final : public Console {
 public:
  constexpr EarlyConsole() : Console("earlycon", Kind::early) {}
  void write(std::string_view text) override { arch::early_console_write(text); }
};

constinit EarlyConsole early_console;

void apply_log_options(const CommandLine& line) {
  if (line.has("debug")) set_console_level(10);
  if (line.has("quiet")) set_console_level(console_level_quiet);
  if (auto level = line.get_number("loglevel"); level && *level <= 15)
    set_console_level(static_cast<int>(*level));
  set_console_options({.ignore_level = line.get_flag("ignore_loglevel", false),
                       .timestamps = line.get_flag("printk.time", true),
                       .keep_early = line.get_flag("keep_bootcon", false)});
  line.for_each_value("console", [](std::string_view value) { set_console_choice(value); });
  if (auto seconds = line.get_signed("panic")) set_panic_timeout_seconds(static_cast<int>(*seconds));
}

}  // namespace

void start_log(std::string_view command_line_text) {
  command_line().set(command_line_text);
  apply_log_options(command_line());
  set_log_clock(arch::nanoseconds);
  register_console(early_console);
}

}  // namespace core
