// The firmware's console.
#include <arch/early_console.h>

#include "riscv64/sbi.h"

namespace arch {
namespace {

constinit bool enabled = true;

void put(char c) { sbi_call(SbiExtension::legacy_put_character, 0, static_cast<std::uint8_t>(c)); }

}  // namespace

void early_console_enable(bool on) { enabled = on; }

void early_console_write(std::string_view text) {
  if (!enabled) return;
  for (char c : text) {
    if (c == '\n') put('\r');
    put(c);
  }
}

}  // namespace arch
