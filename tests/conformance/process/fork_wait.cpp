// fork(2), wait(2), waitid(2), _exit(2).
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/times.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

TEST(ForkWait, IdentitiesAreRight) {
  const pid_t parent = getpid();
  int ends[2];
  ASSERT_OK(pipe(ends));
  const pid_t child = fork_child([&] {
    EXPECT_NE(getpid(), parent);
    EXPECT_EQ(getppid(), parent);
    EXPECT_EQ(sys(SYS_gettid), getpid());
    EXPECT_EQ(getpgrp(), getpgid(parent));
    const pid_t self = getpid();
    EXPECT_EQ(write(ends[1], &self, sizeof self), (ssize_t)sizeof self);
  });
  EXPECT_EXITED(wait_for(child), 0);
  pid_t told = 0;
  EXPECT_EQ(read(ends[0], &told, sizeof told), (ssize_t)sizeof told);
  EXPECT_EQ(told, child);
}

TEST(ForkWait, ExitStatusIsTheLowByte) {
  EXPECT_EXITED(run_child([] { _exit(0); }), 0);
  EXPECT_EXITED(run_child([] { _exit(255); }), 255);
  EXPECT_EXITED(run_child([] { _exit(0x1234); }), 0x34);
  EXPECT_EXITED(run_child([] { _exit(-1); }), 255);
}

TEST(ForkWait, DeathBySignalIsReported) {
  const int status = run_child([] { kill(getpid(), SIGTERM); });
  EXPECT_KILLED(status, SIGTERM);
  EXPECT_FALSE(WCOREDUMP(status));
}

TEST(ForkWait, NoChildIsECHILD) {
  EXPECT_CHILD_OK([] {
    EXPECT_ERRNO(wait(nullptr), ECHILD);
    EXPECT_ERRNO(waitpid(1, nullptr, 0), ECHILD);
    EXPECT_ERRNO(waitpid(-77777, nullptr, 0), ECHILD);
  });
}

TEST(ForkWait, OnlyOnce) {
  const pid_t child = fork_child([] {});
  EXPECT_EXITED(wait_for(child), 0);
  EXPECT_ERRNO(waitpid(child, nullptr, 0), ECHILD);
}

TEST(ForkWait, NoHangReturnsZeroWhileRunning) {
  Rendezvous go;
  const pid_t child = fork_child([&] { go.wait(); });
  int status;
  EXPECT_EQ(waitpid(child, &status, WNOHANG), 0);
  go.notify();
  EXPECT_EXITED(wait_for(child), 0);
}

TEST(ForkWait, ZombieKeepsItsIdUntilWaited) {
  const pid_t child = fork_child([] {});
  ASSERT_TRUE(wait_for_state(child, 'Z'));
  EXPECT_OK(kill(child, 0));
  EXPECT_OK(kill(child, SIGKILL)) << "harmless";
  EXPECT_EXITED(wait_for(child), 0);
  EXPECT_ERRNO(kill(child, 0), ESRCH);
}

TEST(ForkWait, BadOptionsAndPointers) {
  const pid_t child = fork_child([] {});
  EXPECT_ERRNO(waitpid(child, nullptr, 0x100), EINVAL);
  ASSERT_TRUE(wait_for_state(child, 'Z'));
  EXPECT_ERRNO(sys(SYS_wait4, child, low_address(), 0, 0), EFAULT);
  EXPECT_ERRNO(waitid(P_PID, child, nullptr, 0), EINVAL) << "no event asked for";
  EXPECT_ERRNO(waitid((idtype_t)99, child, nullptr, WEXITED), EINVAL);
  EXPECT_ERRNO(waitid(P_PID, 0, nullptr, WEXITED), EINVAL);
  waitpid(child, nullptr, 0);
}

TEST(ForkWait, AnyChildInAnyOrder) {
  const pid_t first = fork_child([] { _exit(1); });
  const pid_t second = fork_child([] { _exit(2); });
  int seen = 0;
  for (int i = 0; i < 2; i++) {
    int status = 0;
    const pid_t done = waitpid(-1, &status, 0);
    if (done == first) EXPECT_EXITED(status, 1);
    if (done == second) EXPECT_EXITED(status, 2);
    seen |= done == first ? 1 : done == second ? 2 : 0;
  }
  EXPECT_EQ(seen, 3);
}

TEST(ForkWait, ByProcessGroup) {
  const pid_t other = fork_child([] { _exit(1); });
  Rendezvous moved;
  const pid_t member = fork_child([&] {
    setpgid(0, 0);
    moved.notify();
    _exit(2);
  });
  ASSERT_TRUE(moved.wait());
  int status;
  EXPECT_EQ(waitpid(-member, &status, 0), member);
  EXPECT_EXITED(status, 2);
  EXPECT_EQ(waitpid(0, &status, 0), other) << "0: the caller's own group";
}

TEST(ForkWait, WaitidTellsHow) {
  siginfo_t information;
  pid_t child = fork_child([] { _exit(7); });
  memset(&information, 0xff, sizeof information);
  ASSERT_OK(waitid(P_PID, child, &information, WEXITED));
  EXPECT_EQ(information.si_signo, SIGCHLD);
  EXPECT_EQ(information.si_code, CLD_EXITED);
  EXPECT_EQ(information.si_status, 7);
  EXPECT_EQ(information.si_pid, child);
  EXPECT_EQ(information.si_uid, getuid());
  child = fork_child([] { kill(getpid(), SIGKILL); });
  ASSERT_OK(waitid(P_PID, child, &information, WEXITED));
  EXPECT_EQ(information.si_code, CLD_KILLED);
  EXPECT_EQ(information.si_status, SIGKILL);
}

TEST(ForkWait, WaitidNoWaitLeavesTheZombie) {
  const pid_t child = fork_child([] { _exit(3); });
  siginfo_t information;
  ASSERT_OK(waitid(P_PID, child, &information, WEXITED | WNOWAIT));
  EXPECT_EQ(information.si_status, 3);
  EXPECT_EXITED(wait_for(child), 3);
}

TEST(ForkWait, WaitidNoHangClearsThePid) {
  Rendezvous go;
  const pid_t child = fork_child([&] { go.wait(); });
  siginfo_t information;
  information.si_pid = 77;
  ASSERT_OK(waitid(P_PID, child, &information, WEXITED | WNOHANG));
  EXPECT_EQ(information.si_pid, 0);
  go.notify();
  wait_for(child);
}

TEST(ForkWait, StoppedAndContinued) {
  const pid_t child = fork_child([] {
    raise(SIGSTOP);
    pause();
  });
  int status;
  ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
  EXPECT_TRUE(WIFSTOPPED(status));
  EXPECT_EQ(WSTOPSIG(status), SIGSTOP);
  EXPECT_EQ(waitpid(child, &status, WUNTRACED | WNOHANG), 0) << "each stop is reported once";
  ASSERT_OK(kill(child, SIGCONT));
  ASSERT_EQ(waitpid(child, &status, WCONTINUED), child);
  EXPECT_TRUE(WIFCONTINUED(status));
  siginfo_t information;
  ASSERT_OK(kill(child, SIGTSTP));
  ASSERT_OK(waitid(P_PID, child, &information, WSTOPPED));
  EXPECT_EQ(information.si_code, CLD_STOPPED);
  EXPECT_EQ(information.si_status, SIGTSTP);
  ASSERT_OK(kill(child, SIGKILL));
  EXPECT_KILLED(wait_for(child), SIGKILL) << "SIGKILL ends a stopped process";
}

TEST(ForkWait, OrphanGoesToTheSubreaper) {
  EXPECT_CHILD_OK([] {
    ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    const pid_t reaper = getpid();
    int ends[2];
    ASSERT_OK(pipe(ends));
    const pid_t middle = fork_child([&] {
      const pid_t orphan = fork_child([&] {
        for (int i = 0; i < 1000 && getppid() != reaper; i++) sleep_milliseconds(2);
        _exit(getppid() == reaper ? 5 : 6);
      });
      EXPECT_EQ(write(ends[1], &orphan, sizeof orphan), (ssize_t)sizeof orphan);
    });
    EXPECT_EXITED(wait_for(middle), 0);
    pid_t orphan;
    ASSERT_EQ(read(ends[0], &orphan, sizeof orphan), (ssize_t)sizeof orphan);
    EXPECT_EXITED(wait_for(orphan), 5);
  });
}

TEST(ForkWait, IgnoringSigchldReapsAutomatically) {
  EXPECT_CHILD_OK([] {
    signal(SIGCHLD, SIG_IGN);
    const pid_t child = fork_child([] {});
    EXPECT_ERRNO(waitpid(child, nullptr, 0), ECHILD) << "waits, then finds nothing";
    // The last traces go a little later.
    for (int i = 0; i < 1000 && kill(child, 0) == 0; i++) sleep_milliseconds(1);
    EXPECT_ERRNO(kill(child, 0), ESRCH);
  });
}

TEST(ForkWait, NoCldWaitReapsAutomatically) {
  EXPECT_CHILD_OK([] {
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    action.sa_flags = SA_NOCLDWAIT;
    ASSERT_OK(sigaction(SIGCHLD, &action, nullptr));
    const pid_t child = fork_child([] {});
    int result;
    while ((result = waitpid(child, nullptr, 0)) < 0 && errno == EINTR) {
    }
    EXPECT_EQ(result, -1);
    EXPECT_EQ(errno, ECHILD);
  });
}

TEST(ForkWait, ResourceUsageOfChildren) {
  const pid_t child = fork_child([] {
    volatile unsigned long sum = 0;
    const long end = now_milliseconds() + 60;
    while (now_milliseconds() < end) {
      for (unsigned i = 0; i < 1000; i++) sum = sum + i;
    }
  });
  struct rusage usage = {};
  int status;
  ASSERT_EQ(wait4(child, &status, 0, &usage), child);
  EXPECT_GT(usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_sec * 1000000 +
                usage.ru_stime.tv_usec,
            1000);
  EXPECT_GT(usage.ru_maxrss, 0);
  struct rusage all = {};
  ASSERT_OK(getrusage(RUSAGE_CHILDREN, &all));
  EXPECT_GE(all.ru_utime.tv_usec + all.ru_utime.tv_sec * 1000000,
            usage.ru_utime.tv_usec + usage.ru_utime.tv_sec * 1000000);
  EXPECT_ERRNO(sys(SYS_getrusage, 99, &all), EINVAL);
  struct tms times_now;
  EXPECT_NE(times(&times_now), (clock_t)-1);
}

TEST(ForkWait, ManyChildren) {
  std::vector<pid_t> children;
  for (int i = 0; i < 40; i++) children.push_back(fork_child([i] { _exit(i); }));
  for (int i = 0; i < 40; i++) EXPECT_EXITED(wait_for(children[i]), i);
}

TEST(ForkWait, ProcessLimitIsEAGAIN) {
  EXPECT_CHILD_OK([] {
    const rlimit limit = {3, 3};
    ASSERT_OK(setrlimit(RLIMIT_NPROC, &limit));
    drop_privileges(other_user + 50);
    std::vector<pid_t> children;
    int failure = 0;
    for (int i = 0; i < 5; i++) {
      const pid_t child = fork();
      if (child == 0) {
        pause();
        _exit(0);
      }
      if (child < 0) failure = errno;
      if (child > 0) children.push_back(child);
    }
    EXPECT_EQ(failure, EAGAIN);
    EXPECT_EQ(children.size(), 2u);
    for (const pid_t child : children) {
      kill(child, SIGKILL);
      wait_for(child);
    }
  });
}

TEST(ForkWait, VforkSharesMemoryAndSuspendsTheParent) {
  volatile int shared = 1;
  const pid_t child = vfork();
  if (child == 0) {
    shared = 2;
    _exit(0);
  }
  ASSERT_GT(child, 0);
  EXPECT_EQ(shared, 2);
  EXPECT_EXITED(wait_for(child), 0);
}

TEST(ForkWait, ParentDeathSignal) {
  EXPECT_CHILD_OK([] {
    ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    int ends[2];
    ASSERT_OK(pipe(ends));
    Rendezvous ready;
    const pid_t middle = fork_child([&] {
      const pid_t grandchild = fork_child([&] {
        prctl(PR_SET_PDEATHSIG, SIGUSR1);
        ready.notify();
        pause();
      });
      EXPECT_EQ(write(ends[1], &grandchild, sizeof grandchild), (ssize_t)sizeof grandchild);
      ready.wait();
    });
    EXPECT_EXITED(wait_for(middle), 0);
    pid_t grandchild;
    ASSERT_EQ(read(ends[0], &grandchild, sizeof grandchild), (ssize_t)sizeof grandchild);
    EXPECT_KILLED(wait_for(grandchild), SIGUSR1);
  });
}

}  // namespace
