// ptrace(2): PTRACE_SEIZE, group stops, and the events of fork, exec and exit.
#include <pthread.h>
#include <sys/syscall.h>

#include "support/helper.h"
#include "tracing/tracee.h"

namespace {
using namespace conformance;

// A child of ours that is not traced yet; killed at the end.
class Runner {
 public:
  explicit Runner(const std::function<void()>& body) : pid_(fork_child(body)) {}
  ~Runner() {
    kill(pid_, SIGKILL);
    int status;
    while (waitpid(pid_, &status, __WALL) == pid_ && !WIFEXITED(status) && !WIFSIGNALED(status)) {
    }
  }
  pid_t pid() const { return pid_; }
  long call(long request, unsigned long address = 0, unsigned long data = 0) const {
    return trace_call(request, pid_, address, data);
  }

 private:
  pid_t pid_;
};

void pause_for_ever() {
  while (true) pause();
}

TEST(PtraceEvents, AttachStopsWithSigstop) {
  Runner child(pause_for_ever);
  EXPECT_OK(child.call(PTRACE_ATTACH));
  EXPECT_STOP(wait_status(child.pid()), SIGSTOP);
  EXPECT_OK(child.call(PTRACE_DETACH));
}

TEST(PtraceEvents, AttachNeedsPermission) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  Rendezvous ready;
  Runner child([&] {
    ready.notify();
    pause_for_ever();
  });
  ready.wait();
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(child.call(PTRACE_ATTACH), EPERM);
    EXPECT_ERRNO(child.call(PTRACE_SEIZE), EPERM);
  });
}

TEST(PtraceEvents, SeizeDoesNotStop) {
  Runner child(pause_for_ever);
  EXPECT_ERRNO(child.call(PTRACE_SEIZE, 1, 0), EIO);
  EXPECT_ERRNO(child.call(PTRACE_SEIZE, 0, 0x40000000), EIO);
  EXPECT_OK(child.call(PTRACE_SEIZE));
  EXPECT_ERRNO(child.call(PTRACE_SEIZE), EPERM);
  int status;
  EXPECT_EQ(waitpid(child.pid(), &status, __WALL | WNOHANG), 0);
  EXPECT_OK(child.call(PTRACE_INTERRUPT));
  EXPECT_STOP(wait_status(child.pid()), SIGTRAP, PTRACE_EVENT_STOP);
  siginfo_t info{};
  EXPECT_OK(child.call(PTRACE_GETSIGINFO, 0, (unsigned long)&info));
  EXPECT_EQ(info.si_signo, SIGTRAP);
  EXPECT_EQ(info.si_code, SIGTRAP | PTRACE_EVENT_STOP << 8);
  EXPECT_OK(child.call(PTRACE_DETACH));
}

TEST(PtraceEvents, InterruptNeedsSeize) {
  Tracee tracee(pause_for_ever);
  EXPECT_ERRNO(tracee.call(PTRACE_INTERRUPT), EIO);
  EXPECT_ERRNO(tracee.call(PTRACE_LISTEN), EIO);
}

TEST(PtraceEvents, InterruptedSleepGoesOn) {
  Runner child([] {
    const long start = now_milliseconds();
    sleep_milliseconds(300);
    _exit(now_milliseconds() - start >= 295 ? 0 : 1);
  });
  EXPECT_OK(child.call(PTRACE_SEIZE));
  sleep_milliseconds(50);
  EXPECT_OK(child.call(PTRACE_INTERRUPT));
  EXPECT_STOP(wait_status(child.pid()), SIGTRAP, PTRACE_EVENT_STOP);
  EXPECT_OK(child.call(PTRACE_CONT));
  EXPECT_EXITED(wait_status(child.pid()), 0);
}

TEST(PtraceEvents, InterruptedSleepGoesOnAfterDetachingAtItsEnd) {
  Runner child([] {
    const long start = now_milliseconds();
    timespec time{0, 300000000};
    const long result = sys(SYS_nanosleep, &time, nullptr);
    _exit(result == 0 && now_milliseconds() - start >= 295 ? 0 : 1);
  });
  EXPECT_OK(child.call(PTRACE_SEIZE, 0, PTRACE_O_TRACESYSGOOD));
  sleep_milliseconds(50);
  EXPECT_OK(child.call(PTRACE_INTERRUPT));
  EXPECT_STOP(wait_status(child.pid()), SIGTRAP, PTRACE_EVENT_STOP);
  EXPECT_OK(child.call(PTRACE_SYSCALL));
  EXPECT_STOP(wait_status(child.pid()), SIGTRAP | 0x80);  // restart_syscall begins
  EXPECT_OK(child.call(PTRACE_SYSCALL));
  EXPECT_OK(child.call(PTRACE_INTERRUPT));
  EXPECT_STOP(wait_status(child.pid()), SIGTRAP | 0x80);  // and was interrupted
  EXPECT_OK(child.call(PTRACE_DETACH));
  EXPECT_EXITED(wait_status(child.pid()), 0);
}

TEST(PtraceEvents, GroupStopOfATracee) {
  Tracee tracee([] {
    raise(SIGTSTP);
    _exit(2);
  });
  // First the signal, then, once it was delivered, the stop itself.
  EXPECT_STOP(tracee.next(PTRACE_CONT), SIGTSTP);
  siginfo_t info{};
  EXPECT_OK(tracee.call(PTRACE_GETSIGINFO, 0, (unsigned long)&info));
  EXPECT_STOP(tracee.next(PTRACE_CONT, SIGSTOP), SIGSTOP);
  EXPECT_ERRNO(tracee.call(PTRACE_GETSIGINFO, 0, (unsigned long)&info), EINVAL);
  EXPECT_EXITED(tracee.next(PTRACE_CONT), 2);
  tracee.gone();
}

TEST(PtraceEvents, ListenWaitsForTheEndOfAStop) {
  Runner child([] {
    while (true) pause();
  });
  EXPECT_OK(child.call(PTRACE_SEIZE));
  EXPECT_OK(kill(child.pid(), SIGSTOP));
  EXPECT_STOP(wait_status(child.pid()), SIGSTOP);
  EXPECT_OK(child.call(PTRACE_CONT, 0, SIGSTOP));
  EXPECT_STOP(wait_status(child.pid()), SIGSTOP, PTRACE_EVENT_STOP);
  EXPECT_OK(child.call(PTRACE_LISTEN));
  int status;
  EXPECT_EQ(waitpid(child.pid(), &status, __WALL | WNOHANG), 0);
  EXPECT_ERRNO(child.call(PTRACE_CONT), ESRCH);
  EXPECT_OK(kill(child.pid(), SIGCONT));
  EXPECT_STOP(wait_status(child.pid()), SIGTRAP, PTRACE_EVENT_STOP);
  EXPECT_OK(child.call(PTRACE_CONT));
  EXPECT_STOP(wait_status(child.pid()), SIGCONT);
  EXPECT_OK(child.call(PTRACE_DETACH));
}

TEST(PtraceEvents, AttachToAStoppedProcess) {
  Runner child(pause_for_ever);
  EXPECT_OK(kill(child.pid(), SIGSTOP));
  int status;
  EXPECT_EQ(waitpid(child.pid(), &status, WUNTRACED), child.pid());
  EXPECT_OK(child.call(PTRACE_SEIZE));
  EXPECT_STOP(wait_status(child.pid()), SIGSTOP, PTRACE_EVENT_STOP);
  EXPECT_OK(child.call(PTRACE_DETACH));
  EXPECT_TRUE(wait_for_state(child.pid(), 'T'));
  EXPECT_OK(kill(child.pid(), SIGCONT));
  EXPECT_TRUE(wait_for_state(child.pid(), 'S'));
}

// As a debugger starts a program: it lets it stop itself first, so that nothing of it is missed.
TEST(PtraceEvents, SeizedWhileStoppedAndContinuedAtOnce) {
  for (int round = 0; round < 100; ++round) {
    Runner child([] {
      raise(SIGSTOP);
      while (true) pause();
    });
    int status;
    ASSERT_EQ(waitpid(child.pid(), &status, WUNTRACED), child.pid());
    ASSERT_STOP(status, SIGSTOP);
    ASSERT_OK(child.call(PTRACE_SEIZE));
    ASSERT_OK(kill(child.pid(), SIGCONT));
    ASSERT_STOP(wait_status(child.pid()), SIGSTOP, PTRACE_EVENT_STOP);
    ASSERT_OK(child.call(PTRACE_LISTEN));
    ASSERT_STOP(wait_status(child.pid()), SIGTRAP, PTRACE_EVENT_STOP);
    ASSERT_OK(child.call(PTRACE_CONT));
    ASSERT_STOP(wait_status(child.pid()), SIGCONT);
  }
}

TEST(PtraceEvents, ForkIsFollowed) {
  Tracee tracee(
      [] {
        const pid_t child = fork();
        if (child == 0) _exit(11);
        int status;
        waitpid(child, &status, 0);
        _exit(WEXITSTATUS(status));
      },
      PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE);
  EXPECT_STOP(tracee.next(), SIGTRAP, PTRACE_EVENT_FORK);
  const auto child = (pid_t)tracee.message();
  EXPECT_STOP(wait_status(child), SIGSTOP);
  EXPECT_OK(trace_call(PTRACE_CONT, child));
  EXPECT_EXITED(wait_status(child), 11);
  // The parent could not wait before we had.
  int status = tracee.next();
  if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGCHLD) status = tracee.next();
  EXPECT_EXITED(status, 11);
  tracee.gone();
}

TEST(PtraceEvents, VforkAndItsEnd) {
  Tracee tracee(
      [] {
        const pid_t child = vfork();
        if (child == 0) _exit(0);
        int status;
        waitpid(child, &status, 0);
        _exit(12);
      },
      PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE);
  EXPECT_STOP(tracee.next(), SIGTRAP, PTRACE_EVENT_VFORK);
  const auto child = (pid_t)tracee.message();
  EXPECT_STOP(wait_status(child), SIGSTOP);
  EXPECT_OK(tracee.call(PTRACE_CONT));
  EXPECT_OK(trace_call(PTRACE_CONT, child));
  EXPECT_EXITED(wait_status(child), 0);
  int status = wait_status(tracee.pid());
  while (WIFSTOPPED(status) && status >> 8 == SIGCHLD) status = tracee.next();
  EXPECT_STOP(status, SIGTRAP, PTRACE_EVENT_VFORK_DONE);
  EXPECT_EQ((pid_t)tracee.message(), child);
  status = tracee.next();
  while (WIFSTOPPED(status) && status >> 8 == SIGCHLD) status = tracee.next();
  EXPECT_EXITED(status, 12);
  tracee.gone();
}

TEST(PtraceEvents, ThreadsAreFollowed) {
  Tracee tracee(
      [] {
        pthread_t thread;
        pthread_create(&thread, nullptr, [](void*) -> void* { return nullptr; }, nullptr);
        pthread_join(thread, nullptr);
        _exit(13);
      },
      PTRACE_O_TRACECLONE);
  EXPECT_STOP(tracee.next(), SIGTRAP, PTRACE_EVENT_CLONE);
  const auto thread = (pid_t)tracee.message();
  EXPECT_STOP(wait_status(thread), SIGSTOP);
  EXPECT_OK(trace_call(PTRACE_CONT, thread));
  // Before the process ends: then the thread's status is the process's.
  EXPECT_EXITED(wait_status(thread), 0);
  EXPECT_OK(tracee.call(PTRACE_CONT));
  EXPECT_EXITED(wait_status(tracee.pid()), 13);
  tracee.gone();
}

TEST(PtraceEvents, SeizedChildrenStopWithAnEvent) {
  Rendezvous go;
  Runner child([&] {
    go.wait();
    const pid_t grandchild = fork();
    if (grandchild == 0) _exit(0);
    waitpid(grandchild, nullptr, 0);
    _exit(14);
  });
  EXPECT_OK(child.call(PTRACE_SEIZE, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE));
  go.notify();
  EXPECT_STOP(wait_status(child.pid()), SIGTRAP, PTRACE_EVENT_FORK);
  unsigned long grandchild = 0;
  EXPECT_OK(child.call(PTRACE_GETEVENTMSG, 0, (unsigned long)&grandchild));
  EXPECT_STOP(wait_status((pid_t)grandchild), SIGTRAP, PTRACE_EVENT_STOP);
  EXPECT_OK(trace_call(PTRACE_DETACH, (pid_t)grandchild));
  EXPECT_OK(child.call(PTRACE_DETACH));
  EXPECT_EXITED(wait_status(child.pid()), 14);
}

HELPER(traced_program) { return 21; }

TEST(PtraceEvents, ExecEvent) {
  Tracee tracee([] { execute_helper("traced_program"); }, PTRACE_O_TRACEEXEC);
  EXPECT_STOP(tracee.next(), SIGTRAP, PTRACE_EVENT_EXEC);
  EXPECT_EQ((pid_t)tracee.message(), tracee.pid());
  EXPECT_EXITED(tracee.next(), 21);
  tracee.gone();
}

TEST(PtraceEvents, ExecWithoutOptionTraps) {
  Tracee tracee([] { execute_helper("traced_program"); });
  EXPECT_STOP(tracee.next(), SIGTRAP);
  siginfo_t info{};
  EXPECT_OK(tracee.call(PTRACE_GETSIGINFO, 0, (unsigned long)&info));
  EXPECT_EQ(info.si_code, SI_USER);
  EXPECT_EXITED(tracee.next(), 21);
  tracee.gone();
}

TEST(PtraceEvents, ExecByAnotherThread) {
  Tracee tracee(
      [] {
        pthread_t thread;
        pthread_create(
            &thread, nullptr,
            [](void*) -> void* {
              execute_helper("traced_program");
              return nullptr;
            },
            nullptr);
        pthread_join(thread, nullptr);
        _exit(1);
      },
      PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC);
  EXPECT_STOP(tracee.next(), SIGTRAP, PTRACE_EVENT_CLONE);
  const auto thread = (pid_t)tracee.message();
  EXPECT_STOP(wait_status(thread), SIGSTOP);
  EXPECT_OK(tracee.call(PTRACE_CONT));
  EXPECT_OK(trace_call(PTRACE_CONT, thread));
  EXPECT_STOP(wait_status(tracee.pid()), SIGTRAP, PTRACE_EVENT_EXEC);
  EXPECT_EQ((pid_t)tracee.message(), thread);
  EXPECT_EXITED(tracee.next(), 21);
  tracee.gone();
}

TEST(PtraceEvents, ExitEvent) {
  Tracee tracee([] { _exit(15); }, PTRACE_O_TRACEEXIT);
  EXPECT_STOP(tracee.next(), SIGTRAP, PTRACE_EVENT_EXIT);
  EXPECT_EQ(tracee.message(), 15u << 8);
  EXPECT_NE(program_counter(registers_of(tracee.pid())), 0u);
  EXPECT_EXITED(tracee.next(), 15);
  tracee.gone();
}

TEST(PtraceEvents, ExitEventOfASignal) {
  Tracee tracee([] { raise(SIGTERM); }, PTRACE_O_TRACEEXIT);
  EXPECT_STOP(tracee.next(), SIGTERM);
  EXPECT_STOP(tracee.next(PTRACE_CONT, SIGTERM), SIGTRAP, PTRACE_EVENT_EXIT);
  EXPECT_EQ(tracee.message(), (unsigned long)SIGTERM);
  EXPECT_KILLED(tracee.next(), SIGTERM);
  tracee.gone();
}

TEST(PtraceEvents, TracerWaitsBeforeTheParent) {
  Rendezvous attached, go;
  Runner child([&] {
    go.wait();
    _exit(16);
  });
  int ends[2];
  ASSERT_OK(pipe(ends));
  const pid_t tracer = fork_child([&] {
    EXPECT_OK(child.call(PTRACE_SEIZE));
    attached.notify();
    char byte;
    EXPECT_EQ(read(ends[0], &byte, 1), 1);
    EXPECT_EXITED(wait_status(child.pid()), 16);
  });
  attached.wait();
  go.notify();
  EXPECT_TRUE(wait_for_state(child.pid(), 'Z'));
  int status;
  EXPECT_EQ(waitpid(child.pid(), &status, WNOHANG), 0);
  EXPECT_EQ(write(ends[1], "x", 1), 1);
  EXPECT_EQ(waitpid(child.pid(), &status, 0), child.pid());
  EXPECT_EXITED(status, 16);
  EXPECT_EXITED(wait_for(tracer), 0);
  close(ends[0]);
  close(ends[1]);
}

TEST(PtraceEvents, EndOfTheTracerDetaches) {
  Rendezvous attached, go;
  Runner child([&] {
    go.wait();
    _exit(17);
  });
  EXPECT_CHILD_OK([&] {
    EXPECT_OK(child.call(PTRACE_SEIZE));
    EXPECT_OK(child.call(PTRACE_INTERRUPT));
    EXPECT_STOP(wait_status(child.pid()), SIGTRAP, PTRACE_EVENT_STOP);
  });
  go.notify();
  EXPECT_EXITED(wait_status(child.pid()), 17);
}

}  // namespace
