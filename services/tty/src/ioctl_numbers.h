// ioctl numbers of terminals (asm-generic/ioctls.h) and the event bits of packet mode (ioctl_tty(2)).
#pragma once

#include <cstdint>

namespace tty {

inline constexpr unsigned tcgets = 0x5401, tcsets = 0x5402, tcsetsw = 0x5403, tcsetsf = 0x5404,
                          tcgeta = 0x5405, tcseta = 0x5406, tcsetaw = 0x5407, tcsetaf = 0x5408,
                          tcsbrk = 0x5409, tcxonc = 0x540a, tcflsh = 0x540b, tiocexcl = 0x540c,
                          tiocnxcl = 0x540d, tiocsctty = 0x540e, tiocgpgrp = 0x540f, tiocspgrp = 0x5410,
                          tiocoutq = 0x5411, tiocsti = 0x5412, tiocgwinsz = 0x5413, tiocswinsz = 0x5414,
                          tiocmget = 0x5415, tiocmbis = 0x5416, tiocmbic = 0x5417, tiocmset = 0x5418,
                          tiocgsoftcar = 0x5419, fionread = 0x541b, tiocpkt = 0x5420, tiocnotty = 0x5422,
                          tiocsetd = 0x5423, tiocgetd = 0x5424, tcsbrkp = 0x5425, tiocsbrk = 0x5427,
                          tioccbrk = 0x5428, tiocgsid = 0x5429, tcgets2 = 0x802c542a, tcsets2 = 0x402c542b,
                          tcsetsw2 = 0x402c542c, tcsetsf2 = 0x402c542d, tiocgptn = 0x80045430,
                          tiocsptlck = 0x40045431, tiocgdev = 0x80045432, tiocsig = 0x40045436,
                          tiocvhangup = 0x5437, tiocgpkt = 0x80045438, tiocgptlck = 0x80045439,
                          tiocgexcl = 0x80045440;

inline constexpr std::uint8_t packet_data = 0, packet_flush_read = 1, packet_flush_write = 2, packet_stop = 4,
                              packet_start = 8, packet_no_stop = 16, packet_do_stop = 32, packet_ioctl = 64;

}  // namespace tty
