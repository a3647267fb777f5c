// pty(7), termios(3): pseudo-terminals and the line discipline.
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

class Pty : public testing::Test {
 protected:
  void SetUp() override {
    master_ = posix_openpt(O_RDWR | O_NOCTTY);
    ASSERT_OK(master_.get());
    ASSERT_OK(grantpt(master_));
    ASSERT_OK(unlockpt(master_));
    ASSERT_EQ(ptsname_r(master_, name_, sizeof name_), 0);
    slave_ = open(name_, O_RDWR | O_NOCTTY);
    ASSERT_OK(slave_.get());
  }

  void change(const std::function<void(termios&)>& edit) const {
    termios settings;
    ASSERT_OK(tcgetattr(slave_, &settings));
    edit(settings);
    ASSERT_OK(tcsetattr(slave_, TCSANOW, &settings));
  }
  void no_echo() const {
    change([](termios& settings) { settings.c_lflag &= ~(tcflag_t)ECHO; });
  }
  void raw(cc_t minimum = 1, cc_t time = 0) const {
    change([&](termios& settings) {
      cfmakeraw(&settings);
      settings.c_cc[VMIN] = minimum;
      settings.c_cc[VTIME] = time;
    });
  }
  void type(std::string_view text) const {
    EXPECT_EQ(write(master_, text.data(), text.size()), (ssize_t)text.size());
  }
  static bool readable(int fd, int time_out = 0) {
    pollfd wait = {fd, POLLIN, 0};
    return poll(&wait, 1, time_out) == 1 && (wait.revents & POLLIN);
  }
  static std::string take(int fd) {
    if (!readable(fd, 5000)) return "(nothing)";
    char buffer[512];
    const ssize_t count = read(fd, buffer, sizeof buffer);
    return count < 0 ? std::string("error ") + errno_name(errno) : std::string(buffer, (size_t)count);
  }
  // Everything the master gets, until it has the wanted length.
  std::string take_echo(size_t length) const {
    std::string result;
    while (result.size() < length && readable(master_, 3000)) result += take(master_);
    return result;
  }

  ScopedFd master_, slave_;
  char name_[64];
};

TEST_F(Pty, DefaultSettings) {
  termios settings;
  ASSERT_OK(tcgetattr(slave_, &settings));
  EXPECT_EQ(settings.c_iflag, (tcflag_t)(ICRNL | IXON));
  EXPECT_EQ(settings.c_oflag, (tcflag_t)(OPOST | ONLCR));
  EXPECT_EQ(settings.c_lflag, (tcflag_t)(ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN));
  EXPECT_EQ(settings.c_cflag, (tcflag_t)(CS8 | CREAD | B38400));
  EXPECT_EQ(settings.c_cc[VINTR], 3);
  EXPECT_EQ(settings.c_cc[VEOF], 4);
  EXPECT_EQ(settings.c_cc[VERASE], 0x7f);
  EXPECT_EQ(settings.c_cc[VMIN], 1);
}

TEST_F(Pty, SlaveIsATerminalWithAName) {
  EXPECT_TRUE(isatty(slave_));
  EXPECT_TRUE(isatty(master_));
  EXPECT_EQ(strncmp(name_, "/dev/pts/", 9), 0);
  char buffer[64];
  ASSERT_EQ(ttyname_r(slave_, buffer, sizeof buffer), 0);
  EXPECT_STREQ(buffer, name_);
  unsigned number = 0;
  ASSERT_OK(ioctl(master_, TIOCGPTN, &number));
  EXPECT_EQ(std::to_string(number), name_ + 9);
}

TEST_F(Pty, LockedSlaveCannotBeOpened) {
  const ScopedFd master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  char name[64];
  ASSERT_EQ(ptsname_r(master, name, sizeof name), 0);
  EXPECT_ERRNO(open(name, O_RDWR | O_NOCTTY), EIO);
  ASSERT_OK(unlockpt(master));
  EXPECT_OK(open(name, O_RDWR | O_NOCTTY));
}

TEST_F(Pty, CanonicalInputComesByLines) {
  no_echo();
  type("incomplete");
  EXPECT_FALSE(readable(slave_));
  type(" line\nsecond\n");
  EXPECT_EQ(take(slave_), "incomplete line\n") << "one line per read";
  EXPECT_EQ(take(slave_), "second\n");
}

TEST_F(Pty, ShortReadsLeaveTheRestOfTheLine) {
  no_echo();
  type("abcdef\n");
  char buffer[4] = {};
  EXPECT_EQ(read(slave_, buffer, 3), 3);
  EXPECT_STREQ(buffer, "abc");
  EXPECT_EQ(take(slave_), "def\n");
}

TEST_F(Pty, EraseKillAndWordErase) {
  no_echo();
  type(
      "abx\x7f"
      "c\n");
  EXPECT_EQ(take(slave_), "abc\n");
  type(
      "garbage\x15"
      "good\n");
  EXPECT_EQ(take(slave_), "good\n");
  type(
      "one two  \x17"
      "three\n");
  EXPECT_EQ(take(slave_), "one three\n");
  type("\x7f\x7fok\n");
  EXPECT_EQ(take(slave_), "ok\n") << "erasing an empty line does nothing";
}

TEST_F(Pty, EndOfFileCharacter) {
  no_echo();
  type("partial\x04");
  EXPECT_EQ(take(slave_), "partial") << "pushes the line without a newline";
  type("\x04");
  ASSERT_TRUE(readable(slave_, 5000));
  char byte;
  EXPECT_EQ(read(slave_, &byte, 1), 0);
  type("more\n");
  EXPECT_EQ(take(slave_), "more\n");
}

TEST_F(Pty, LiteralNext) {
  no_echo();
  type("\x16\x03\x16\x04x\n");
  EXPECT_EQ(take(slave_), "\x03\x04x\n");
}

TEST_F(Pty, EchoShowsTypedCharacters) {
  type("ab\n");
  EXPECT_EQ(take_echo(4), "ab\r\n");
  type("x\x7f");
  EXPECT_EQ(take_echo(4), "x\b \b");
  type("\x01");
  EXPECT_EQ(take_echo(2), "^A") << "ECHOCTL";
}

TEST_F(Pty, EchoOfNewlineOnly) {
  change([](termios& settings) {
    settings.c_lflag &= ~(tcflag_t)ECHO;
    settings.c_lflag |= ECHONL;
  });
  type("ab\n");
  EXPECT_EQ(take_echo(2), "\r\n");
}

TEST_F(Pty, OutputProcessing) {
  EXPECT_EQ(write(slave_, "a\nb", 3), 3);
  EXPECT_EQ(take_echo(4), "a\r\nb");
  change([](termios& settings) { settings.c_oflag &= ~(tcflag_t)OPOST; });
  EXPECT_EQ(write(slave_, "a\nb", 3), 3);
  EXPECT_EQ(take_echo(3), "a\nb");
}

TEST_F(Pty, InputTranslation) {
  no_echo();
  type("a\r");
  EXPECT_EQ(take(slave_), "a\n") << "ICRNL";
  change([](termios& settings) { settings.c_iflag = IGNCR; });
  type("a\rb\n");
  EXPECT_EQ(take(slave_), "ab\n");
  change([](termios& settings) { settings.c_iflag = INLCR; });
  type("a\n\x04");
  EXPECT_EQ(take(slave_), "a\r");
  change([](termios& settings) { settings.c_iflag = ISTRIP; });
  type("\xe1\n");
  EXPECT_EQ(take(slave_), "a\n");
  change([](termios& settings) {
    settings.c_iflag = IUCLC;
    settings.c_lflag |= IEXTEN;
  });
  type("ABC\n");
  EXPECT_EQ(take(slave_), "abc\n");
}

TEST_F(Pty, RawModePassesEverything) {
  raw();
  type("\x03\x04\x7f\r\n\x13");
  EXPECT_EQ(take(slave_), "\x03\x04\x7f\r\n\x13");
  EXPECT_FALSE(readable(master_)) << "no echo";
}

TEST_F(Pty, MinimumZeroNeverWaits) {
  raw(0, 0);
  char byte;
  EXPECT_EQ(read(slave_, &byte, 1), 0);
  type("x");
  EXPECT_EQ(take(slave_), "x");
}

TEST_F(Pty, MinimumIsCollected) {
  raw(4, 0);
  type("abc");
  EXPECT_FALSE(readable(slave_));
  const pid_t child = fork_child([&] {
    char buffer[16];
    EXPECT_EQ(read(slave_, buffer, 16), 4);
  });
  ASSERT_TRUE(wait_for_state(child, 'S'));
  type("d");
  EXPECT_EXITED(wait_for(child), 0);
}

TEST_F(Pty, TimeOutWithoutMinimum) {
  raw(0, 1);
  char byte;
  const long start = now_milliseconds();
  EXPECT_EQ(read(slave_, &byte, 1), 0);
  EXPECT_GE(now_milliseconds() - start, 90);
}

TEST_F(Pty, InterByteTimeOut) {
  raw(10, 1);
  type("abc");
  char buffer[16];
  EXPECT_EQ(read(slave_, buffer, 16), 3) << "returns after a pause of a tenth of a second";
}

TEST_F(Pty, NonBlockingRead) {
  fcntl(slave_, F_SETFL, O_NONBLOCK);
  char byte;
  EXPECT_ERRNO(read(slave_, &byte, 1), EAGAIN);
}

TEST_F(Pty, WindowSize) {
  winsize size = {24, 80, 0, 0}, seen = {};
  ASSERT_OK(ioctl(master_, TIOCSWINSZ, &size));
  ASSERT_OK(ioctl(slave_, TIOCGWINSZ, &seen));
  EXPECT_EQ(seen.ws_row, 24);
  EXPECT_EQ(seen.ws_col, 80);
  EXPECT_ERRNO(sys(SYS_ioctl, slave_.get(), TIOCGWINSZ, low_address()), EFAULT);
}

TEST_F(Pty, FlushDiscards) {
  no_echo();
  type("input\n");
  ASSERT_TRUE(readable(slave_, 1000));
  ASSERT_OK(tcflush(slave_, TCIFLUSH));
  EXPECT_FALSE(readable(slave_));
  EXPECT_ERRNO(ioctl(slave_, TCFLSH, 9), EINVAL);
}

TEST_F(Pty, SetWithFlush) {
  no_echo();
  type("input\n");
  ASSERT_TRUE(readable(slave_, 1000));
  termios settings;
  tcgetattr(slave_, &settings);
  ASSERT_OK(tcsetattr(slave_, TCSAFLUSH, &settings));
  EXPECT_FALSE(readable(slave_));
}

TEST_F(Pty, FionreadCountsAvailableInput) {
  no_echo();
  type("12345\n");
  ASSERT_TRUE(readable(slave_, 1000));
  int count = 0;
  ASSERT_OK(ioctl(slave_, FIONREAD, &count));
  EXPECT_EQ(count, 6);
}

TEST_F(Pty, MasterSeesEioWhenTheSlaveIsClosed) {
  slave_.reset();
  char byte;
  EXPECT_ERRNO(read(master_, &byte, 1), EIO);
  pollfd wait = {master_, POLLIN, 0};
  EXPECT_EQ(poll(&wait, 1, 0), 1);
  EXPECT_TRUE(wait.revents & POLLHUP);
  slave_ = open(name_, O_RDWR | O_NOCTTY);
  EXPECT_OK(slave_.get()) << "a new opening repairs it";
}

TEST_F(Pty, SlaveSeesEndOfFileWhenTheMasterIsClosed) {
  master_.reset();
  char byte;
  EXPECT_EQ(read(slave_, &byte, 1), 0);
  EXPECT_ERRNO(write(slave_, "x", 1), EIO);
  EXPECT_ERRNO(open(name_, O_RDWR | O_NOCTTY), ENOENT) << "the name is gone";
}

TEST_F(Pty, PacketModeTellsFlushes) {
  const int on = 1;
  ASSERT_OK(ioctl(master_, TIOCPKT, &on));
  EXPECT_EQ(write(slave_, "data", 4), 4);
  EXPECT_EQ(take(master_), std::string("\0data", 5));
  ASSERT_OK(tcflush(slave_, TCIFLUSH));
  const std::string control = take(master_);
  ASSERT_EQ(control.size(), 1u);
  EXPECT_TRUE(control[0] & TIOCPKT_FLUSHREAD);
}

TEST_F(Pty, OpenptyMakesAPair) {
  int master, slave;
  ASSERT_OK(openpty(&master, &slave, nullptr, nullptr, nullptr));
  EXPECT_EQ(write(slave, "x", 1), 1);
  EXPECT_EQ(take(master), "x");
  close(master);
  close(slave);
}

TEST_F(Pty, TiocstiAndUnknownRequests) {
  EXPECT_ERRNO(ioctl(slave_, 0x5499, 0), ENOTTY);
  int value = 0;
  EXPECT_ERRNO(ioctl(0x7fff, TCGETS, &value), EBADF);
  EXPECT_ERRNO(sys(SYS_ioctl, slave_.get(), TCGETS, low_address()), EFAULT);
  const ScopedFd null = open("/dev/null", O_RDWR);
  termios settings;
  EXPECT_ERRNO(tcgetattr(null, &settings), ENOTTY);
}

TEST_F(Pty, LongLineIsCutAt4095) {
  no_echo();
  fcntl(master_, F_SETFL, O_NONBLOCK);
  const std::string much(5000, 'x');
  EXPECT_GT(write(master_, much.data(), much.size()), 4000);
  write(master_, "\n", 1);
  std::string line;
  char buffer[8192];
  const ssize_t count = read(slave_, buffer, sizeof buffer);
  EXPECT_GE(count, 4095);
  EXPECT_LE(count, 4096);
  EXPECT_EQ(buffer[count - 1], '\n');
}

}  // namespace
