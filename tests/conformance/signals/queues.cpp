// Real-time signals, sigwaitinfo(2), signalfd(2), restarting.
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <atomic>

#include "support/conformance.h"

namespace {
using namespace conformance;

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

void block(std::initializer_list<int> signals) {
  const sigset_t set = set_of(signals);
  ASSERT_OK(sigprocmask(SIG_BLOCK, &set, nullptr));
}

void queue(int signal, int value) { ASSERT_OK(sigqueue(getpid(), signal, sigval{.sival_int = value})); }

std::vector<std::pair<int, int>> seen;

TEST(RealTime, QueuedInOrderLowestFirst) {
  const int low = SIGRTMIN, high = SIGRTMIN + 3;
  seen.clear();
  seen.reserve(16);
  struct sigaction action = {};
  action.sa_sigaction = [](int signal, siginfo_t* information, void*) {
    seen.emplace_back(signal, information->si_value.sival_int);
  };
  action.sa_flags = SA_SIGINFO;
  // Handlers do not nest, so that the order is that of delivery.
  action.sa_mask = set_of({low, high});
  sigaction(low, &action, nullptr);
  sigaction(high, &action, nullptr);
  block({low, high});
  queue(high, 1);
  queue(low, 2);
  queue(high, 3);
  queue(low, 4);
  const sigset_t both = set_of({low, high});
  sigprocmask(SIG_UNBLOCK, &both, nullptr);
  ASSERT_EQ(seen.size(), 4u);
  // Each frame is built on top of the one before, so the handlers run in delivery order only because
  // each one's mask holds back the rest.
  EXPECT_EQ(seen[0], std::make_pair(low, 2));
  EXPECT_EQ(seen[1], std::make_pair(low, 4));
  EXPECT_EQ(seen[2], std::make_pair(high, 1));
  EXPECT_EQ(seen[3], std::make_pair(high, 3));
}

TEST(RealTime, QueueLimitIsEAGAIN) {
  EXPECT_CHILD_OK([] {
    const rlimit limit = {5, 5};
    ASSERT_OK(setrlimit(RLIMIT_SIGPENDING, &limit));
    drop_privileges(other_user + 60);
    block({SIGRTMIN});
    int accepted = 0;
    while (accepted < 100 && sigqueue(getpid(), SIGRTMIN, sigval{}) == 0) accepted++;
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_EQ(accepted, 5);
    EXPECT_OK(kill(getpid(), SIGRTMIN)) << "kill works without a queue entry";
  });
}

TEST(SigWait, TakesAPendingSignalWithItsInformation) {
  block({SIGUSR1, SIGRTMIN});
  queue(SIGRTMIN, 17);
  const sigset_t set = set_of({SIGUSR1, SIGRTMIN});
  siginfo_t information;
  EXPECT_EQ(sigwaitinfo(&set, &information), SIGRTMIN);
  EXPECT_EQ(information.si_value.sival_int, 17);
  sigset_t pending;
  sigpending(&pending);
  EXPECT_FALSE(sigismember(&pending, SIGRTMIN));
}

TEST(SigWait, TimeOutIsEAGAIN) {
  block({SIGUSR1});
  const sigset_t set = set_of({SIGUSR1});
  const timespec none = {0, 0}, little = {0, 20000000}, bad = {0, 1000000000};
  EXPECT_ERRNO(sigtimedwait(&set, nullptr, &none), EAGAIN);
  const long start = now_milliseconds();
  EXPECT_ERRNO(sigtimedwait(&set, nullptr, &little), EAGAIN);
  EXPECT_GE(now_milliseconds() - start, 19);
  EXPECT_ERRNO(sigtimedwait(&set, nullptr, &bad), EINVAL);
  EXPECT_ERRNO(sys(SYS_rt_sigtimedwait, &set, 0, 0, 4), EINVAL);
  EXPECT_ERRNO(sys(SYS_rt_sigtimedwait, low_address(), 0, 0, 8), EFAULT);
}

TEST(SigWait, OtherHandlerInterruptsIt) {
  EXPECT_CHILD_OK([] {
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    sigaction(SIGUSR2, &action, nullptr);
    block({SIGUSR1});
    const pid_t self = getpid();
    const pid_t sender = fork_child([self] {
      wait_for_state(self, 'S');
      kill(self, SIGUSR2);
    });
    const sigset_t set = set_of({SIGUSR1});
    EXPECT_ERRNO(sigwaitinfo(&set, nullptr), EINTR);
    wait_for(sender);
  });
}

TEST(SigWait, WakesUpForAnotherProcess) {
  EXPECT_CHILD_OK([] {
    block({SIGUSR1});
    const pid_t self = getpid();
    const pid_t sender = fork_child([self] {
      wait_for_state(self, 'S');
      kill(self, SIGUSR1);
    });
    const sigset_t set = set_of({SIGUSR1});
    siginfo_t information;
    EXPECT_EQ(sigwaitinfo(&set, &information), SIGUSR1);
    EXPECT_EQ(information.si_pid, sender);
    EXPECT_EQ(information.si_code, SI_USER);
    wait_for(sender);
  });
}

TEST(Signalfd, ReadsPendingSignals) {
  block({SIGUSR1, SIGRTMIN});
  const sigset_t set = set_of({SIGUSR1, SIGRTMIN});
  const ScopedFd fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  ASSERT_OK(fd.get());
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  signalfd_siginfo information[4];
  EXPECT_ERRNO(read(fd, information, sizeof information), EAGAIN);
  kill(getpid(), SIGUSR1);
  queue(SIGRTMIN, 5);
  queue(SIGRTMIN, 6);
  ASSERT_EQ(read(fd, information, sizeof information), 3 * (ssize_t)sizeof information[0]);
  EXPECT_EQ(information[0].ssi_signo, (unsigned)SIGUSR1);
  EXPECT_EQ(information[0].ssi_pid, (unsigned)getpid());
  EXPECT_EQ(information[0].ssi_code, SI_USER);
  EXPECT_EQ(information[1].ssi_signo, (unsigned)SIGRTMIN);
  EXPECT_EQ(information[1].ssi_int, 5);
  EXPECT_EQ(information[2].ssi_int, 6);
}

TEST(Signalfd, Polls) {
  block({SIGUSR1});
  const sigset_t set = set_of({SIGUSR1});
  const ScopedFd fd = signalfd(-1, &set, 0);
  pollfd wait = {fd, POLLIN, 0};
  EXPECT_EQ(poll(&wait, 1, 0), 0);
  raise(SIGUSR1);
  EXPECT_EQ(poll(&wait, 1, 1000), 1);
}

TEST(Signalfd, MaskCanBeReplaced) {
  block({SIGUSR1, SIGUSR2});
  sigset_t set = set_of({SIGUSR1});
  const ScopedFd fd = signalfd(-1, &set, SFD_NONBLOCK);
  raise(SIGUSR2);
  signalfd_siginfo information;
  EXPECT_ERRNO(read(fd, &information, sizeof information), EAGAIN);
  set = set_of({SIGUSR2});
  EXPECT_EQ(signalfd(fd, &set, 0), fd.get());
  EXPECT_EQ(read(fd, &information, sizeof information), (ssize_t)sizeof information);
}

TEST(Signalfd, Errors) {
  const sigset_t set = set_of({SIGUSR1});
  EXPECT_ERRNO(signalfd(-1, &set, 0x1), EINVAL);
  EXPECT_ERRNO(signalfd(99999, &set, 0), EBADF);
  const ScopedFd null = open("/dev/null", O_RDONLY);
  EXPECT_ERRNO(signalfd(null, &set, 0), EINVAL);
  const ScopedFd fd = signalfd(-1, &set, SFD_NONBLOCK);
  char small[16];
  EXPECT_ERRNO(read(fd, small, sizeof small), EINVAL);
}

TEST(Threads, SignalToAThreadAndToTheProcess) {
  EXPECT_CHILD_OK([] {
    static volatile pid_t handled_by;
    static Rendezvous* ready;
    static Rendezvous* finish;
    Rendezvous ready_pipe, finish_pipe;
    ready = &ready_pipe;
    finish = &finish_pipe;
    static volatile pid_t thread_id;
    signal(SIGUSR1, [](int) { handled_by = static_cast<pid_t>(sys(SYS_gettid)); });
    pthread_t thread;
    ASSERT_EQ(pthread_create(
                  &thread, nullptr,
                  [](void*) -> void* {
                    thread_id = static_cast<pid_t>(sys(SYS_gettid));
                    ready->notify();
                    finish->wait();
                    return nullptr;
                  },
                  nullptr),
              0);
    ASSERT_TRUE(ready->wait());
    pthread_kill(thread, SIGUSR1);
    for (int i = 0; i < 2000 && handled_by == 0; i++) sleep_milliseconds(1);
    EXPECT_EQ(handled_by, thread_id);
    // With the main thread blocking it, a process-wide signal goes to the other one.
    handled_by = 0;
    block({SIGUSR1});
    kill(getpid(), SIGUSR1);
    for (int i = 0; i < 2000 && handled_by == 0; i++) sleep_milliseconds(1);
    EXPECT_EQ(handled_by, thread_id);
    finish->notify();
    pthread_join(thread, nullptr);
  });
}

TEST(Threads, FatalSignalEndsAllOfThem) {
  const int status = run_child([] {
    pthread_t thread;
    pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
          for (;;) pause();
        },
        nullptr);
    sys(SYS_tgkill, getpid(), sys(SYS_gettid), SIGTERM);
    for (;;) pause();
  });
  EXPECT_KILLED(status, SIGTERM);
}

// Calls that are never restarted, whatever SA_RESTART says: signal(7).
TEST(Restart, PollIsNeverRestarted) {
  EXPECT_CHILD_OK([] {
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, nullptr);
    const pid_t self = getpid();
    const pid_t sender = fork_child([self] {
      for (int i = 0; i < 3; i++) {
        wait_for_state(self, 'S');
        kill(self, SIGUSR1);
        sleep_milliseconds(30);
      }
    });
    EXPECT_ERRNO(poll(nullptr, 0, 5000), EINTR);
    EXPECT_ERRNO(select(0, nullptr, nullptr, nullptr, nullptr), EINTR);
    const ScopedFd epoll = epoll_create1(0);
    epoll_event event;
    EXPECT_ERRNO(epoll_wait(epoll, &event, 1, 5000), EINTR);
    wait_for(sender);
  });
}

TEST(Restart, WaitpidIsRestarted) {
  EXPECT_CHILD_OK([] {
    static volatile int handled = 0;
    struct sigaction action = {};
    action.sa_handler = [](int) { handled = handled + 1; };
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, nullptr);
    const pid_t self = getpid();
    const pid_t child = fork_child([self] {
      wait_for_state(self, 'S');
      kill(self, SIGUSR1);
      sleep_milliseconds(20);
      _exit(3);
    });
    int status;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EXITED(status, 3);
    EXPECT_EQ(handled, 1);
  });
}

TEST(Restart, NanosleepReturnsTheRest) {
  EXPECT_CHILD_OK([] {
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, nullptr);
    const pid_t self = getpid();
    const pid_t sender = fork_child([self] {
      wait_for_state(self, 'S');
      kill(self, SIGUSR1);
    });
    const timespec request = {100, 0};
    timespec rest = {};
    EXPECT_ERRNO(nanosleep(&request, &rest), EINTR);
    EXPECT_GT(rest.tv_sec, 50);
    EXPECT_LE(rest.tv_sec, 100);
    wait_for(sender);
  });
}

TEST(Restart, StopAndContinueAreInvisible) {
  Rendezvous ready;
  int ends[2];
  ASSERT_OK(pipe(ends));
  const pid_t child = fork_child([&] {
    ready.notify();
    char byte;
    EXPECT_EQ(read(ends[0], &byte, 1), 1) << "restarted without a handler";
  });
  ASSERT_TRUE(ready.wait());
  ASSERT_TRUE(wait_for_state(child, 'S'));
  kill(child, SIGSTOP);
  int status;
  ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
  kill(child, SIGCONT);
  EXPECT_EQ(write(ends[1], "x", 1), 1);
  EXPECT_EXITED(wait_for(child), 0);
}

// However a signal falls between a thread's last look in the kernel and its way back to user mode, it
// arrives: the thread that gets it never sleeps, so nothing else brings it into the kernel.
TEST(Arrival, ReachesAThreadThatNeverSleeps) {
  EXPECT_CHILD_OK([] {
    static std::atomic<int> arrived{0};
    static std::atomic<bool> stop{false};
    static std::atomic<pid_t> id{0};
    struct sigaction action = {};
    action.sa_handler = [](int) { arrived++; };
    ASSERT_OK(sigaction(SIGUSR1, &action, nullptr));
    pthread_t thread;
    ASSERT_EQ(pthread_create(
                  &thread, nullptr,
                  [](void*) -> void* {
                    id = static_cast<pid_t>(sys(SYS_gettid));
                    for (unsigned i = 1; !stop; i++) {
                      for (volatile unsigned spin = 0; spin < i % 64; spin = spin + 1) {
                      }
                      if (i % 4096 < 4000) sys(SYS_getppid);
                    }
                    return nullptr;
                  },
                  nullptr),
              0);
    while (id == 0) sched_yield();
    const long end = now_milliseconds() + 20000;
    for (int i = 1; i <= 1000; i++) {
      ASSERT_OK(sys(SYS_tgkill, getpid(), id.load(), SIGUSR1));
      while (arrived < i && now_milliseconds() < end) sched_yield();
      ASSERT_EQ(arrived, i) << "lost on its way";
    }
    stop = true;
    pthread_join(thread, nullptr);
  });
}

}  // namespace
