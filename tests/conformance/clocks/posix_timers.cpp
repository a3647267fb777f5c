// timer_create(2), timerfd_create(2).
#include <poll.h>
#include <signal.h>
#include <sys/timerfd.h>
#include <time.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

// The kernel's own interface: the C library hides the timer numbers and makes threads.
long timer_create_raw(clockid_t clock, sigevent* event, int* timer) {
  return sys(SYS_timer_create, clock, event, timer);
}

sigset_t block(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return set;
}

sigevent signal_event(int signal, int value) {
  sigevent event = {};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = signal;
  event.sigev_value.sival_int = value;
  return event;
}

TEST(PosixTimer, ExpiresWithItsValue) {
  const sigset_t set = block(SIGUSR1);
  sigevent event = signal_event(SIGUSR1, 31);
  int timer;
  ASSERT_OK(timer_create_raw(CLOCK_MONOTONIC, &event, &timer));
  const itimerspec soon = {{0, 0}, {0, 10000000}};
  ASSERT_OK(sys(SYS_timer_settime, timer, 0, &soon, 0));
  siginfo_t information;
  ASSERT_EQ(sigwaitinfo(&set, &information), SIGUSR1);
  EXPECT_EQ(information.si_code, SI_TIMER);
  EXPECT_EQ(information.si_value.sival_int, 31);
  EXPECT_EQ(information.si_timerid, timer);
  EXPECT_OK(sys(SYS_timer_delete, timer));
  EXPECT_ERRNO(sys(SYS_timer_delete, timer), EINVAL);
}

TEST(PosixTimer, PeriodicCountsOverruns) {
  const sigset_t set = block(SIGUSR1);
  sigevent event = signal_event(SIGUSR1, 0);
  int timer;
  ASSERT_OK(timer_create_raw(CLOCK_MONOTONIC, &event, &timer));
  const itimerspec often = {{0, 5000000}, {0, 5000000}};
  ASSERT_OK(sys(SYS_timer_settime, timer, 0, &often, 0));
  sleep_milliseconds(60);
  siginfo_t information;
  ASSERT_EQ(sigwaitinfo(&set, &information), SIGUSR1);
  EXPECT_GE(information.si_overrun, 5);
  EXPECT_EQ(sys(SYS_timer_getoverrun, timer), information.si_overrun);
  sys(SYS_timer_delete, timer);
}

TEST(PosixTimer, GettimeCountsDownAndDisarm) {
  sigevent event = signal_event(SIGUSR1, 0);
  int timer;
  ASSERT_OK(timer_create_raw(CLOCK_REALTIME, &event, &timer));
  itimerspec value = {{7, 0}, {1000, 0}};
  ASSERT_OK(sys(SYS_timer_settime, timer, 0, &value, 0));
  itimerspec now = {};
  ASSERT_OK(sys(SYS_timer_gettime, timer, &now));
  EXPECT_GT(now.it_value.tv_sec, 900);
  EXPECT_LE(now.it_value.tv_sec, 1000);
  EXPECT_EQ(now.it_interval.tv_sec, 7);
  value = {};
  itimerspec old = {};
  ASSERT_OK(sys(SYS_timer_settime, timer, 0, &value, &old));
  EXPECT_GT(old.it_value.tv_sec, 900);
  ASSERT_OK(sys(SYS_timer_gettime, timer, &now));
  EXPECT_EQ(now.it_value.tv_sec, 0);
  sys(SYS_timer_delete, timer);
}

TEST(PosixTimer, AbsoluteTimeInThePastExpiresAtOnce) {
  const sigset_t set = block(SIGUSR1);
  sigevent event = signal_event(SIGUSR1, 0);
  int timer;
  ASSERT_OK(timer_create_raw(CLOCK_MONOTONIC, &event, &timer));
  const itimerspec past = {{0, 0}, {0, 1}};
  ASSERT_OK(sys(SYS_timer_settime, timer, TIMER_ABSTIME, &past, 0));
  siginfo_t information;
  EXPECT_EQ(sigwaitinfo(&set, &information), SIGUSR1);
  sys(SYS_timer_delete, timer);
}

TEST(PosixTimer, SignalsAParticularThread) {
  const sigset_t set = block(SIGUSR1);
  sigevent event = signal_event(SIGUSR1, 5);
  event.sigev_notify = SIGEV_THREAD_ID;
  event._sigev_un._tid = static_cast<int>(sys(SYS_gettid));
  int timer;
  ASSERT_OK(timer_create_raw(CLOCK_MONOTONIC, &event, &timer));
  const itimerspec soon = {{0, 0}, {0, 1000000}};
  ASSERT_OK(sys(SYS_timer_settime, timer, 0, &soon, 0));
  siginfo_t information;
  EXPECT_EQ(sigwaitinfo(&set, &information), SIGUSR1);
  sys(SYS_timer_delete, timer);
  event._sigev_un._tid = 1;
  EXPECT_ERRNO(timer_create_raw(CLOCK_MONOTONIC, &event, &timer), EINVAL) << "a thread of another process";
}

TEST(PosixTimer, CpuTimeTimer) {
  const sigset_t set = block(SIGUSR1);
  sigevent event = signal_event(SIGUSR1, 0);
  int timer;
  ASSERT_OK(timer_create_raw(CLOCK_PROCESS_CPUTIME_ID, &event, &timer));
  const itimerspec soon = {{0, 0}, {0, 20000000}};
  ASSERT_OK(sys(SYS_timer_settime, timer, 0, &soon, 0));
  sigset_t pending;
  const long end = now_milliseconds() + 15000;
  do {
    sigpending(&pending);
  } while (!sigismember(&pending, SIGUSR1) && now_milliseconds() < end);
  siginfo_t information;
  const timespec none = {0, 0};
  EXPECT_EQ(sigtimedwait(&set, &information, &none), SIGUSR1);
  sys(SYS_timer_delete, timer);
}

TEST(PosixTimer, Errors) {
  int timer;
  sigevent event = signal_event(99, 0);
  EXPECT_ERRNO(timer_create_raw(CLOCK_MONOTONIC, &event, &timer), EINVAL);
  event = signal_event(SIGUSR1, 0);
  EXPECT_ERRNO(timer_create_raw(99, &event, &timer), EINVAL);
  event.sigev_notify = 77;
  EXPECT_ERRNO(timer_create_raw(CLOCK_MONOTONIC, &event, &timer), EINVAL);
  EXPECT_ERRNO(timer_create_raw(CLOCK_MONOTONIC, nullptr, static_cast<int*>(low_address())), EFAULT);
  const itimerspec value = {{0, 0}, {0, 1000000000}};
  EXPECT_ERRNO(sys(SYS_timer_settime, 12345, 0, &value, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_timer_gettime, 12345, &event), EINVAL);
}

TEST(PosixTimer, NotInherited) {
  int timer;
  sigevent event = signal_event(SIGUSR1, 0);
  ASSERT_OK(timer_create_raw(CLOCK_MONOTONIC, &event, &timer));
  EXPECT_CHILD_OK([&] {
    itimerspec value;
    EXPECT_ERRNO(sys(SYS_timer_gettime, timer, &value), EINVAL);
  });
  sys(SYS_timer_delete, timer);
}

TEST(Timerfd, ReadReturnsTheNumberOfExpirations) {
  const ScopedFd fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  ASSERT_OK(fd.get());
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  const itimerspec often = {{0, 5000000}, {0, 5000000}};
  ASSERT_OK(timerfd_settime(fd, 0, &often, nullptr));
  sleep_milliseconds(40);
  uint64_t expirations = 0;
  ASSERT_EQ(read(fd, &expirations, 8), 8);
  EXPECT_GE(expirations, 5u);
  ASSERT_EQ(read(fd, &expirations, 8), 8) << "blocks until the next";
  EXPECT_GE(expirations, 1u);
}

TEST(Timerfd, NonBlockingAndPoll) {
  const ScopedFd fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  uint64_t expirations;
  EXPECT_ERRNO(read(fd, &expirations, 8), EAGAIN);
  pollfd wait = {fd, POLLIN, 0};
  EXPECT_EQ(poll(&wait, 1, 0), 0);
  const itimerspec soon = {{0, 0}, {0, 10000000}};
  ASSERT_OK(timerfd_settime(fd, 0, &soon, nullptr));
  EXPECT_EQ(poll(&wait, 1, 10000), 1);
  EXPECT_EQ(read(fd, &expirations, 8), 8);
  EXPECT_EQ(expirations, 1u);
  EXPECT_ERRNO(read(fd, &expirations, 8), EAGAIN);
}

TEST(Timerfd, SettimeDiscardsExpirations) {
  const ScopedFd fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  const itimerspec at_once = {{0, 0}, {0, 1}}, later = {{0, 0}, {1000, 0}};
  ASSERT_OK(timerfd_settime(fd, 0, &at_once, nullptr));
  sleep_milliseconds(10);
  itimerspec old;
  ASSERT_OK(timerfd_settime(fd, 0, &later, &old));
  uint64_t expirations;
  EXPECT_ERRNO(read(fd, &expirations, 8), EAGAIN);
  itimerspec now;
  ASSERT_OK(timerfd_gettime(fd, &now));
  EXPECT_GT(now.it_value.tv_sec, 900);
}

TEST(Timerfd, AbsoluteRealTime) {
  const ScopedFd fd = timerfd_create(CLOCK_REALTIME, 0);
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  itimerspec at = {{0, 0}, now};
  at.it_value.tv_sec -= 1;
  ASSERT_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, nullptr));
  uint64_t expirations;
  EXPECT_EQ(read(fd, &expirations, 8), 8);
}

TEST(Timerfd, Errors) {
  EXPECT_ERRNO(timerfd_create(99, 0), EINVAL);
  EXPECT_ERRNO(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
  const ScopedFd fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  const itimerspec bad = {{0, 0}, {0, 1000000000}};
  EXPECT_ERRNO(timerfd_settime(fd, 0, &bad, nullptr), EINVAL);
  EXPECT_ERRNO(timerfd_settime(fd, 0x80, &bad, nullptr), EINVAL);
  const ScopedFd null = open("/dev/null", O_RDONLY);
  const itimerspec good = {};
  EXPECT_ERRNO(timerfd_settime(null, 0, &good, nullptr), EINVAL);
  EXPECT_ERRNO(timerfd_settime(-1, 0, &good, nullptr), EBADF);
  char small[4];
  EXPECT_ERRNO(read(fd, small, 4), EINVAL);
  EXPECT_ERRNO(write(fd, small, 4), EINVAL);
}

}  // namespace
