// fcntl(2), F_NOTIFY.
#include <signal.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

class Dnotify : public TempDirTest {
 protected:
  void SetUp() override {
    TempDirTest::SetUp();
    sigemptyset(&set_);
    sigaddset(&set_, SIGRTMIN + 3);
    sigaddset(&set_, SIGIO);
    sigprocmask(SIG_BLOCK, &set_, nullptr);
    fd_ = open(path(), O_RDONLY | O_DIRECTORY);
    ASSERT_OK(fd_.get());
  }
  void TearDown() override {
    fd_.reset();
    while (next() > 0) {
    }
    sigprocmask(SIG_UNBLOCK, &set_, nullptr);
    TempDirTest::TearDown();
  }
  // The number of the signal that has come, or 0.
  int next(siginfo_t* information = nullptr) {
    const timespec now{0, 0};
    siginfo_t ours;
    const int number = sigtimedwait(&set_, information ? information : &ours, &now);
    return number < 0 ? 0 : number;
  }
  sigset_t set_;
  ScopedFd fd_;
};

TEST_F(Dnotify, OneSignalUnlessAskedForMore) {
  write_file("file", "x");
  EXPECT_ERRNO(fcntl(ScopedFd(open(path("file"), O_RDONLY)), F_NOTIFY, DN_MODIFY), ENOTDIR);
  ASSERT_OK(fcntl(fd_, F_NOTIFY, DN_CREATE));
  EXPECT_EQ(fcntl(fd_, F_GETOWN), getpid());
  write_file("one", "");
  EXPECT_EQ(next(), SIGIO);
  write_file("two", "");
  EXPECT_EQ(next(), 0);
}

TEST_F(Dnotify, SignalSaysWhichDirectory) {
  ASSERT_OK(fcntl(fd_, F_SETSIG, SIGRTMIN + 3));
  ASSERT_OK(fcntl(fd_, F_NOTIFY, DN_DELETE | DN_CREATE | DN_MULTISHOT));
  write_file("one", "");
  siginfo_t information{};
  EXPECT_EQ(next(&information), SIGRTMIN + 3);
  EXPECT_EQ(information.si_fd, (int)fd_);
  EXPECT_EQ(information.si_code, POLL_MSG);
  unlink(path("one"));
  EXPECT_EQ(next(), SIGRTMIN + 3);
  ASSERT_OK(fcntl(fd_, F_NOTIFY, 0));
  write_file("two", "");
  EXPECT_EQ(next(), 0);
}

TEST_F(Dnotify, ChangesOfFilesInIt) {
  write_file("file", "x");
  ASSERT_OK(fcntl(fd_, F_NOTIFY, DN_MODIFY | DN_ATTRIB | DN_MULTISHOT));
  chmod(path("file"), 0600);
  EXPECT_EQ(next(), SIGIO);
  EXPECT_EQ(next(), 0);
  {
    const ScopedFd file = open(path("file"), O_WRONLY);
    EXPECT_EQ(write(file, "y", 1), 1);
  }
  EXPECT_EQ(next(), SIGIO);
  EXPECT_EQ(read_file("file"), "y");
  EXPECT_EQ(next(), 0);
  // The end of the file is the end of the notices.
  fd_.reset();
  chmod(path("file"), 0644);
  EXPECT_EQ(next(), 0);
}

}  // namespace
