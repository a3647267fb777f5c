// ioprio_get(2), ioprio_set(2)
#include <signal.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

constexpr int of_process = 1, of_group = 2, of_user = 3;
constexpr int value_of(int kind, int level) { return kind << 13 | level; }
long get(int which, int who) { return sys(SYS_ioprio_get, which, who); }
long set(int which, int who, int value) { return sys(SYS_ioprio_set, which, who, value); }

TEST(DiskPriority, IsUnsetAtFirst) { EXPECT_EQ(get(of_process, 0), 0); }

TEST(DiskPriority, IsKeptAndInherited) {
  ASSERT_OK(set(of_process, 0, value_of(2, 6)));
  EXPECT_EQ(get(of_process, getpid()), value_of(2, 6));
  EXPECT_CHILD_OK([] { EXPECT_EQ(get(of_process, 0), value_of(2, 6)); });
  ASSERT_OK(set(of_process, 0, value_of(3, 0)));
  EXPECT_EQ(get(of_process, 0), value_of(3, 0));
  ASSERT_OK(set(of_process, 0, 0));
  EXPECT_EQ(get(of_process, 0), 0);
}

TEST(DiskPriority, OfAGroupIsTheBest) {
  EXPECT_CHILD_OK([] {
    setpgid(0, 0);
    ASSERT_OK(set(of_process, 0, value_of(2, 7)));
    const pid_t child = fork_child([] { pause(); });
    ASSERT_OK(set(of_process, child, value_of(2, 1)));
    EXPECT_EQ(get(of_group, 0), value_of(2, 1));
    ASSERT_OK(set(of_group, 0, value_of(3, 0)));
    EXPECT_EQ(get(of_process, child), value_of(3, 0));
    kill(child, SIGKILL);
    wait_for(child);
  });
}

TEST(DiskPriority, Errors) {
  EXPECT_ERRNO(get(0, 0), EINVAL);
  EXPECT_ERRNO(get(4, 0), EINVAL);
  EXPECT_ERRNO(get(of_process, 0x3fffffff), ESRCH);
  EXPECT_ERRNO(set(of_process, 0, value_of(0, 3)), EINVAL);
  EXPECT_ERRNO(set(of_process, 0, value_of(5, 0)), EINVAL);
  EXPECT_ERRNO(set(of_user + 1, 0, value_of(2, 0)), EINVAL);
  EXPECT_CHILD_OK([] {
    drop_privileges();
    EXPECT_ERRNO(set(of_process, 0, value_of(1, 0)), EPERM) << "real time";
    EXPECT_ERRNO(set(of_process, getppid(), value_of(2, 0)), EPERM) << "somebody else's";
    EXPECT_OK(set(of_process, 0, value_of(3, 0)));
  });
}

}  // namespace
