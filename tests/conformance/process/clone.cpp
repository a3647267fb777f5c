// clone(2), clone3(2), pidfd_open(2) and friends.
#include <poll.h>
#include <sched.h>
#include <signal.h>

#include <functional>

#include "support/conformance.h"

namespace {
using namespace conformance;

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif

struct Clone3Arguments {
  uint64_t flags = 0, pidfd = 0, child_tid = 0, parent_tid = 0, exit_signal = 0, stack = 0, stack_size = 0,
           tls = 0, set_tid = 0, set_tid_size = 0, cgroup = 0;
};

// clone(2) with a stack of its own for the body.
pid_t clone_child(int flags, const std::function<int()>& body, int* parent_tid = nullptr,
                  int* child_tid = nullptr) {
  static char stack[256 * 1024] __attribute__((aligned(16)));
  const auto start = [](void* argument) { return (*static_cast<const std::function<int()>*>(argument))(); };
  return clone(start, stack + sizeof stack, flags, const_cast<std::function<int()>*>(&body), parent_tid,
               nullptr, child_tid);
}

TEST(Clone, SharedMemory) {
  volatile int value = 1;
  const pid_t child = clone_child(CLONE_VM | SIGCHLD, [&] {
    value = 2;
    return 7;
  });
  EXPECT_EXITED(wait_for(child), 7);
  EXPECT_EQ(value, 2);
}

TEST(Clone, SharedDescriptorTable) {
  const int fd = open("/dev/null", O_RDONLY);
  pid_t child = clone_child(CLONE_FILES | SIGCHLD, [&] { return close(fd); });
  EXPECT_EXITED(wait_for(child), 0);
  EXPECT_ERRNO(fcntl(fd, F_GETFD), EBADF);
}

TEST(Clone, SharedFileSystemState) {
  const mode_t old = umask(022);
  pid_t child = clone_child(CLONE_FS | SIGCHLD, [] {
    umask(0);
    return chdir("/proc");
  });
  EXPECT_EXITED(wait_for(child), 0);
  EXPECT_EQ(umask(old), 0u);
  char buffer[64];
  ASSERT_NE(getcwd(buffer, sizeof buffer), nullptr);
  EXPECT_STREQ(buffer, "/proc");
}

TEST(Clone, ParentFlagMakesASibling) {
  EXPECT_CHILD_OK([] {
    const pid_t mine = getpid();
    int ends[2];
    ASSERT_OK(pipe(ends));
    const pid_t middle = fork_child([&] {
      const pid_t sibling = clone_child(CLONE_PARENT | SIGCHLD, [&] { return getppid() == mine ? 5 : 6; });
      EXPECT_EQ(write(ends[1], &sibling, sizeof sibling), (ssize_t)sizeof sibling);
    });
    EXPECT_EXITED(wait_for(middle), 0);
    pid_t sibling;
    ASSERT_EQ(read(ends[0], &sibling, sizeof sibling), (ssize_t)sizeof sibling);
    EXPECT_EXITED(wait_for(sibling), 5);
  });
}

TEST(Clone, ParentAndChildTidAreStored) {
  int parent_tid = 0, child_tid = 0;
  const pid_t child = clone_child(
      CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, [&] { return child_tid == getpid() ? 0 : 1; },
      &parent_tid, &child_tid);
  EXPECT_EQ(parent_tid, child);
  EXPECT_EQ(child_tid, 0) << "stored in the child's memory";
  EXPECT_EXITED(wait_for(child), 0);
}

TEST(Clone, WithoutExitSignalNeedsCloneWait) {
  const pid_t child = clone_child(0, [] { return 4; });
  ASSERT_GT(child, 0);
  EXPECT_ERRNO(waitpid(child, nullptr, 0), ECHILD) << "a clone child";
  int status;
  ASSERT_EQ(waitpid(child, &status, __WALL), child);
  EXPECT_EXITED(status, 4);
}

TEST(Clone, OtherExitSignal) {
  EXPECT_CHILD_OK([] {
    static volatile int seen = 0;
    signal(SIGUSR1, [](int) { seen = 1; });
    const pid_t child = clone_child(SIGUSR1, [] { return 0; });
    int status;
    pid_t done;
    while ((done = waitpid(child, &status, __WCLONE)) < 0 && errno == EINTR) {
    }
    EXPECT_EQ(done, child);
    EXPECT_EQ(seen, 1);
  });
}

TEST(Clone, ImpossibleCombinationsAreEINVAL) {
  EXPECT_ERRNO(sys(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), EINVAL) << "needs CLONE_VM";
  EXPECT_ERRNO(sys(SYS_clone, CLONE_THREAD | CLONE_VM | SIGCHLD, 0, 0, 0, 0), EINVAL)
      << "needs CLONE_SIGHAND";
  EXPECT_ERRNO(sys(SYS_clone, CLONE_NEWNS | CLONE_FS | SIGCHLD, 0, 0, 0, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, 0, 0, 0), EINVAL);
}

long clone3(Clone3Arguments& arguments, size_t size = sizeof(Clone3Arguments)) {
  return sys(SYS_clone3, &arguments, size);
}

TEST(Clone3, LikeForkWithAPidfd) {
  int pidfd = -1;
  Clone3Arguments arguments;
  arguments.flags = CLONE_PIDFD;
  arguments.pidfd = (uint64_t)&pidfd;
  arguments.exit_signal = SIGCHLD;
  const long child = clone3(arguments);
  ASSERT_OK(child);
  if (child == 0) _exit(9);
  ASSERT_GE(pidfd, 0);
  EXPECT_EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
  siginfo_t information;
  ASSERT_OK(waitid(P_PIDFD, pidfd, &information, WEXITED));
  EXPECT_EQ(information.si_status, 9);
  EXPECT_EQ(information.si_pid, child);
  close(pidfd);
}

TEST(Clone3, OlderStructureSizesWork) {
  Clone3Arguments arguments;
  arguments.exit_signal = SIGCHLD;
  const long child = clone3(arguments, 64);
  ASSERT_OK(child);
  if (child == 0) _exit(0);
  EXPECT_EXITED(wait_for((pid_t)child), 0);
}

TEST(Clone3, BadArguments) {
  Clone3Arguments arguments;
  EXPECT_ERRNO(clone3(arguments, 63), EINVAL);
  EXPECT_ERRNO(clone3(arguments, 8192), E2BIG);
  EXPECT_ERRNO(sys(SYS_clone3, low_address(), sizeof arguments), EFAULT);
  arguments.flags = CLONE_DETACHED;
  EXPECT_ERRNO(clone3(arguments), EINVAL);
  arguments = {};
  arguments.flags = SIGCHLD;
  EXPECT_ERRNO(clone3(arguments), EINVAL) << "the signal has a field of its own";
  arguments = {};
  arguments.exit_signal = 65;
  EXPECT_ERRNO(clone3(arguments), EINVAL);
  arguments = {};
  arguments.stack_size = 4096;
  EXPECT_ERRNO(clone3(arguments), EINVAL) << "a size without a stack";
  arguments = {};
  arguments.flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
  arguments.exit_signal = SIGCHLD;
  EXPECT_ERRNO(clone3(arguments), EINVAL) << "threads have no exit signal";
}

TEST(Clone3, ClearSighandResetsHandlers) {
  signal(SIGUSR1, [](int) {});
  signal(SIGUSR2, SIG_IGN);
  Clone3Arguments arguments;
  arguments.flags = CLONE_CLEAR_SIGHAND;
  arguments.exit_signal = SIGCHLD;
  const long child = clone3(arguments);
  ASSERT_OK(child);
  if (child == 0) {
    struct sigaction one, two;
    sigaction(SIGUSR1, nullptr, &one);
    sigaction(SIGUSR2, nullptr, &two);
    _exit(one.sa_handler == SIG_DFL && two.sa_handler == SIG_IGN ? 0 : 1);
  }
  EXPECT_EXITED(wait_for((pid_t)child), 0);
}

ScopedFd pidfd_open(pid_t process, unsigned flags = 0) {
  return static_cast<int>(sys(SYS_pidfd_open, process, flags));
}

TEST(Pidfd, PollsReadableWhenTheProcessEnds) {
  Rendezvous go;
  const pid_t child = fork_child([&] { go.wait(); });
  const ScopedFd fd = pidfd_open(child);
  ASSERT_OK(fd.get());
  pollfd wait = {fd, POLLIN, 0};
  EXPECT_EQ(poll(&wait, 1, 0), 0);
  go.notify();
  EXPECT_EQ(poll(&wait, 1, 10000), 1);
  EXPECT_TRUE(wait.revents & POLLIN);
  EXPECT_EXITED(wait_for(child), 0);
}

TEST(Pidfd, SendsSignals) {
  const pid_t child = fork_child([] { pause(); });
  const ScopedFd fd = pidfd_open(child);
  EXPECT_OK(sys(SYS_pidfd_send_signal, fd.get(), 0, 0, 0));
  EXPECT_ERRNO(sys(SYS_pidfd_send_signal, fd.get(), 65, 0, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_pidfd_send_signal, fd.get(), SIGTERM, 0, 0x80), EINVAL);
  EXPECT_ERRNO(sys(SYS_pidfd_send_signal, 0, SIGTERM, 0, 0), EBADF);
  ASSERT_OK(sys(SYS_pidfd_send_signal, fd.get(), SIGTERM, 0, 0));
  EXPECT_KILLED(wait_for(child), SIGTERM);
  EXPECT_ERRNO(sys(SYS_pidfd_send_signal, fd.get(), SIGTERM, 0, 0), ESRCH) << "never a reused id";
}

TEST(Pidfd, TheDirectoryOfAProcessIsOne) {
  const pid_t child = fork_child([] {
    while (true) pause();
  });
  const std::string name = "/proc/" + std::to_string(child);
  const ScopedFd directory = open(name.c_str(), O_RDONLY | O_DIRECTORY);
  const ScopedFd thread = open((name + "/task/" + std::to_string(child)).c_str(), O_RDONLY | O_DIRECTORY);
  const ScopedFd top = open("/proc", O_RDONLY | O_DIRECTORY), place = open(name.c_str(), O_PATH);
  EXPECT_OK(sys(SYS_pidfd_send_signal, directory.get(), 0, nullptr, 0));
  for (const int fd : {thread.get(), top.get(), place.get()})
    EXPECT_ERRNO(sys(SYS_pidfd_send_signal, fd, 0, nullptr, 0), EBADF);
  EXPECT_OK(sys(SYS_pidfd_send_signal, directory.get(), SIGTERM, nullptr, 0));
  EXPECT_KILLED(wait_for(child), SIGTERM);
  EXPECT_ERRNO(sys(SYS_pidfd_send_signal, directory.get(), 0, nullptr, 0), ESRCH);
}

TEST(Pidfd, Errors) {
  EXPECT_ERRNO(sys(SYS_pidfd_open, -1, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_pidfd_open, 0, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_pidfd_open, 0x3fffffff, 0), ESRCH);
  EXPECT_ERRNO(sys(SYS_pidfd_open, getpid(), 0x1), EINVAL);
  siginfo_t information;
  EXPECT_ERRNO(waitid(P_PIDFD, 0, &information, WEXITED), EBADF);
}

TEST(Pidfd, NonBlockingWaitIsEAGAIN) {
  Rendezvous go;
  const pid_t child = fork_child([&] { go.wait(); });
  const ScopedFd fd = pidfd_open(child, O_NONBLOCK);
  ASSERT_OK(fd.get());
  siginfo_t information;
  EXPECT_ERRNO(waitid(P_PIDFD, fd, &information, WEXITED), EAGAIN);
  go.notify();
  EXPECT_EXITED(wait_for(child), 0);
}

TEST(Pidfd, GetfdDuplicatesFromAnotherProcess) {
  Rendezvous ready, done;
  int ends[2];
  ASSERT_OK(pipe(ends));
  const pid_t child = fork_child([&] {
    dup2(ends[1], 150);
    ready.notify();
    done.wait();
  });
  ASSERT_TRUE(ready.wait());
  const ScopedFd process = pidfd_open(child);
  const ScopedFd stolen = static_cast<int>(sys(SYS_pidfd_getfd, process.get(), 150, 0));
  ASSERT_OK(stolen.get());
  EXPECT_EQ(fcntl(stolen, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(write(stolen, "x", 1), 1);
  char byte;
  EXPECT_EQ(read(ends[0], &byte, 1), 1);
  EXPECT_ERRNO(sys(SYS_pidfd_getfd, process.get(), 151, 0), EBADF);
  EXPECT_ERRNO(sys(SYS_pidfd_getfd, process.get(), 150, 1), EINVAL);
  done.notify();
  wait_for(child);
}

}  // namespace
