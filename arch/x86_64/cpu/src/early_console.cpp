// The first serial port (16550 at 0x3f8), polled.
#include <arch/early_console.h>

#include "x86_64/registers.h"

namespace arch {
namespace {

constexpr std::uint16_t base = 0x3f8;
constinit bool enabled = true;
constinit bool prepared = false;

void prepare() {
  out8(base + 1, 0);     // no interrupts
  out8(base + 3, 0x80);  // divisor: 115200 baud
  out8(base + 0, 1);
  out8(base + 1, 0);
  out8(base + 3, 3);  // 8 bits, no parity, one stop bit
  out8(base + 2, 7);  // FIFO on and empty
  out8(base + 4, 3);
  prepared = true;
}

// SAFETY: a hint to the CPU without any effect on state.
void put(char c) {
  for (unsigned i = 0; i < 100000 && !(in8(base + 5) & 0x20); ++i) asm volatile("pause");
  out8(base, static_cast<std::uint8_t>(c));
}

}  // namespace

void early_console_enable(bool on) { enabled = on; }

void early_console_write(std::string_view text) {
  if (!enabled) return;
  if (!prepared) prepare();
  for (char c : text) {
    if (c == '\n') put('\r');
    put(c);
  }
}

}  // namespace arch
