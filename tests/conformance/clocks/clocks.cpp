// clock_gettime(2), nanosleep(2), setitimer(2), alarm(2).
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

#include <atomic>

#include "support/conformance.h"

namespace {
using namespace conformance;

int64_t nanoseconds(const timespec& time) { return time.tv_sec * 1000000000ll + time.tv_nsec; }

int64_t read_clock(clockid_t clock) {
  timespec now = {};
  EXPECT_OK(clock_gettime(clock, &now));
  EXPECT_GE(now.tv_nsec, 0);
  EXPECT_LT(now.tv_nsec, 1000000000);
  return nanoseconds(now);
}

TEST(Clocks, AllOfThemRead) {
  for (const clockid_t clock :
       {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
        CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI}) {
    timespec now = {};
    EXPECT_OK(clock_gettime(clock, &now)) << clock;
    EXPECT_OK(sys(SYS_clock_gettime, clock, &now)) << "as a system call " << clock;
    EXPECT_OK(clock_getres(clock, &now)) << clock;
  }
}

TEST(Clocks, MonotonicNeverGoesBack) {
  int64_t last = read_clock(CLOCK_MONOTONIC);
  for (int i = 0; i < 10000; i++) {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    ASSERT_GE(nanoseconds(now), last);
    last = nanoseconds(now);
  }
}

TEST(Clocks, FastPathAgreesWithTheSystemCall) {
  for (const clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME}) {
    for (int i = 0; i < 50; i++) {
      timespec inner;
      const int64_t before = read_clock(clock);
      ASSERT_OK(sys(SYS_clock_gettime, clock, &inner));
      const int64_t after = read_clock(clock);
      EXPECT_LE(before, nanoseconds(inner)) << clock;
      EXPECT_LE(nanoseconds(inner), after) << clock;
    }
  }
}

TEST(Clocks, CoarseClocksLagByATickAtMost) {
  const int64_t coarse = read_clock(CLOCK_MONOTONIC_COARSE);
  const int64_t fine = read_clock(CLOCK_MONOTONIC);
  EXPECT_LE(coarse, fine);
  EXPECT_GT(coarse, fine - 3000000000ll);
}

TEST(Clocks, RealTimeIsAfter2020) {
  EXPECT_GT(read_clock(CLOCK_REALTIME), 1577836800ll * 1000000000);
  timeval now;
  ASSERT_OK(gettimeofday(&now, nullptr));
  EXPECT_NEAR((double)now.tv_sec, (double)time(nullptr), 2);
}

TEST(Clocks, CpuClocksCountWorkNotSleep) {
  const int64_t before = read_clock(CLOCK_PROCESS_CPUTIME_ID);
  sleep_milliseconds(100);
  const int64_t slept = read_clock(CLOCK_PROCESS_CPUTIME_ID) - before;
  EXPECT_LT(slept, 90000000);
  const long end = now_milliseconds() + 50;
  volatile int work = 0;
  while (now_milliseconds() < end) work = work + 1;
  EXPECT_GT(read_clock(CLOCK_PROCESS_CPUTIME_ID) - before, slept);
  EXPECT_GT(read_clock(CLOCK_THREAD_CPUTIME_ID), 0);
}

TEST(Clocks, Errors) {
  timespec now;
  EXPECT_ERRNO(sys(SYS_clock_gettime, 99, &now), EINVAL);
  EXPECT_ERRNO(sys(SYS_clock_gettime, CLOCK_MONOTONIC, low_address()), EFAULT);
  EXPECT_ERRNO(sys(SYS_clock_getres, 99, &now), EINVAL);
  EXPECT_ERRNO(sys(SYS_clock_settime, CLOCK_MONOTONIC, &now), EINVAL);
  EXPECT_CHILD_OK([] {
    timespec value;
    clock_gettime(CLOCK_REALTIME, &value);
    drop_privileges();
    EXPECT_ERRNO(clock_settime(CLOCK_REALTIME, &value), EPERM);
  });
}

TEST(Clocks, ClockOfAnotherProcess) {
  const pid_t child = fork_child([] { pause(); });
  clockid_t clock;
  EXPECT_EQ(clock_getcpuclockid(child, &clock), 0);
  timespec now;
  EXPECT_OK(clock_gettime(clock, &now));
  kill(child, SIGKILL);
  wait_for(child);
  EXPECT_ERRNO(clock_gettime(clock, &now), EINVAL);
}

TEST(Sleep, LastsAtLeastAsLong) {
  for (const long milliseconds : {1l, 10l, 50l}) {
    const int64_t before = read_clock(CLOCK_MONOTONIC);
    const timespec request = {0, milliseconds * 1000000};
    ASSERT_OK(nanosleep(&request, nullptr));
    EXPECT_GE(read_clock(CLOCK_MONOTONIC) - before, milliseconds * 1000000);
  }
}

TEST(Sleep, AbsoluteOnSeveralClocks) {
  for (const clockid_t clock : {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_TAI}) {
    timespec until;
    ASSERT_OK(clock_gettime(clock, &until));
    const int64_t target = nanoseconds(until) + 20000000;
    until = {(time_t)(target / 1000000000), (long)(target % 1000000000)};
    EXPECT_EQ(clock_nanosleep(clock, TIMER_ABSTIME, &until, nullptr), 0) << clock;
    EXPECT_GE(read_clock(clock), target) << clock;
  }
  const timespec past = {1, 0};
  EXPECT_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, nullptr), 0);
}

TEST(Sleep, Errors) {
  const timespec bad = {0, 1000000000}, negative = {-1, 0};
  EXPECT_ERRNO(nanosleep(&bad, nullptr), EINVAL);
  EXPECT_ERRNO(nanosleep(&negative, nullptr), EINVAL);
  EXPECT_ERRNO(sys(SYS_nanosleep, low_address(), 0), EFAULT);
  const timespec little = {0, 1};
  EXPECT_EQ(clock_nanosleep(99, 0, &little, nullptr), EINVAL);
  EXPECT_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &little, nullptr), EINVAL);
}

volatile sig_atomic_t alarms;

class IntervalTimer : public testing::Test {
 protected:
  void SetUp() override {
    alarms = 0;
    struct sigaction action = {};
    action.sa_handler = [](int) { alarms = alarms + 1; };
    for (const int signal : {SIGALRM, SIGVTALRM, SIGPROF}) sigaction(signal, &action, nullptr);
  }
  void TearDown() override {
    const itimerval off = {};
    setitimer(ITIMER_REAL, &off, nullptr);
    setitimer(ITIMER_VIRTUAL, &off, nullptr);
    setitimer(ITIMER_PROF, &off, nullptr);
  }
};

TEST_F(IntervalTimer, OneShot) {
  const itimerval soon = {{0, 0}, {0, 20000}};
  sigset_t blocked, none;
  sigemptyset(&none);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGALRM);
  sigprocmask(SIG_BLOCK, &blocked, nullptr);
  ASSERT_OK(setitimer(ITIMER_REAL, &soon, nullptr));
  EXPECT_ERRNO(sigsuspend(&none), EINTR);
  sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
  EXPECT_EQ(alarms, 1);
  itimerval now;
  ASSERT_OK(getitimer(ITIMER_REAL, &now));
  EXPECT_EQ(now.it_value.tv_sec + now.it_value.tv_usec, 0);
}

TEST_F(IntervalTimer, Periodic) {
  const itimerval often = {{0, 10000}, {0, 10000}};
  ASSERT_OK(setitimer(ITIMER_REAL, &often, nullptr));
  while (alarms < 3) pause();
  itimerval now;
  ASSERT_OK(getitimer(ITIMER_REAL, &now));
  EXPECT_EQ(now.it_interval.tv_usec, 10000);
}

TEST_F(IntervalTimer, VirtualAndProfilingCountCpuTime) {
  const itimerval soon = {{0, 0}, {0, 10000}};
  for (const auto which : {ITIMER_VIRTUAL, ITIMER_PROF}) {
    alarms = 0;
    ASSERT_OK(setitimer(which, &soon, nullptr));
    volatile unsigned work = 0;
    const long end = now_milliseconds() + 15000;
    while (alarms == 0 && now_milliseconds() < end) {
      for (int i = 0; i < 100000; i++) work = work + 1;
    }
    EXPECT_EQ(alarms, 1) << which;
  }
}

TEST_F(IntervalTimer, AlarmReturnsWhatWasLeft) {
  EXPECT_EQ(alarm(100), 0u);
  const unsigned left = alarm(0);
  EXPECT_GE(left, 90u);
  EXPECT_LE(left, 100u);
  EXPECT_EQ(alarm(0), 0u);
}

TEST_F(IntervalTimer, NotInheritedByForkButKeptByExec) {
  const itimerval later = {{0, 0}, {1000, 0}};
  setitimer(ITIMER_REAL, &later, nullptr);
  EXPECT_CHILD_OK([] {
    itimerval now;
    getitimer(ITIMER_REAL, &now);
    EXPECT_EQ(now.it_value.tv_sec, 0);
  });
}

TEST_F(IntervalTimer, Errors) {
  itimerval bad = {{0, 0}, {0, 1000000}};
  EXPECT_ERRNO(setitimer(ITIMER_REAL, &bad, nullptr), EINVAL);
  EXPECT_ERRNO(sys(SYS_setitimer, 9, &bad, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_getitimer, 9, &bad), EINVAL);
  EXPECT_ERRNO(sys(SYS_getitimer, ITIMER_REAL, low_address()), EFAULT);
}

TEST(CpuLimit, SoftLimitSendsSIGXCPU) {
  const int status = run_child([] {
    const rlimit core = {0, 0}, limit = {1, 20};
    setrlimit(RLIMIT_CORE, &core);
    setrlimit(RLIMIT_CPU, &limit);
    volatile unsigned work = 0;
    for (;;) work = work + 1;
  });
  EXPECT_KILLED(status, SIGXCPU);
}

TEST(Adjtimex, ReadingNeedsNoPrivilege) {
  EXPECT_CHILD_OK([] {
    drop_privileges();
    timex state = {};
    EXPECT_OK(adjtimex(&state));
    state.modes = ADJ_FREQUENCY;
    EXPECT_ERRNO(adjtimex(&state), EPERM);
  });
}

}  // namespace
