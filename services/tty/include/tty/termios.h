// The terminal settings: struct termios2 of the kernel ABI (asm-generic/termbits.h; man page termios(3)).
#pragma once

#include <array>
#include <cstdint>

namespace tty {

inline constexpr std::size_t control_character_count = 19;

// Indices into Termios::control.
enum ControlCharacter : std::size_t {
  vintr = 0,
  vquit = 1,
  verase = 2,
  vkill = 3,
  veof = 4,
  vtime = 5,
  vmin = 6,
  vswtc = 7,
  vstart = 8,
  vstop = 9,
  vsusp = 10,
  veol = 11,
  vreprint = 12,
  vdiscard = 13,
  vwerase = 14,
  vlnext = 15,
  veol2 = 16,
};

// Input modes.
inline constexpr std::uint32_t ignbrk = 0000001, brkint = 0000002, ignpar = 0000004, parmrk = 0000010,
                               inpck = 0000020, istrip = 0000040, inlcr = 0000100, igncr = 0000200,
                               icrnl = 0000400, iuclc = 0001000, ixon = 0002000, ixany = 0004000,
                               ixoff = 0010000, imaxbel = 0020000, iutf8 = 0040000;
// Output modes.
inline constexpr std::uint32_t opost = 0000001, olcuc = 0000002, onlcr = 0000004, ocrnl = 0000010,
                               onocr = 0000020, onlret = 0000040, tabdly = 0014000, tab3 = 0014000;
// Control modes.
inline constexpr std::uint32_t cbaud = 0010017, b38400 = 0000017, cs8 = 0000060, cstopb = 0000100,
                               cread = 0000200, parenb = 0000400, hupcl = 0002000, clocal = 0004000,
                               crtscts = 020000000000;
// Local modes.
inline constexpr std::uint32_t isig = 0000001, icanon = 0000002, xcase = 0000004, echo = 0000010,
                               echoe = 0000020, echok = 0000040, echonl = 0000100, noflsh = 0000200,
                               tostop = 0000400, echoctl = 0001000, echoprt = 0002000, echoke = 0004000,
                               flusho = 0010000, pendin = 0040000, iexten = 0100000, extproc = 0200000;

struct Termios {
  std::uint32_t input = icrnl | ixon;
  std::uint32_t output = opost | onlcr;
  std::uint32_t control_modes = b38400 | cs8 | cread | hupcl | clocal;
  std::uint32_t local = isig | icanon | echo | echoe | echok | echoctl | echoke | iexten;
  std::uint8_t line = 0;
  std::array<std::uint8_t, control_character_count> control = {3,  28, 127, 21, 4,  0,  1, 0, 17, 19,
                                                               26, 0,  18,  15, 23, 22, 0, 0, 0};
  std::uint32_t input_speed = 38400;
  std::uint32_t output_speed = 38400;
  bool operator==(const Termios&) const = default;
};
static_assert(sizeof(Termios) == 44, "struct termios2");

struct WindowSize {
  std::uint16_t rows = 0, columns = 0, x_pixels = 0, y_pixels = 0;
  bool operator==(const WindowSize&) const = default;
};

}  // namespace tty
