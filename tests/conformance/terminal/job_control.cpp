// Controlling terminals, foreground groups and the signals of the line discipline.
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

class JobControl : public testing::Test {
 protected:
  void SetUp() override {
    master_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ASSERT_OK(master_.get());
    ASSERT_OK(unlockpt(master_));
    ASSERT_EQ(ptsname_r(master_, name_, sizeof name_), 0);
  }

  // Runs the body in a new session whose controlling terminal is the pty (descriptor terminal).
  pid_t session(const std::function<void(int terminal)>& body) {
    return fork_child([&] {
      ASSERT_OK(setsid());
      alarm(30);  // A session of its own is out of reach for the runner's clean-up.
      const int terminal = open(name_, O_RDWR);
      ASSERT_OK(terminal);
      body(terminal);
    });
  }
  void type(std::string_view text) const {
    EXPECT_EQ(write(master_, text.data(), text.size()), (ssize_t)text.size());
  }

  ScopedFd master_;
  char name_[64];
};

TEST_F(JobControl, FirstOpenByALeaderMakesItControlling) {
  EXPECT_EXITED(wait_for(session([&](int terminal) {
                  EXPECT_EQ(tcgetsid(terminal), getpid());
                  EXPECT_EQ(tcgetpgrp(terminal), getpid());
                  const ScopedFd tty = open("/dev/tty", O_RDWR);
                  EXPECT_OK(tty.get());
                })),
                0);
}

TEST_F(JobControl, NoControllingTerminalIsENXIO) {
  EXPECT_CHILD_OK([&] {
    setsid();
    EXPECT_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
    const ScopedFd fd = open(name_, O_RDWR | O_NOCTTY);
    EXPECT_ERRNO(open("/dev/tty", O_RDWR), ENXIO) << "O_NOCTTY";
    EXPECT_ERRNO(tcgetpgrp(fd), ENOTTY);
    ASSERT_OK(ioctl(fd, TIOCSCTTY, 0));
    EXPECT_OK(open("/dev/tty", O_RDWR));
  });
}

TEST_F(JobControl, InterruptAndQuitCharacters) {
  const struct {
    char character;
    int signal;
  } cases[] = {{3, SIGINT}, {28, SIGQUIT}};
  for (const auto& one : cases) {
    Rendezvous ready;
    const pid_t child = session([&](int) {
      ready.notify();
      for (;;) pause();
    });
    ASSERT_TRUE(ready.wait());
    type(std::string(1, one.character));
    EXPECT_KILLED(wait_for(child), one.signal);
  }
}

TEST_F(JobControl, OrphanedGroupIsNotStopped) {
  Rendezvous ready;
  const pid_t child = session([&](int) {
    ready.notify();
    for (;;) pause();
  });
  ASSERT_TRUE(ready.wait());
  type("\x1a");
  type("\x03");
  int status;
  ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
  EXPECT_KILLED(status, SIGINT);
}

TEST_F(JobControl, SuspendStopsAJobOfAShell) {
  const pid_t shell = session([&](int terminal) {
    Rendezvous ready;
    const pid_t job = fork_child([&] {
      setpgid(0, 0);
      ready.notify();
      for (;;) pause();
    });
    setpgid(job, job);
    ASSERT_TRUE(ready.wait());
    signal(SIGTTOU, SIG_IGN);
    ASSERT_OK(tcsetpgrp(terminal, job));
    EXPECT_EQ(tcgetpgrp(terminal), job);
    type("\x1a");
    int status;
    ASSERT_EQ(waitpid(job, &status, WUNTRACED), job);
    EXPECT_TRUE(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP) << status;
    ASSERT_OK(kill(-job, SIGCONT));
    ASSERT_EQ(waitpid(job, &status, WCONTINUED), job);
    type("\x03");
    EXPECT_KILLED(wait_for(job), SIGINT);
    EXPECT_OK(tcsetpgrp(terminal, getpid()));
  });
  EXPECT_EXITED(wait_for(shell), 0);
}

TEST_F(JobControl, BackgroundReadStops) {
  const pid_t shell = session([&](int terminal) {
    const pid_t job = fork_child([&] {
      setpgid(0, 0);
      char byte;
      EXPECT_EQ(read(terminal, &byte, 1), 1);
    });
    setpgid(job, job);
    int status;
    ASSERT_EQ(waitpid(job, &status, WUNTRACED), job);
    ASSERT_TRUE(WIFSTOPPED(status)) << status;
    EXPECT_EQ(WSTOPSIG(status), SIGTTIN);
    signal(SIGTTOU, SIG_IGN);
    ASSERT_OK(tcsetpgrp(terminal, job));
    kill(-job, SIGCONT);
    type("x\n");
    EXPECT_EXITED(wait_for(job), 0);
  });
  EXPECT_EXITED(wait_for(shell), 0);
}

TEST_F(JobControl, BackgroundReadIgnoringTheSignalIsEIO) {
  const pid_t shell = session([&](int terminal) {
    EXPECT_CHILD_OK([&] {
      setpgid(0, 0);
      signal(SIGTTIN, SIG_IGN);
      char byte;
      EXPECT_ERRNO(read(terminal, &byte, 1), EIO);
    });
  });
  EXPECT_EXITED(wait_for(shell), 0);
}

TEST_F(JobControl, BackgroundWriteStopsOnlyWithTostop) {
  const pid_t shell = session([&](int terminal) {
    EXPECT_CHILD_OK([&] {
      setpgid(0, 0);
      EXPECT_EQ(write(terminal, "x", 1), 1);
    });
    termios settings;
    ASSERT_OK(tcgetattr(terminal, &settings));
    settings.c_lflag |= TOSTOP;
    ASSERT_OK(tcsetattr(terminal, TCSANOW, &settings));
    const pid_t job = fork_child([&] {
      setpgid(0, 0);
      EXPECT_EQ(write(terminal, "x", 1), 1);
    });
    int status;
    ASSERT_EQ(waitpid(job, &status, WUNTRACED), job);
    ASSERT_TRUE(WIFSTOPPED(status)) << status;
    EXPECT_EQ(WSTOPSIG(status), SIGTTOU);
    kill(job, SIGKILL);
    wait_for(job);
  });
  EXPECT_EXITED(wait_for(shell), 0);
}

TEST_F(JobControl, BackgroundSettingsStop) {
  const pid_t shell = session([&](int terminal) {
    const pid_t job = fork_child([&] {
      setpgid(0, 0);
      termios settings;
      tcgetattr(terminal, &settings);
      tcsetattr(terminal, TCSANOW, &settings);
    });
    int status;
    ASSERT_EQ(waitpid(job, &status, WUNTRACED), job);
    ASSERT_TRUE(WIFSTOPPED(status)) << status;
    EXPECT_EQ(WSTOPSIG(status), SIGTTOU);
    kill(job, SIGKILL);
    wait_for(job);
  });
  EXPECT_EXITED(wait_for(shell), 0);
}

TEST_F(JobControl, ForegroundGroupErrors) {
  const pid_t shell = session([&](int terminal) {
    EXPECT_ERRNO(tcsetpgrp(terminal, 0x3fffffff), ESRCH);
    EXPECT_ERRNO(tcsetpgrp(terminal, -1), EINVAL);
    int ends[2];
    ASSERT_OK(pipe(ends));
    EXPECT_ERRNO(tcsetpgrp(ends[0], getpgrp()), ENOTTY);
    EXPECT_ERRNO(tcsetpgrp(terminal, getpgid(getppid())), EPERM) << "a group of another session";
  });
  EXPECT_EXITED(wait_for(shell), 0);
}

TEST_F(JobControl, WindowChangeSignalsTheForeground) {
  Rendezvous ready;
  const pid_t child = session([&](int terminal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    ready.notify();
    const timespec patience = {10, 0};
    EXPECT_EQ(sigtimedwait(&set, nullptr, &patience), SIGWINCH);
    winsize size = {};
    EXPECT_OK(ioctl(terminal, TIOCGWINSZ, &size));
    EXPECT_EQ(size.ws_col, 77);
  });
  ASSERT_TRUE(ready.wait());
  const winsize size = {33, 77, 0, 0};
  ASSERT_OK(ioctl(master_, TIOCSWINSZ, &size));
  EXPECT_EXITED(wait_for(child), 0);
}

TEST_F(JobControl, HangUpWhenTheMasterCloses) {
  Rendezvous ready;
  const pid_t child = session([&](int) {
    ready.notify();
    for (;;) pause();
  });
  ASSERT_TRUE(ready.wait());
  // The child inherited the master; it must be gone there too.
  EXPECT_OK(kill(child, 0));
  kill(child, SIGKILL);
  wait_for(child);
  const pid_t second = fork_child([&] {
    ASSERT_OK(setsid());
    const int terminal = open(name_, O_RDWR);
    ASSERT_OK(terminal);
    master_.reset();
    ready.notify();
    for (;;) pause();
  });
  ASSERT_TRUE(ready.wait());
  master_.reset();
  EXPECT_KILLED(wait_for(second), SIGHUP);
}

TEST_F(JobControl, LeaderExitHangsUpTheForeground) {
  EXPECT_CHILD_OK([&] {
    int ends[2];
    ASSERT_OK(pipe(ends));
    const pid_t leader = session([&](int) {
      Rendezvous ready;
      fork_child([&] {
        sigset_t hang_up;
        sigemptyset(&hang_up);
        sigaddset(&hang_up, SIGHUP);
        sigprocmask(SIG_BLOCK, &hang_up, nullptr);
        ready.notify();
        const timespec patience = {10, 0};
        if (sigtimedwait(&hang_up, nullptr, &patience) == SIGHUP) EXPECT_EQ(write(ends[1], "H", 1), 1);
        _exit(0);
      });
      ready.wait();
    });
    EXPECT_EXITED(wait_for(leader), 0);
    close(ends[1]);
    char byte = 0;
    EXPECT_EQ(read(ends[0], &byte, 1), 1);
    EXPECT_EQ(byte, 'H');
  });
}

TEST_F(JobControl, GivingTheTerminalUp) {
  const pid_t child = session([&](int terminal) {
    signal(SIGHUP, SIG_IGN);
    signal(SIGCONT, SIG_IGN);
    ASSERT_OK(ioctl(terminal, TIOCNOTTY));
    EXPECT_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
  });
  EXPECT_EXITED(wait_for(child), 0);
}

TEST_F(JobControl, AnotherSessionCannotTakeIt) {
  Rendezvous ready, done;
  const pid_t owner = session([&](int) {
    ready.notify();
    done.wait();
  });
  ASSERT_TRUE(ready.wait());
  EXPECT_CHILD_OK([&] {
    setsid();
    const ScopedFd fd = open(name_, O_RDWR);
    ASSERT_OK(fd.get());
    EXPECT_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
    EXPECT_ERRNO(ioctl(fd, TIOCSCTTY, 0), EPERM);
  });
  done.notify();
  EXPECT_EXITED(wait_for(owner), 0);
}

TEST_F(JobControl, IsigOffDeliversCharacters) {
  Rendezvous ready;
  const pid_t child = session([&](int terminal) {
    termios settings;
    tcgetattr(terminal, &settings);
    settings.c_lflag &= ~(tcflag_t)(ISIG | ECHO);
    tcsetattr(terminal, TCSANOW, &settings);
    ready.notify();
    char buffer[4] = {};
    EXPECT_EQ(read(terminal, buffer, 4), 2);
    EXPECT_EQ(buffer[0], 3);
  });
  ASSERT_TRUE(ready.wait());
  type("\x03\n");
  EXPECT_EXITED(wait_for(child), 0);
}

}  // namespace
