// More of termios(3) and ioctl_tty(2): flow control, end-of-line characters, exclusive use, peers.
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <functional>

#include "support/conformance.h"

namespace {
using namespace conformance;

class LineDiscipline : public testing::Test {
 protected:
  void SetUp() override {
    master_ = posix_openpt(O_RDWR | O_NOCTTY);
    ASSERT_OK(master_.get());
    ASSERT_OK(unlockpt(master_));
    ASSERT_EQ(ptsname_r(master_, name_, sizeof name_), 0);
    slave_ = open(name_, O_RDWR | O_NOCTTY);
    ASSERT_OK(slave_.get());
    change([](termios& settings) { settings.c_lflag &= ~(tcflag_t)ECHO; });
  }
  void change(const std::function<void(termios&)>& edit) const {
    termios settings;
    ASSERT_OK(tcgetattr(slave_, &settings));
    edit(settings);
    ASSERT_OK(tcsetattr(slave_, TCSANOW, &settings));
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

  ScopedFd master_, slave_;
  char name_[64];
};

TEST_F(LineDiscipline, StopAndStartCharactersHoldOutput) {
  // What is typed reaches the discipline a little later: reading what follows proves that it did.
  type("\x13x\n");
  EXPECT_EQ(take(slave_), "x\n");
  fcntl(slave_, F_SETFL, O_NONBLOCK);
  EXPECT_ERRNO(write(slave_, "held", 4), EAGAIN);
  EXPECT_FALSE(readable(master_));
  type("\x11y\n");
  EXPECT_EQ(take(slave_), "y\n");
  EXPECT_EQ(write(slave_, "free", 4), 4);
  EXPECT_EQ(take(master_), "free");
}

TEST_F(LineDiscipline, FlowCanBeControlledByCalls) {
  ASSERT_OK(tcflow(slave_, TCOOFF));
  fcntl(slave_, F_SETFL, O_NONBLOCK);
  EXPECT_ERRNO(write(slave_, "held", 4), EAGAIN);
  ASSERT_OK(tcflow(slave_, TCOON));
  EXPECT_EQ(write(slave_, "free", 4), 4);
  EXPECT_EQ(take(master_), "free");
  EXPECT_ERRNO(ioctl(slave_, TCXONC, 9), EINVAL);
}

TEST_F(LineDiscipline, IxonOffPassesTheCharacters) {
  change([](termios& settings) { settings.c_iflag &= ~(tcflag_t)IXON; });
  type("\x13\x11\n");
  EXPECT_EQ(take(slave_), "\x13\x11\n");
}

TEST_F(LineDiscipline, ExtraEndOfLineCharacter) {
  change([](termios& settings) { settings.c_cc[VEOL] = ';'; });
  type("one;two\n");
  EXPECT_EQ(take(slave_), "one;");
  EXPECT_EQ(take(slave_), "two\n");
}

TEST_F(LineDiscipline, ControlCharactersCanBeRedefinedAndDisabled) {
  change([](termios& settings) {
    settings.c_cc[VERASE] = '#';
    settings.c_cc[VKILL] = _POSIX_VDISABLE;
  });
  type("ab#c\x15\n");
  EXPECT_EQ(take(slave_), "ac\x15\n");
}

TEST_F(LineDiscipline, SwitchingToRawReleasesAPartialLine) {
  type("partial");
  EXPECT_FALSE(readable(slave_));
  change([](termios& settings) { settings.c_lflag &= ~(tcflag_t)ICANON; });
  EXPECT_EQ(take(slave_), "partial");
}

TEST_F(LineDiscipline, NoflshKeepsInputAfterInterrupt) {
  EXPECT_CHILD_OK([&] {
    signal(SIGINT, SIG_IGN);
    type("lost\x03kept\n");
    EXPECT_EQ(take(slave_), "kept\n") << "the interrupt character flushes";
    change([](termios& settings) { settings.c_lflag |= NOFLSH; });
    type("also \x03kept\n");
    EXPECT_EQ(take(slave_), "also kept\n");
  });
}

TEST_F(LineDiscipline, EchoWithoutEchoctlIsPlain) {
  change([](termios& settings) {
    settings.c_lflag |= ECHO;
    settings.c_lflag &= ~(tcflag_t)ECHOCTL;
  });
  type("\x01");
  EXPECT_EQ(take(master_), "\x01");
}

TEST_F(LineDiscipline, KillEchoesErasure) {
  change([](termios& settings) { settings.c_lflag |= ECHO | ECHOE | ECHOK | ECHOKE; });
  type("ab");
  EXPECT_EQ(take(master_), "ab");
  type("\x15");
  EXPECT_EQ(take(master_), "\b \b\b \b");
}

TEST_F(LineDiscipline, Utf8EraseTakesAWholeCharacter) {
  change([](termios& settings) { settings.c_iflag |= IUTF8; });
  type(
      "a\xc3\xa4\x7f"
      "b\n");
  EXPECT_EQ(take(slave_), "ab\n");
}

TEST_F(LineDiscipline, ExpandsTabsAndMapsOutput) {
  change([](termios& settings) { settings.c_oflag = OPOST | XTABS; });
  EXPECT_EQ(write(slave_, "a\tb", 3), 3);
  EXPECT_EQ(take(master_), "a       b");
  change([](termios& settings) { settings.c_oflag = OPOST | OLCUC; });
  EXPECT_EQ(write(slave_, "abc", 3), 3);
  EXPECT_EQ(take(master_), "ABC");
  change([](termios& settings) { settings.c_oflag = OPOST | OCRNL; });
  EXPECT_EQ(write(slave_, "a\rb", 3), 3);
  EXPECT_EQ(take(master_), "a\nb");
}

TEST_F(LineDiscipline, ExclusiveUse) {
  ASSERT_OK(ioctl(slave_, TIOCEXCL));
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    const int result = open(name_, O_RDWR | O_NOCTTY);
    EXPECT_EQ(result, -1);
    EXPECT_TRUE(errno == EBUSY || errno == EACCES) << errno_name(errno);
  });
  int state = 0;
  ASSERT_OK(ioctl(slave_, TIOCGEXCL, &state));
  EXPECT_EQ(state, 1);
  ASSERT_OK(ioctl(slave_, TIOCNXCL));
}

TEST_F(LineDiscipline, PeerWithoutAName) {
  const ScopedFd peer = ioctl(master_, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  ASSERT_OK(peer.get());
  EXPECT_EQ(write(peer, "x", 1), 1);
  EXPECT_EQ(take(master_), "x");
}

TEST_F(LineDiscipline, OutputQueueAndDrain) {
  int count = -1;
  ASSERT_OK(ioctl(slave_, TIOCOUTQ, &count));
  EXPECT_EQ(count, 0);
  EXPECT_OK(tcdrain(slave_));
  EXPECT_OK(tcsendbreak(slave_, 0));
}

TEST_F(LineDiscipline, DisciplineNumber) {
  int number = -1;
  ASSERT_OK(ioctl(slave_, TIOCGETD, &number));
  EXPECT_EQ(number, N_TTY);
  number = 12345;
  EXPECT_ERRNO(ioctl(slave_, TIOCSETD, &number), EINVAL);
}

TEST_F(LineDiscipline, SpeedsAreKept) {
  change([](termios& settings) {
    cfsetispeed(&settings, B9600);
    cfsetospeed(&settings, B9600);
  });
  termios settings;
  ASSERT_OK(tcgetattr(slave_, &settings));
  EXPECT_EQ(cfgetospeed(&settings), (speed_t)B9600);
}

TEST_F(LineDiscipline, MasterSharesTheSettings) {
  change([](termios& settings) { settings.c_cc[VEOL2] = 'Q'; });
  termios settings;
  ASSERT_OK(tcgetattr(master_, &settings));
  EXPECT_EQ(settings.c_cc[VEOL2], 'Q');
}

TEST_F(LineDiscipline, WritesAreAcceptedWhileTheOtherSideSleeps) {
  // The slave may not have to wait for a reader at once.
  std::string text(1000, 'x');
  EXPECT_EQ(write(slave_, text.data(), text.size()), 1000);
  std::string seen;
  while (seen.size() < 1000) seen += take(master_);
  EXPECT_EQ(seen, text);
}

TEST_F(LineDiscipline, FullTerminalMakesWritersWait) {
  fcntl(slave_, F_SETFL, O_NONBLOCK);
  const std::string block(4096, 'x');
  int rounds = 0;
  while (rounds < 1000 && write(slave_, block.data(), block.size()) > 0) rounds++;
  EXPECT_EQ(errno, EAGAIN);
  pollfd wait = {slave_, POLLOUT, 0};
  EXPECT_EQ(poll(&wait, 1, 0), 0);
  fcntl(master_, F_SETFL, O_NONBLOCK);
  char sink[8192];
  while (read(master_, sink, sizeof sink) > 0 || readable(master_, 50)) {
  }
  EXPECT_EQ(poll(&wait, 1, 1000), 1);
}

}  // namespace
