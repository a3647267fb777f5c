// ptrace(2): signals, system calls, registers and memory of a tracee.
#include <pthread.h>
#include <sys/mman.h>

#include "tracing/tracee.h"

namespace {
using namespace conformance;

std::string status_field(pid_t pid, const std::string& name) {
  FILE* file = fopen(("/proc/" + std::to_string(pid) + "/status").c_str(), "r");
  char line[256];
  std::string found;
  while (file && fgets(line, sizeof line, file))
    if (std::string_view(line).starts_with(name + ":")) found = line + name.size() + 2;
  if (file) fclose(file);
  while (!found.empty() && found.back() == '\n') found.pop_back();
  return found;
}

TEST(Ptrace, SignalsStopTheTracee) {
  Tracee tracee([] {
    raise(SIGUSR1);
    _exit(3);
  });
  EXPECT_STOP(tracee.next(), SIGUSR1);
  // Suppressed: the default action would kill it.
  EXPECT_EXITED(tracee.next(), 3);
  tracee.gone();
}

TEST(Ptrace, SignalIsDeliveredOnResume) {
  Tracee tracee([] { raise(SIGUSR1); });
  EXPECT_STOP(tracee.next(), SIGUSR1);
  EXPECT_KILLED(tracee.next(PTRACE_CONT, SIGUSR1), SIGUSR1);
  tracee.gone();
}

TEST(Ptrace, AnotherSignalCanBeDelivered) {
  Tracee tracee([] { raise(SIGUSR1); });
  EXPECT_STOP(tracee.next(), SIGUSR1);
  EXPECT_KILLED(tracee.next(PTRACE_CONT, SIGTERM), SIGTERM);
  tracee.gone();
}

TEST(Ptrace, IgnoredSignalsAreSeen) {
  Tracee tracee([] {
    signal(SIGUSR2, SIG_IGN);
    raise(SIGUSR2);
    raise(SIGWINCH);
  });
  EXPECT_STOP(tracee.next(), SIGUSR2);
  EXPECT_STOP(tracee.next(PTRACE_CONT, SIGUSR2), SIGWINCH);
  EXPECT_EXITED(tracee.next(PTRACE_CONT, SIGWINCH), 0);
  tracee.gone();
}

TEST(Ptrace, SigkillIsNotSeen) {
  Tracee tracee([] { raise(SIGKILL); });
  EXPECT_KILLED(tracee.next(), SIGKILL);
  tracee.gone();
}

TEST(Ptrace, SigkillEndsAStop) {
  Tracee tracee([] { pause(); });
  EXPECT_OK(kill(tracee.pid(), SIGKILL));
  EXPECT_KILLED(wait_status(tracee.pid()), SIGKILL);
  tracee.gone();
}

TEST(Ptrace, KillRequest) {
  Tracee tracee([] { pause(); });
  EXPECT_OK(tracee.call(PTRACE_KILL));
  EXPECT_KILLED(wait_status(tracee.pid()), SIGKILL);
  tracee.gone();
}

TEST(Ptrace, StateIsTracingStop) {
  Tracee tracee([] { pause(); });
  EXPECT_EQ(status_field(tracee.pid(), "State"), "t (tracing stop)");
  EXPECT_EQ(status_field(tracee.pid(), "TracerPid"), std::to_string(getpid()));
  EXPECT_EQ(status_field(getpid(), "TracerPid"), "0");
}

TEST(Ptrace, InvalidResumeSignal) {
  Tracee tracee([] { pause(); });
  EXPECT_ERRNO(tracee.call(PTRACE_CONT, 0, 65), EIO);
  EXPECT_ERRNO(tracee.call(PTRACE_CONT, 0, ~0ul), EIO);
}

TEST(Ptrace, RequestsNeedAStoppedTraceeOfOnesOwn) {
  EXPECT_ERRNO(trace_call(PTRACE_CONT, 999999), ESRCH);
  EXPECT_ERRNO(trace_call(PTRACE_CONT, getpid()), ESRCH);
  EXPECT_ERRNO(trace_call(PTRACE_ATTACH, getpid()), EPERM);
  EXPECT_ERRNO(trace_call(PTRACE_ATTACH, -1), ESRCH);
  Tracee tracee([] {
    while (true) pause();
  });
  EXPECT_ERRNO(tracee.call(PTRACE_ATTACH), EPERM);
  EXPECT_ERRNO(tracee.call(0x7777), EIO);
  EXPECT_OK(tracee.call(PTRACE_CONT));
  EXPECT_ERRNO(tracee.call(PTRACE_CONT), ESRCH);
  EXPECT_ERRNO(tracee.call(PTRACE_PEEKDATA, (unsigned long)&tracee), ESRCH);
}

TEST(Ptrace, TracemeOnlyOnce) {
  Tracee tracee([] {
    EXPECT_ERRNO(trace_call(PTRACE_TRACEME, 0), EPERM);
    finish_child();
  });
  EXPECT_EXITED(tracee.next(), 0);
  tracee.gone();
}

TEST(Ptrace, OptionsAreChecked) {
  Tracee tracee([] { pause(); });
  EXPECT_ERRNO(tracee.call(PTRACE_SETOPTIONS, 0, 0x40000000), EINVAL);
}

TEST(Ptrace, SystemCallStops) {
  Tracee tracee(
      [] {
        sys(SYS_getpid);
        _exit(5);
      },
      PTRACE_O_TRACESYSGOOD);
  int status = tracee.next(PTRACE_SYSCALL);  // the end of the call that raised SIGSTOP is over already
  __ptrace_syscall_info info{};
  bool found = false;
  for (int i = 0; i < 50 && WIFSTOPPED(status); ++i) {
    EXPECT_STOP(status, call_stop);
    const long size = tracee.call(PTRACE_GET_SYSCALL_INFO, sizeof info, (unsigned long)&info);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_getpid) {
      found = true;
      EXPECT_EQ(size, 80);
      EXPECT_EQ(tracee.message(), 1ul);
      status = tracee.next(PTRACE_SYSCALL);
      EXPECT_STOP(status, call_stop);
      EXPECT_EQ(tracee.call(PTRACE_GET_SYSCALL_INFO, sizeof info, (unsigned long)&info), 33);
      EXPECT_EQ(info.op, PTRACE_SYSCALL_INFO_EXIT);
      EXPECT_EQ(info.exit.rval, tracee.pid());
      EXPECT_EQ(info.exit.is_error, 0);
      EXPECT_EQ(tracee.message(), 2ul);
      const Registers registers = registers_of(tracee.pid());
      EXPECT_EQ(info.instruction_pointer, program_counter(registers));
      EXPECT_EQ(info.stack_pointer, stack_pointer(registers));
      break;
    }
    status = tracee.next(PTRACE_SYSCALL);
  }
  EXPECT_TRUE(found);
  EXPECT_EXITED(tracee.next(), 5);
  tracee.gone();
}

TEST(Ptrace, SystemCallStopsWithoutOption) {
  Tracee tracee([] { sys(SYS_getpid); });
  EXPECT_STOP(tracee.next(PTRACE_SYSCALL), SIGTRAP);
  siginfo_t info{};
  EXPECT_OK(tracee.call(PTRACE_GETSIGINFO, 0, (unsigned long)&info));
  EXPECT_EQ(info.si_signo, SIGTRAP);
  EXPECT_EQ(info.si_code, SIGTRAP);
}

// Not the first: not every architecture lets a tracer reach it.
TEST(Ptrace, ArgumentsCanBeChanged) {
  Tracee tracee([] { sys(SYS_kill, getpid(), 0); }, PTRACE_O_TRACESYSGOOD);
  ASSERT_TRUE(run_to_entry(tracee, SYS_kill));
  Registers registers = registers_of(tracee.pid());
  set_second_argument(registers, SIGUSR1);
  set_registers(tracee.pid(), registers);
  EXPECT_STOP(tracee.next(), SIGUSR1);
}

TEST(Ptrace, ResultCanBeChanged) {
  Tracee tracee([] { _exit(sys(SYS_getpid) == 4242 ? 7 : 8); }, PTRACE_O_TRACESYSGOOD);
  ASSERT_TRUE(run_to_entry(tracee, SYS_getpid));
  EXPECT_STOP(tracee.next(PTRACE_SYSCALL), call_stop);
  Registers registers = registers_of(tracee.pid());
  EXPECT_EQ(call_result(registers), tracee.pid());
  set_call_result(registers, 4242);
  set_registers(tracee.pid(), registers);
  EXPECT_EXITED(tracee.next(), 7);
  tracee.gone();
}

TEST(Ptrace, MemoryIsReadAndWritten) {
  static volatile long value = 1234;
  Tracee tracee([] { _exit(value == 99 ? 0 : 1); });
  long word = 0;
  EXPECT_OK(tracee.call(PTRACE_PEEKDATA, (unsigned long)&value, (unsigned long)&word));
  EXPECT_EQ(word, 1234);
  EXPECT_OK(tracee.call(PTRACE_POKEDATA, (unsigned long)&value, 99));
  EXPECT_ERRNO(tracee.call(PTRACE_PEEKDATA, 8, (unsigned long)&word), EIO);
  EXPECT_ERRNO(tracee.call(PTRACE_POKEDATA, 8, 1), EIO);
  EXPECT_ERRNO(tracee.call(PTRACE_PEEKDATA, (unsigned long)&value, 8), EFAULT);
  EXPECT_EQ(value, 1234);
  EXPECT_EXITED(tracee.next(), 0);
  tracee.gone();
}

TEST(Ptrace, ReadOnlyMemoryCanBeWritten) {
  auto* page = (long*)mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  Tracee tracee([&] { _exit(*(volatile long*)page == 55 ? 0 : 1); });
  EXPECT_OK(tracee.call(PTRACE_POKETEXT, (unsigned long)page, 55));
  EXPECT_EXITED(tracee.next(), 0);
  tracee.gone();
  munmap(page, 4096);
}

TEST(Ptrace, ProcMemOfATracee) {
  static volatile long value = 31;
  Tracee tracee([] { pause(); });
  ScopedFd fd(open(("/proc/" + std::to_string(tracee.pid()) + "/mem").c_str(), O_RDWR));
  ASSERT_OK(fd.get());
  long word = 0;
  EXPECT_EQ(pread(fd.get(), &word, sizeof word, (off_t)&value), (ssize_t)sizeof word);
  EXPECT_EQ(word, 31);
}

TEST(Ptrace, RegisterSets) {
  Tracee tracee([] { pause(); });
  char memory[4096];
  iovec vector{memory, sizeof memory};
  EXPECT_OK(tracee.call(PTRACE_GETREGSET, 1, (unsigned long)&vector));
  EXPECT_EQ(vector.iov_len, sizeof(Registers));
  vector = {memory, 16};
  EXPECT_OK(tracee.call(PTRACE_GETREGSET, 1, (unsigned long)&vector));
  EXPECT_EQ(vector.iov_len, 16u);
  vector = {memory, 13};
  EXPECT_ERRNO(tracee.call(PTRACE_GETREGSET, 1, (unsigned long)&vector), EINVAL);
  vector = {memory, sizeof memory};
  EXPECT_OK(tracee.call(PTRACE_GETREGSET, 2, (unsigned long)&vector));
  EXPECT_GE(vector.iov_len, 264u);
  EXPECT_OK(tracee.call(PTRACE_SETREGSET, 2, (unsigned long)&vector));
  EXPECT_ERRNO(tracee.call(PTRACE_GETREGSET, 0x9999, (unsigned long)&vector), EINVAL);
  EXPECT_ERRNO(tracee.call(PTRACE_GETREGSET, 1, 8), EFAULT);
}

TEST(Ptrace, FloatingPointRegistersSurvive) {
  Tracee tracee([] {
    volatile double value = 2.5;
    double product = value * 4;
    raise(SIGUSR1);
    _exit(product == 10 ? 0 : 1);
  });
  EXPECT_STOP(tracee.next(), SIGUSR1);
  char memory[4096];
  iovec vector{memory, sizeof memory};
  EXPECT_OK(tracee.call(PTRACE_GETREGSET, 2, (unsigned long)&vector));
  EXPECT_OK(tracee.call(PTRACE_SETREGSET, 2, (unsigned long)&vector));
  EXPECT_EXITED(tracee.next(), 0);
  tracee.gone();
}

TEST(Ptrace, SignalInformation) {
  Tracee tracee([] {
    static volatile int seen = 0;
    struct sigaction action{};
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = [](int, siginfo_t* info, void*) { seen = info->si_value.sival_int; };
    sigaction(SIGUSR1, &action, nullptr);
    sigqueue(getpid(), SIGUSR1, {.sival_int = 11});
    _exit(seen);
  });
  EXPECT_STOP(tracee.next(), SIGUSR1);
  siginfo_t info{};
  EXPECT_OK(tracee.call(PTRACE_GETSIGINFO, 0, (unsigned long)&info));
  EXPECT_EQ(info.si_code, SI_QUEUE);
  EXPECT_EQ(info.si_pid, tracee.pid());
  EXPECT_EQ(info.si_value.sival_int, 11);
  info.si_value.sival_int = 22;
  EXPECT_OK(tracee.call(PTRACE_SETSIGINFO, 0, (unsigned long)&info));
  EXPECT_EXITED(tracee.next(PTRACE_CONT, SIGUSR1), 22);
  tracee.gone();
}

TEST(Ptrace, PendingSignalsArePeeked) {
  Tracee tracee([] {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    for (int i = 1; i <= 3; ++i) sigqueue(getpid(), SIGRTMIN, {.sival_int = i});
    raise(SIGSTOP);
  });
  EXPECT_STOP(tracee.next(), SIGSTOP);
  __ptrace_peeksiginfo_args arguments{.off = 1, .flags = PTRACE_PEEKSIGINFO_SHARED, .nr = 5};
  siginfo_t found[5]{};
  EXPECT_EQ(tracee.call(PTRACE_PEEKSIGINFO, (unsigned long)&arguments, (unsigned long)found), 2);
  EXPECT_EQ(found[0].si_value.sival_int, 2);
  EXPECT_EQ(found[1].si_value.sival_int, 3);
  arguments.flags = 0;
  arguments.off = 0;
  EXPECT_EQ(tracee.call(PTRACE_PEEKSIGINFO, (unsigned long)&arguments, (unsigned long)found), 0);
  arguments.nr = -1;
  EXPECT_ERRNO(tracee.call(PTRACE_PEEKSIGINFO, (unsigned long)&arguments, (unsigned long)found), EINVAL);
  arguments = {.off = 0, .flags = 8, .nr = 1};
  EXPECT_ERRNO(tracee.call(PTRACE_PEEKSIGINFO, (unsigned long)&arguments, (unsigned long)found), EINVAL);
  EXPECT_OK(tracee.call(PTRACE_GETSIGMASK, 8, (unsigned long)found));
}

TEST(Ptrace, SignalMask) {
  Tracee tracee([] {
    raise(SIGUSR1);  // blocked by the tracer
    sigset_t set;
    sigpending(&set);
    _exit(sigismember(&set, SIGUSR1) ? 0 : 1);
  });
  uint64_t mask = ~0ull;
  EXPECT_OK(tracee.call(PTRACE_SETSIGMASK, 8, (unsigned long)&mask));
  mask = 0;
  EXPECT_OK(tracee.call(PTRACE_GETSIGMASK, 8, (unsigned long)&mask));
  EXPECT_EQ(mask, ~(1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1)));
  EXPECT_ERRNO(tracee.call(PTRACE_GETSIGMASK, 4, (unsigned long)&mask), EINVAL);
  EXPECT_EXITED(tracee.next(), 0);
  tracee.gone();
}

TEST(Ptrace, TracerGetsSigchld) {
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, &old);
  {
    Tracee tracee([] { raise(SIGUSR2); });
    timespec none{};
    while (sigtimedwait(&set, nullptr, &none) > 0) {
    }
    EXPECT_STOP(tracee.next(), SIGUSR2);
    siginfo_t info{};
    EXPECT_EQ(sigtimedwait(&set, &info, &none), SIGCHLD);
    EXPECT_EQ(info.si_code, CLD_TRAPPED);
    EXPECT_EQ(info.si_pid, tracee.pid());
    EXPECT_EQ(info.si_status, SIGUSR2);
  }
  timespec none{};
  while (sigtimedwait(&set, nullptr, &none) > 0) {
  }
  sigprocmask(SIG_SETMASK, &old, nullptr);
}

TEST(Ptrace, WaitidReportsTrapped) {
  Tracee tracee([] { raise(SIGUSR2); });
  EXPECT_OK(tracee.call(PTRACE_CONT));
  siginfo_t info{};
  EXPECT_OK(waitid(P_PID, (id_t)tracee.pid(), &info, WSTOPPED | WNOWAIT));
  EXPECT_EQ(info.si_code, CLD_TRAPPED);
  EXPECT_EQ(info.si_status, SIGUSR2);
  info = {};
  EXPECT_OK(waitid(P_PID, (id_t)tracee.pid(), &info, WSTOPPED | WNOHANG));
  EXPECT_EQ(info.si_pid, tracee.pid());
  info = {};
  EXPECT_OK(waitid(P_PID, (id_t)tracee.pid(), &info, WSTOPPED | WNOHANG));
  EXPECT_EQ(info.si_pid, 0);
}

TEST(Ptrace, DetachLetsItRun) {
  Tracee tracee([] { _exit(4); });
  EXPECT_OK(tracee.call(PTRACE_DETACH, 0, 0));
  EXPECT_EXITED(wait_status(tracee.pid()), 4);
  tracee.gone();
}

TEST(Ptrace, DetachDeliversASignal) {
  Tracee tracee([] {
    raise(SIGUSR1);
    pause();
  });
  EXPECT_STOP(tracee.next(), SIGUSR1);
  EXPECT_OK(tracee.call(PTRACE_DETACH, 0, SIGTERM));
  EXPECT_KILLED(wait_status(tracee.pid()), SIGTERM);
  tracee.gone();
}

TEST(Ptrace, DetachWithStopSignalStops) {
  Tracee tracee([] {
    raise(SIGUSR1);
    _exit(6);
  });
  EXPECT_STOP(tracee.next(), SIGUSR1);
  EXPECT_OK(tracee.call(PTRACE_DETACH, 0, SIGSTOP));
  int status;
  EXPECT_EQ(waitpid(tracee.pid(), &status, WUNTRACED), tracee.pid());
  EXPECT_STOP(status, SIGSTOP);
  EXPECT_OK(kill(tracee.pid(), SIGCONT));
  EXPECT_EXITED(wait_status(tracee.pid()), 6);
  tracee.gone();
}

TEST(Ptrace, ExitKillEndsTracees) {
  Rendezvous ready;
  int ends[2];
  ASSERT_OK(pipe(ends));
  const pid_t tracer = fork_child([&] {
    Tracee tracee([&] {
      while (true) pause();
    });
    EXPECT_OK(tracee.call(PTRACE_CONT));
    const pid_t pid = tracee.pid();
    EXPECT_EQ(write(ends[1], &pid, sizeof pid), (ssize_t)sizeof pid);
    _exit(0);
  });
  pid_t tracee = 0;
  EXPECT_EQ(read(ends[0], &tracee, sizeof tracee), (ssize_t)sizeof tracee);
  EXPECT_EXITED(wait_for(tracer), 0);
  for (int i = 0; i < 200 && kill(tracee, 0) == 0 && status_field(tracee, "State")[0] != 'Z'; ++i)
    sleep_milliseconds(10);
  const std::string state = kill(tracee, 0) == 0 ? status_field(tracee, "State") : "";
  EXPECT_TRUE(state.empty() || state[0] == 'Z') << state;
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
