// sigaction(2), sigprocmask(2), sigsuspend(2), sigaltstack(2), delivery.
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>

#include "support/conformance.h"
#include "support/fault.h"

namespace {
using namespace conformance;

volatile sig_atomic_t count, order_length;
volatile int order[32];
siginfo_t last;

void counter(int) { count = count + 1; }
void recorder(int signal) {
  if (order_length < 32) order[order_length] = signal;
  order_length = order_length + 1;
}
void informed(int, siginfo_t* information, void*) {
  last = *information;
  count = count + 1;
}

void install(int signal, void (*handler)(int), int flags = 0) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  ASSERT_OK(sigaction(signal, &action, nullptr));
}

void install_informed(int signal, int flags = 0) {
  struct sigaction action = {};
  action.sa_sigaction = informed;
  action.sa_flags = SA_SIGINFO | flags;
  ASSERT_OK(sigaction(signal, &action, nullptr));
}

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

class Signals : public testing::Test {
 protected:
  void SetUp() override {
    count = 0;
    order_length = 0;
    last = {};
    const sigset_t empty = set_of({});
    sigprocmask(SIG_SETMASK, &empty, nullptr);
  }
};

TEST_F(Signals, HandlerRunsBeforeRaiseReturns) {
  install(SIGUSR1, counter);
  raise(SIGUSR1);
  EXPECT_EQ(count, 1);
  kill(getpid(), SIGUSR1);
  EXPECT_EQ(count, 2);
}

TEST_F(Signals, OldActionIsReturned) {
  install(SIGUSR1, counter, SA_RESTART);
  struct sigaction old;
  ASSERT_OK(sigaction(SIGUSR1, nullptr, &old));
  EXPECT_EQ(old.sa_handler, counter);
  EXPECT_EQ(old.sa_flags & SA_RESTART, SA_RESTART);
  EXPECT_EQ((void (*)(int))signal(SIGUSR1, SIG_DFL), counter);
}

TEST_F(Signals, SigactionErrors) {
  struct sigaction action = {};
  action.sa_handler = counter;
  EXPECT_ERRNO(sigaction(SIGKILL, &action, nullptr), EINVAL);
  EXPECT_ERRNO(sigaction(SIGSTOP, &action, nullptr), EINVAL);
  EXPECT_ERRNO(sigaction(0, &action, nullptr), EINVAL);
  EXPECT_ERRNO(sigaction(65, &action, nullptr), EINVAL);
  EXPECT_ERRNO(sys(SYS_rt_sigaction, SIGUSR1, 0, 0, 4), EINVAL) << "the size of the set";
  EXPECT_ERRNO(sys(SYS_rt_sigaction, SIGUSR1, low_address(), 0, 8), EFAULT);
  EXPECT_ERRNO(sys(SYS_rt_sigaction, SIGUSR1, 0, low_address(), 8), EFAULT);
  EXPECT_OK(sys(SYS_rt_sigaction, SIGKILL, 0, 0, 8)) << "asking is allowed";
}

TEST_F(Signals, DefaultActions) {
  for (const int signal : {SIGHUP, SIGINT, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGUSR2, SIGRTMIN, SIGRTMAX,
                           SIGIO, SIGPROF, SIGVTALRM, SIGPWR, SIGSTKFLT}) {
    EXPECT_KILLED(run_child([signal] { raise(signal); }), signal);
  }
  for (const int signal : {SIGCHLD, SIGURG, SIGWINCH, SIGCONT}) {
    EXPECT_CHILD_OK([signal] { raise(signal); });
  }
}

TEST_F(Signals, CoreDumpingSignalsKill) {
  for (const int signal :
       {SIGQUIT, SIGILL, SIGABRT, SIGFPE, SIGSEGV, SIGBUS, SIGTRAP, SIGSYS, SIGXCPU, SIGXFSZ}) {
    EXPECT_KILLED(run_child([signal] { raise(signal); }), signal);
  }
}

TEST_F(Signals, IgnoredSignalsDoNothing) {
  signal(SIGTERM, SIG_IGN);
  raise(SIGTERM);
  signal(SIGTERM, SIG_DFL);
}

TEST_F(Signals, BlockedStaysPendingOnce) {
  install(SIGUSR1, counter);
  const sigset_t set = set_of({SIGUSR1});
  ASSERT_OK(sigprocmask(SIG_BLOCK, &set, nullptr));
  raise(SIGUSR1);
  raise(SIGUSR1);
  EXPECT_EQ(count, 0);
  sigset_t pending;
  ASSERT_OK(sigpending(&pending));
  EXPECT_EQ(sigismember(&pending, SIGUSR1), 1);
  EXPECT_EQ(sigismember(&pending, SIGUSR2), 0);
  ASSERT_OK(sigprocmask(SIG_UNBLOCK, &set, nullptr));
  EXPECT_EQ(count, 1) << "standard signals do not queue";
}

TEST_F(Signals, IgnoringDiscardsPending) {
  const sigset_t set = set_of({SIGUSR1});
  sigprocmask(SIG_BLOCK, &set, nullptr);
  install(SIGUSR1, counter);
  raise(SIGUSR1);
  signal(SIGUSR1, SIG_IGN);
  install(SIGUSR1, counter);
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
  EXPECT_EQ(count, 0);
}

TEST_F(Signals, ProcmaskOperations) {
  sigset_t a = set_of({SIGUSR1}), b = set_of({SIGUSR2}), old;
  sigprocmask(SIG_SETMASK, &a, nullptr);
  sigprocmask(SIG_BLOCK, &b, &old);
  EXPECT_TRUE(sigismember(&old, SIGUSR1) && !sigismember(&old, SIGUSR2));
  sigprocmask(SIG_UNBLOCK, &a, nullptr);
  sigprocmask(0, nullptr, &old);
  EXPECT_TRUE(!sigismember(&old, SIGUSR1) && sigismember(&old, SIGUSR2));
  EXPECT_ERRNO(sigprocmask(99, &a, nullptr), EINVAL);
  EXPECT_ERRNO(sys(SYS_rt_sigprocmask, SIG_BLOCK, low_address(), 0, 8), EFAULT);
  EXPECT_ERRNO(sys(SYS_rt_sigprocmask, SIG_BLOCK, 0, 0, 16), EINVAL);
}

TEST_F(Signals, KillAndStopCannotBeBlocked) {
  sigset_t all, now;
  sigfillset(&all);
  ASSERT_OK(sigprocmask(SIG_SETMASK, &all, nullptr));
  uint64_t raw = 0;
  ASSERT_OK(sys(SYS_rt_sigprocmask, SIG_BLOCK, 0, &raw, 8));
  EXPECT_EQ(raw & (1ull << (SIGKILL - 1)), 0u);
  EXPECT_EQ(raw & (1ull << (SIGSTOP - 1)), 0u);
  sigprocmask(SIG_SETMASK, nullptr, &now);
  EXPECT_KILLED(run_child([] { raise(SIGKILL); }), SIGKILL);
}

TEST_F(Signals, HandlerBlocksItselfUnlessNoDefer) {
  static bool nested_ran_inside;
  const auto handler = [](int) {
    count = count + 1;
    if (count == 1) {
      raise(SIGUSR1);
      nested_ran_inside = count == 2;
    }
  };
  install(SIGUSR1, handler);
  raise(SIGUSR1);
  EXPECT_EQ(count, 2);
  EXPECT_FALSE(nested_ran_inside);
  count = 0;
  install(SIGUSR1, handler, SA_NODEFER);
  raise(SIGUSR1);
  EXPECT_EQ(count, 2);
  EXPECT_TRUE(nested_ran_inside);
}

TEST_F(Signals, HandlerMaskIsAddedAndRestored) {
  static bool blocked_inside;
  struct sigaction action = {};
  action.sa_handler = [](int) {
    sigset_t now;
    sigprocmask(SIG_BLOCK, nullptr, &now);
    blocked_inside = sigismember(&now, SIGUSR2) && sigismember(&now, SIGUSR1);
  };
  action.sa_mask = set_of({SIGUSR2});
  sigaction(SIGUSR1, &action, nullptr);
  raise(SIGUSR1);
  EXPECT_TRUE(blocked_inside);
  sigset_t after;
  sigprocmask(SIG_BLOCK, nullptr, &after);
  EXPECT_FALSE(sigismember(&after, SIGUSR2) || sigismember(&after, SIGUSR1));
}

TEST_F(Signals, ResetHandlerIsOneShot) {
  install(SIGUSR1, counter, SA_RESETHAND);
  raise(SIGUSR1);
  EXPECT_EQ(count, 1);
  struct sigaction now;
  sigaction(SIGUSR1, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_DFL);
}

TEST_F(Signals, NestedHandlersUnwindInOrder) {
  install(SIGUSR1, [](int signal) {
    recorder(signal);
    raise(SIGUSR2);
    recorder(-signal);
  });
  install(SIGUSR2, [](int signal) {
    recorder(signal);
    raise(SIGHUP);
    recorder(-signal);
  });
  install(SIGHUP, recorder);
  raise(SIGUSR1);
  ASSERT_EQ(order_length, 5);
  EXPECT_EQ(order[0], SIGUSR1);
  EXPECT_EQ(order[1], SIGUSR2);
  EXPECT_EQ(order[2], SIGHUP);
  EXPECT_EQ(order[3], -SIGUSR2);
  EXPECT_EQ(order[4], -SIGUSR1);
}

TEST_F(Signals, FloatingPointStateSurvivesHandlers) {
  install(SIGUSR1, [](int) {
    volatile double trash = 3.0;
    for (int i = 0; i < 100; i++) trash = trash * 1.5 + 1;
  });
  double values[16];
  for (int i = 0; i < 16; i++) values[i] = i * 1.25;
  double sum = 0;
  for (int i = 0; i < 16; i++) {
    sum += values[i];
    raise(SIGUSR1);
    sum *= 2;
  }
  double expected = 0;
  for (int i = 0; i < 16; i++) expected = (expected + i * 1.25) * 2;
  EXPECT_EQ(sum, expected);
}

TEST_F(Signals, SiginfoOfKillAndQueue) {
  install_informed(SIGUSR1);
  kill(getpid(), SIGUSR1);
  EXPECT_EQ(last.si_signo, SIGUSR1);
  EXPECT_EQ(last.si_code, SI_USER);
  EXPECT_EQ(last.si_pid, getpid());
  EXPECT_EQ(last.si_uid, getuid());
  sys(SYS_tgkill, getpid(), sys(SYS_gettid), SIGUSR1);
  EXPECT_EQ(last.si_code, SI_TKILL);
  ASSERT_OK(sigqueue(getpid(), SIGUSR1, sigval{.sival_int = 4711}));
  EXPECT_EQ(last.si_code, SI_QUEUE);
  EXPECT_EQ(last.si_value.sival_int, 4711);
  EXPECT_EQ(last.si_pid, getpid());
}

TEST_F(Signals, SigqueueCannotForgeKernelCodes) {
  siginfo_t forged = {};
  forged.si_signo = SIGUSR1;
  forged.si_code = SI_USER;
  const pid_t parent = getppid();
  EXPECT_ERRNO(sys(SYS_rt_sigqueueinfo, parent, 0, &forged), EPERM);
  EXPECT_ERRNO(sys(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, low_address()), EFAULT);
}

TEST_F(Signals, ChildEventsCarryDetails) {
  install_informed(SIGCHLD);
  const pid_t child = fork_child([] { _exit(9); });
  int status;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  for (int i = 0; i < 1000 && count == 0; i++) sleep_milliseconds(1);
  EXPECT_EQ(last.si_signo, SIGCHLD);
  EXPECT_EQ(last.si_code, CLD_EXITED);
  EXPECT_EQ(last.si_status, 9);
  EXPECT_EQ(last.si_pid, child);
}

TEST_F(Signals, NoCldStopSuppressesStops) {
  install(SIGCHLD, counter, SA_NOCLDSTOP);
  const pid_t child = fork_child([] { pause(); });
  kill(child, SIGSTOP);
  int status;
  while (waitpid(child, &status, WUNTRACED) < 0 && errno == EINTR) {
  }
  EXPECT_EQ(count, 0);
  kill(child, SIGKILL);
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  EXPECT_EQ(count, 1);
}

TEST_F(Signals, SigsuspendSwapsTheMaskAtomically) {
  install(SIGUSR1, counter);
  const sigset_t blocked = set_of({SIGUSR1}), none = set_of({});
  sigprocmask(SIG_BLOCK, &blocked, nullptr);
  raise(SIGUSR1);
  EXPECT_ERRNO(sigsuspend(&none), EINTR);
  EXPECT_EQ(count, 1);
  sigset_t now;
  sigprocmask(SIG_BLOCK, nullptr, &now);
  EXPECT_TRUE(sigismember(&now, SIGUSR1)) << "the old mask is back";
}

TEST_F(Signals, PauseReturnsAfterAHandler) {
  install(SIGALRM, counter);
  // Periodic, because the first one may come before the call.
  const itimerval often = {{0, 20000}, {0, 20000}};
  setitimer(ITIMER_REAL, &often, nullptr);
  EXPECT_ERRNO(pause(), EINTR);
  EXPECT_GE(count, 1);
  const itimerval off = {};
  setitimer(ITIMER_REAL, &off, nullptr);
}

TEST_F(Signals, AlternateStackIsUsed) {
  static char stack[65536];
  static bool on_stack;
  const stack_t alternate = {stack, 0, sizeof stack};
  ASSERT_OK(sigaltstack(&alternate, nullptr));
  install(
      SIGUSR1,
      [](int) {
        char here;
        on_stack = &here >= stack && &here < stack + sizeof stack;
        stack_t now;
        sigaltstack(nullptr, &now);
        count = now.ss_flags;
        const stack_t other = {nullptr, SS_DISABLE, 0};
        if (sigaltstack(&other, nullptr) == -1 && errno == EPERM) count = count + 100;
      },
      SA_ONSTACK);
  raise(SIGUSR1);
  EXPECT_TRUE(on_stack);
  EXPECT_EQ(count, SS_ONSTACK + 100) << "active, and cannot be changed meanwhile";
  stack_t now;
  sigaltstack(nullptr, &now);
  EXPECT_EQ(now.ss_flags, 0);
  EXPECT_EQ(now.ss_sp, stack);
}

TEST_F(Signals, AlternateStackErrors) {
  static char stack[65536];
  const stack_t small = {stack, 0, 1000};
  EXPECT_ERRNO(sigaltstack(&small, nullptr), ENOMEM);
  const stack_t flags = {stack, 99, sizeof stack};
  EXPECT_ERRNO(sigaltstack(&flags, nullptr), EINVAL);
  EXPECT_ERRNO(sys(SYS_sigaltstack, low_address(), 0), EFAULT);
}

TEST_F(Signals, UnwritableStackKills) {
  EXPECT_KILLED(run_child([] {
                  static char* stack =
                      static_cast<char*>(mmap(nullptr, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
                  const stack_t alternate = {stack, 0, 65536};
                  sigaltstack(&alternate, nullptr);
                  install(SIGUSR1, counter, SA_ONSTACK);
                  raise(SIGUSR1);
                }),
                SIGSEGV);
}

TEST_F(Signals, HandlerThatIsNoCodeKills) {
  EXPECT_KILLED(run_child([] {
                  install(SIGUSR1, reinterpret_cast<void (*)(int)>(8));
                  raise(SIGUSR1);
                }),
                SIGSEGV);
}

TEST_F(Signals, BlockedFaultKills) {
  EXPECT_KILLED(run_child([] {
                  install(SIGSEGV, counter);
                  const sigset_t set = set_of({SIGSEGV});
                  sigprocmask(SIG_BLOCK, &set, nullptr);
                  poke(low_address());
                }),
                SIGSEGV);
  EXPECT_KILLED(run_child([] {
                  signal(SIGSEGV, SIG_IGN);
                  poke(low_address());
                }),
                SIGSEGV);
}

TEST_F(Signals, ContextCanBeChangedByTheHandler) {
  // The saved mask in the frame becomes the mask after the handler.
  struct sigaction action = {};
  action.sa_sigaction = [](int, siginfo_t*, void* context) {
    sigaddset(&static_cast<ucontext_t*>(context)->uc_sigmask, SIGUSR2);
  };
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGUSR1, &action, nullptr);
  raise(SIGUSR1);
  sigset_t now;
  sigprocmask(SIG_BLOCK, nullptr, &now);
  EXPECT_TRUE(sigismember(&now, SIGUSR2));
}

TEST_F(Signals, FaultAddressIsExact) {
  const Mapping memory(page_size(), PROT_NONE);
  const Fault fault = provoke([&] { poke(memory.data() + 123); });
  EXPECT_EQ(fault.signal, SIGSEGV);
  EXPECT_EQ(fault.address, memory.data() + 123);
}

TEST_F(Signals, TrapOfTheCompiler) {
  // An undefined instruction or a break point, as the CPU's compilers do; arch/ looks at the instructions one
  // by one.
  const int status = run_child([] { __builtin_trap(); });
  EXPECT_TRUE(WIFSIGNALED(status) && (WTERMSIG(status) == SIGILL || WTERMSIG(status) == SIGTRAP)) << status;
}

TEST_F(Signals, StopThenSigcontFromTerminalSignals) {
  const pid_t child = fork_child([] {
    install(SIGCONT, counter);
    raise(SIGTSTP);
    _exit(count == 1 ? 0 : 1);
  });
  int status;
  ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
  ASSERT_TRUE(WIFSTOPPED(status));
  EXPECT_EQ(WSTOPSIG(status), SIGTSTP);
  kill(child, SIGCONT);
  EXPECT_EXITED(wait_for(child), 0);
}

TEST_F(Signals, ContinueDiscardsPendingStops) {
  const sigset_t set = set_of({SIGTSTP});
  sigprocmask(SIG_BLOCK, &set, nullptr);
  raise(SIGTSTP);
  raise(SIGCONT);
  sigset_t pending;
  sigpending(&pending);
  EXPECT_FALSE(sigismember(&pending, SIGTSTP));
}

TEST_F(Signals, ForkClearsPendingAndKeepsHandlersAndMask) {
  install(SIGUSR1, counter);
  const sigset_t set = set_of({SIGUSR1});
  sigprocmask(SIG_BLOCK, &set, nullptr);
  raise(SIGUSR1);
  EXPECT_CHILD_OK([&] {
    sigset_t pending, mask;
    sigpending(&pending);
    EXPECT_FALSE(sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_BLOCK, nullptr, &mask);
    EXPECT_TRUE(sigismember(&mask, SIGUSR1));
    raise(SIGUSR1);
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    EXPECT_EQ(count, 1);
  });
  EXPECT_EQ(count, 0);
}

}  // namespace
