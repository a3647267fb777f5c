// getrlimit(2), prlimit(2).
#include <sys/resource.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

TEST(Limits, SetAndGet) {
  EXPECT_CHILD_OK([] {
    const rlimit wanted = {100, 200};
    ASSERT_OK(setrlimit(RLIMIT_NOFILE, &wanted));
    rlimit seen;
    ASSERT_OK(getrlimit(RLIMIT_NOFILE, &seen));
    EXPECT_EQ(seen.rlim_cur, 100u);
    EXPECT_EQ(seen.rlim_max, 200u);
    EXPECT_CHILD_OK([] {
      rlimit inherited;
      getrlimit(RLIMIT_NOFILE, &inherited);
      EXPECT_EQ(inherited.rlim_cur, 100u);
    });
  });
}

TEST(Limits, UnprivilegedMayOnlyLowerTheHardLimit) {
  EXPECT_CHILD_OK([] {
    const rlimit start = {50, 100}, lower = {50, 80}, raise = {50, 100}, soft = {80, 80};
    ASSERT_OK(setrlimit(RLIMIT_NOFILE, &start));
    drop_privileges();
    EXPECT_OK(setrlimit(RLIMIT_NOFILE, &lower));
    EXPECT_ERRNO(setrlimit(RLIMIT_NOFILE, &raise), EPERM);
    EXPECT_OK(setrlimit(RLIMIT_NOFILE, &soft));
  });
}

TEST(Limits, Errors) {
  const rlimit reversed = {10, 5};
  rlimit seen;
  EXPECT_ERRNO(setrlimit(RLIMIT_NOFILE, &reversed), EINVAL);
  EXPECT_ERRNO(sys(SYS_getrlimit, 99, &seen), EINVAL);
  EXPECT_ERRNO(sys(SYS_prlimit64, 0, 99, 0, &seen), EINVAL);
  EXPECT_ERRNO(sys(SYS_prlimit64, 0, RLIMIT_NOFILE, low_address(), 0), EFAULT);
  EXPECT_ERRNO(sys(SYS_prlimit64, 0x3fffffff, RLIMIT_NOFILE, 0, &seen), ESRCH);
}

TEST(Limits, PrlimitReachesOtherProcesses) {
  Rendezvous go;
  const pid_t child = fork_child([&] {
    go.wait();
    rlimit seen;
    getrlimit(RLIMIT_CORE, &seen);
    EXPECT_EQ(seen.rlim_cur, 0u);
    EXPECT_EQ(seen.rlim_max, 0u);
  });
  const rlimit wanted = {0, 0};
  rlimit old;
  EXPECT_OK(prlimit(child, RLIMIT_CORE, &wanted, &old));
  go.notify();
  EXPECT_EXITED(wait_for(child), 0);
  const pid_t target = getpid();
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    rlimit seen;
    EXPECT_ERRNO(prlimit(target, RLIMIT_CORE, nullptr, &seen), EPERM);
  });
}

TEST(Limits, InfinityIsAllOnes) {
  rlimit seen;
  ASSERT_OK(getrlimit(RLIMIT_CPU, &seen));
  EXPECT_EQ(seen.rlim_max, RLIM_INFINITY);
  ASSERT_OK(getrlimit(RLIMIT_STACK, &seen));
  EXPECT_GE(seen.rlim_cur, 8ul << 20);
}

}  // namespace
