// sched_setaffinity(2), sched_setscheduler(2), setpriority(2), getcpu(2).
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

struct Attributes {
  uint32_t size = 48, policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0, deadline = 0, period = 0;
};

TEST(Affinity, GetReturnsTheSizeOfTheMask) {
  unsigned long mask[16] = {};
  const long size = sys(SYS_sched_getaffinity, 0, sizeof mask, mask);
  EXPECT_GE(size, 8);
  EXPECT_EQ(size % 8, 0);
  EXPECT_NE(mask[0], 0u);
  EXPECT_ERRNO(sys(SYS_sched_getaffinity, 0, 3, mask), EINVAL);
  EXPECT_ERRNO(sys(SYS_sched_getaffinity, 0x3fffffff, sizeof mask, mask), ESRCH);
  EXPECT_ERRNO(sys(SYS_sched_getaffinity, 0, sizeof mask, low_address()), EFAULT);
}

TEST(Affinity, PinningMovesTheCaller) {
  EXPECT_CHILD_OK([] {
    cpu_set_t all;
    ASSERT_OK(sched_getaffinity(0, sizeof all, &all));
    for (int cpu = 0; cpu < 64; cpu++) {
      if (!CPU_ISSET(cpu, &all)) continue;
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      ASSERT_OK(sched_setaffinity(0, sizeof one, &one));
      unsigned now = 999;
      ASSERT_OK(sys(SYS_getcpu, &now, 0, 0));
      EXPECT_EQ(now, (unsigned)cpu);
      EXPECT_EQ(sched_getcpu(), cpu);
      EXPECT_CHILD_OK([&] {
        cpu_set_t inherited;
        sched_getaffinity(0, sizeof inherited, &inherited);
        EXPECT_TRUE(CPU_EQUAL(&inherited, &one));
      });
    }
  });
}

TEST(Affinity, EmptyMaskIsEINVAL) {
  cpu_set_t none;
  CPU_ZERO(&none);
  EXPECT_ERRNO(sched_setaffinity(0, sizeof none, &none), EINVAL);
  CPU_SET(1000, &none);
  EXPECT_ERRNO(sched_setaffinity(0, sizeof none, &none), EINVAL) << "only CPUs that are not there";
}

TEST(Affinity, OthersProcessesNeedPrivilege) {
  const pid_t target = getpid();
  EXPECT_CHILD_OK([&] {
    cpu_set_t all;
    sched_getaffinity(0, sizeof all, &all);
    drop_privileges();
    EXPECT_ERRNO(sched_setaffinity(target, sizeof all, &all), EPERM);
  });
}

TEST(Policy, DefaultIsOther) {
  EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
  sched_param parameters = {77};
  ASSERT_OK(sched_getparam(0, &parameters));
  EXPECT_EQ(parameters.sched_priority, 0);
}

TEST(Policy, RootMayUseRealTime) {
  EXPECT_CHILD_OK([] {
    for (const int policy : {SCHED_FIFO, SCHED_RR}) {
      const sched_param parameters = {10};
      ASSERT_OK(sched_setscheduler(0, policy, &parameters));
      EXPECT_EQ(sched_getscheduler(0), policy);
      sched_param seen = {};
      sched_getparam(0, &seen);
      EXPECT_EQ(seen.sched_priority, 10);
      EXPECT_CHILD_OK([&] { EXPECT_EQ(sched_getscheduler(0), policy); });
    }
    for (const int policy : {SCHED_BATCH, SCHED_IDLE, SCHED_OTHER}) {
      const sched_param parameters = {0};
      ASSERT_OK(sched_setscheduler(0, policy, &parameters));
      EXPECT_EQ(sched_getscheduler(0), policy);
    }
  });
}

TEST(Policy, ResetOnFork) {
  EXPECT_CHILD_OK([] {
    const sched_param parameters = {10};
    ASSERT_OK(sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters));
    EXPECT_EQ(sched_getscheduler(0), SCHED_FIFO | SCHED_RESET_ON_FORK);
    EXPECT_CHILD_OK([] { EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER); });
  });
}

TEST(Policy, Errors) {
  sched_param parameters = {0};
  EXPECT_ERRNO(sched_setscheduler(0, SCHED_FIFO, &parameters), EINVAL) << "real time needs a priority";
  parameters.sched_priority = 100;
  EXPECT_ERRNO(sched_setscheduler(0, SCHED_FIFO, &parameters), EINVAL);
  parameters.sched_priority = 5;
  EXPECT_ERRNO(sched_setscheduler(0, SCHED_OTHER, &parameters), EINVAL);
  EXPECT_ERRNO(sched_setscheduler(0, 99, &parameters), EINVAL);
  EXPECT_ERRNO(sched_setscheduler(0x3fffffff, SCHED_FIFO, &parameters), ESRCH);
  EXPECT_ERRNO(sched_setscheduler(-1, SCHED_FIFO, &parameters), EINVAL);
  EXPECT_ERRNO(sys(SYS_sched_setscheduler, 0, SCHED_FIFO, low_address()), EFAULT);
  EXPECT_CHILD_OK([] {
    drop_privileges();
    const sched_param wanted = {5};
    EXPECT_ERRNO(sched_setscheduler(0, SCHED_FIFO, &wanted), EPERM);
  });
}

TEST(Policy, PriorityRanges) {
  EXPECT_EQ(sched_get_priority_min(SCHED_FIFO), 1);
  EXPECT_EQ(sched_get_priority_max(SCHED_FIFO), 99);
  EXPECT_EQ(sched_get_priority_max(SCHED_OTHER), 0);
  EXPECT_ERRNO(sched_get_priority_min(99), EINVAL);
}

TEST(Policy, Attributes) {
  Attributes seen;
  ASSERT_OK(sys(SYS_sched_getattr, 0, &seen, sizeof seen, 0));
  EXPECT_EQ(seen.policy, (uint32_t)SCHED_OTHER);
  EXPECT_CHILD_OK([] {
    Attributes wanted;
    wanted.policy = SCHED_BATCH;
    wanted.nice = 7;
    ASSERT_OK(sys(SYS_sched_setattr, 0, &wanted, 0));
    EXPECT_EQ(getpriority(PRIO_PROCESS, 0), 7);
  });
  EXPECT_ERRNO(sys(SYS_sched_getattr, 0, &seen, 10, 0), EINVAL);
  Attributes small;
  small.size = 20;
  EXPECT_ERRNO(sys(SYS_sched_setattr, 0, &small, 0), E2BIG);
  EXPECT_EQ(small.size, 56u) << "told the right size";
}

TEST(Policy, DeadlineIsChecked) {
  EXPECT_CHILD_OK([] {
    Attributes wanted;
    wanted.policy = 6;
    wanted.runtime = 20000000;
    wanted.deadline = 10000000;
    wanted.period = 30000000;
    EXPECT_ERRNO(sys(SYS_sched_setattr, 0, &wanted, 0), EINVAL) << "more run time than deadline";
  });
}

TEST(Policy, RoundRobinInterval) {
  timespec interval = {};
  ASSERT_OK(sched_rr_get_interval(0, &interval));
  EXPECT_GE(interval.tv_sec * 1000000000 + interval.tv_nsec, 0);
  EXPECT_ERRNO(sched_rr_get_interval(-1, &interval), EINVAL);
}

TEST(Priority, NiceAndSetpriority) {
  EXPECT_CHILD_OK([] {
    ASSERT_OK(setpriority(PRIO_PROCESS, 0, 5));
    EXPECT_EQ(getpriority(PRIO_PROCESS, 0), 5);
    EXPECT_EQ(sys(SYS_getpriority, PRIO_PROCESS, 0), 15) << "the raw call returns 20 minus the value";
    EXPECT_EQ(nice(3), 8);
    ASSERT_OK(setpriority(PRIO_PROCESS, 0, 100));
    EXPECT_EQ(getpriority(PRIO_PROCESS, 0), 19);
    drop_privileges();
    EXPECT_ERRNO(setpriority(PRIO_PROCESS, 0, 0), EACCES);
    EXPECT_OK(setpriority(PRIO_PROCESS, 0, 19));
  });
}

TEST(Priority, Errors) {
  EXPECT_ERRNO(setpriority(99, 0, 0), EINVAL);
  EXPECT_ERRNO(setpriority(PRIO_PROCESS, 0x3fffffff, 0), ESRCH);
  const pid_t target = getpid();
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(setpriority(PRIO_PROCESS, target, 10), EPERM);
  });
}

TEST(Priority, WholeGroup) {
  EXPECT_CHILD_OK([] {
    setpgid(0, 0);
    Rendezvous go;
    const pid_t member = fork_child([&] { go.wait(); });
    ASSERT_OK(setpriority(PRIO_PGRP, 0, 4));
    EXPECT_EQ(getpriority(PRIO_PROCESS, (id_t)member), 4);
    go.notify();
    wait_for(member);
  });
}

TEST(Yield, Works) {
  EXPECT_OK(sched_yield());
  // A busy neighbour on the same CPU does not starve the caller.
  EXPECT_CHILD_OK([] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one);
    const pid_t busy = fork_child([] {
      for (volatile unsigned i = 0;; i = i + 1) {
      }
    });
    for (int i = 0; i < 10; i++) sleep_milliseconds(1);
    kill(busy, SIGKILL);
    EXPECT_KILLED(wait_for(busy), SIGKILL);
  });
}

}  // namespace
