// setpgid(2), setsid(2), kill(2) on groups.
#include <signal.h>

#include "support/conformance.h"
#include "support/helper.h"

namespace {
using namespace conformance;

HELPER(wait_for_input) {
  char byte;
  if (write(1, "+", 1) != 1) return 1;
  return read(0, &byte, 1) == 1 ? 0 : 1;
}

TEST(Groups, NewGroupOfOnesOwn) {
  EXPECT_CHILD_OK([] {
    ASSERT_OK(setpgid(0, 0));
    EXPECT_EQ(getpgrp(), getpid());
    EXPECT_EQ(getpgid(0), getpid());
  });
}

TEST(Groups, ParentMovesItsChild) {
  Rendezvous go;
  const pid_t child = fork_child([&] {
    go.wait();
    EXPECT_EQ(getpgrp(), getpid());
  });
  ASSERT_OK(setpgid(child, child));
  EXPECT_EQ(getpgid(child), child);
  go.notify();
  EXPECT_EXITED(wait_for(child), 0);
}

TEST(Groups, SiblingJoins) {
  Rendezvous go;
  const pid_t leader = fork_child([&] { go.wait(); });
  const pid_t member = fork_child([&] { go.wait(); });
  ASSERT_OK(setpgid(leader, leader));
  ASSERT_OK(setpgid(member, leader));
  EXPECT_EQ(getpgid(member), leader);
  EXPECT_ERRNO(setpgid(member, 99999), EPERM) << "no such group in the session";
  go.notify();
  go.notify();
  wait_for(leader);
  wait_for(member);
}

TEST(Groups, Errors) {
  EXPECT_ERRNO(setpgid(0, -1), EINVAL);
  EXPECT_ERRNO(setpgid(0x3fffffff, 0), ESRCH);
  EXPECT_ERRNO(setpgid(getppid(), 0), ESRCH) << "neither the caller nor its child";
  EXPECT_ERRNO(getpgid(-5), ESRCH);
}

TEST(Groups, ChildThatExecutedCannotBeMoved) {
  int to[2], from[2];
  ASSERT_OK(pipe(to));
  ASSERT_OK(pipe(from));
  const pid_t child = fork_child([&] {
    dup2(to[0], 0);
    dup2(from[1], 1);
    execute_helper("wait_for_input");
  });
  char byte;
  ASSERT_EQ(read(from[0], &byte, 1), 1);
  EXPECT_ERRNO(setpgid(child, child), EACCES);
  EXPECT_EQ(write(to[1], "x", 1), 1);
  EXPECT_EXITED(wait_for(child), 0);
}

TEST(Groups, KillReachesEveryMember) {
  Rendezvous ready;
  pid_t children[3];
  pid_t group = 0;
  for (pid_t& child : children) {
    child = fork_child([&] {
      ready.notify();
      pause();
    });
    ASSERT_OK(setpgid(child, group));
    if (!group) group = child;
  }
  for (int i = 0; i < 3; i++) ASSERT_TRUE(ready.wait());
  ASSERT_OK(kill(-group, SIGTERM));
  for (const pid_t child : children) EXPECT_KILLED(wait_for(child), SIGTERM);
  EXPECT_ERRNO(kill(-group, SIGTERM), ESRCH);
}

TEST(Groups, KillZeroIsTheOwnGroup) {
  const pid_t leader = fork_child([] {
    setpgid(0, 0);
    const pid_t member = fork_child([] { pause(); });
    signal(SIGUSR1, SIG_IGN);
    kill(0, SIGUSR1);
    EXPECT_KILLED(wait_for(member), SIGUSR1);
  });
  EXPECT_EXITED(wait_for(leader), 0);
}

TEST(Sessions, SetsidMakesALeader) {
  EXPECT_CHILD_OK([] {
    const pid_t old = getsid(0);
    EXPECT_EQ(setsid(), getpid());
    EXPECT_NE(old, getpid());
    EXPECT_EQ(getsid(0), getpid());
    EXPECT_EQ(getpgrp(), getpid());
    EXPECT_ERRNO(setsid(), EPERM) << "a group leader already";
    EXPECT_ERRNO(setpgid(0, 0), EPERM) << "a session leader stays where it is";
  });
}

TEST(Sessions, ChildrenInheritAndCannotBeMovedAcross) {
  EXPECT_CHILD_OK([] {
    Rendezvous ready, go;
    const pid_t other_session = fork_child([&] {
      setsid();
      ready.notify();
      go.wait();
    });
    ASSERT_TRUE(ready.wait());
    EXPECT_EQ(getsid(other_session), other_session);
    EXPECT_ERRNO(setpgid(other_session, getpgrp()), EPERM);
    EXPECT_ERRNO(setpgid(0, other_session), EPERM);
    go.notify();
    wait_for(other_session);
  });
  EXPECT_ERRNO(getsid(-5), ESRCH);
}

TEST(Kill, Errors) {
  EXPECT_ERRNO(kill(getpid(), 65), EINVAL);
  EXPECT_ERRNO(kill(getpid(), -1), EINVAL);
  EXPECT_ERRNO(kill(0x3fffffff, 0), ESRCH);
  EXPECT_ERRNO(sys(SYS_tgkill, 0, 1, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_tgkill, getpid(), 0x3fffffff, 0), ESRCH);
  EXPECT_ERRNO(sys(SYS_tkill, -1, 0), EINVAL);
}

TEST(Kill, UnprivilegedReachesOnlyItsOwn) {
  Rendezvous ready;
  const pid_t mine = fork_child([&] {
    drop_privileges();
    ready.notify();
    pause();
  });
  ASSERT_TRUE(ready.wait());
  const pid_t roots = getpid();
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(kill(roots, 0), EPERM);
    EXPECT_OK(kill(mine, SIGTERM));
  });
  EXPECT_KILLED(wait_for(mine), SIGTERM);
}

TEST(Kill, ContinueIsAllowedWithinTheSession) {
  const pid_t roots = getpid();
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_OK(kill(roots, SIGCONT));
  });
}

}  // namespace
