// seccomp(2), PR_SET_SECCOMP: filters and what they decide.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>

#include <atomic>

#include "support/helper.h"
#include "tracing/tracee.h"

namespace {
using namespace conformance;

using Filter = std::vector<sock_filter>;

long install(const Filter& filter, unsigned flags = 0) {
  sock_fprog program{(unsigned short)filter.size(), const_cast<sock_filter*>(filter.data())};
  return sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

// One answer for one call, another for the rest.
Filter answer(long call, unsigned action, unsigned otherwise = SECCOMP_RET_ALLOW) {
  return {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1), BPF_STMT(BPF_RET | BPF_K, action),
          BPF_STMT(BPF_RET | BPF_K, otherwise)};
}

void no_new_privileges() { EXPECT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); }

// In a child, which may do with itself what it likes.
int run_filtered(const Filter& filter, const std::function<void()>& body) {
  return run_child([&] {
    no_new_privileges();
    EXPECT_OK(install(filter));
    body();
    finish_child();
  });
}

TEST(Seccomp, ErrorIsReturned) {
  EXPECT_EXITED(run_filtered(answer(SYS_getppid, SECCOMP_RET_ERRNO | ENOTTY),
                             [] { EXPECT_ERRNO(sys(SYS_getppid), ENOTTY); }),
                0);
}

TEST(Seccomp, ErrorZeroIsSuccess) {
  EXPECT_EXITED(run_filtered(answer(SYS_getppid, SECCOMP_RET_ERRNO), [] { EXPECT_EQ(sys(SYS_getppid), 0); }),
                0);
}

TEST(Seccomp, ErrorIsCapped) {
  EXPECT_EXITED(run_filtered(answer(SYS_getppid, SECCOMP_RET_ERRNO | 0xffff),
                             [] { EXPECT_ERRNO(sys(SYS_getppid), 4095); }),
                0);
}

TEST(Seccomp, KillProcess) {
  EXPECT_KILLED(run_filtered(answer(SYS_getppid, SECCOMP_RET_KILL_PROCESS), [] { sys(SYS_getppid); }),
                SIGSYS);
}

TEST(Seccomp, KillThreadOfAProcessWithOne) {
  EXPECT_KILLED(run_filtered(answer(SYS_getppid, SECCOMP_RET_KILL_THREAD), [] { sys(SYS_getppid); }), SIGSYS);
}

TEST(Seccomp, KillThreadLeavesTheOthers) {
  EXPECT_EXITED(run_filtered(answer(SYS_getppid, SECCOMP_RET_KILL_THREAD),
                             [] {
                               pthread_t thread;
                               pthread_create(
                                   &thread, nullptr,
                                   [](void*) -> void* {
                                     sys(SYS_getppid);
                                     _exit(1);
                                   },
                                   nullptr);
                               sleep_milliseconds(100);
                               _exit(33);
                             }),
                33);
}

TEST(Seccomp, UnknownActionKills) {
  EXPECT_KILLED(run_filtered(answer(SYS_getppid, 0x12340000), [] { sys(SYS_getppid); }), SIGSYS);
}

TEST(Seccomp, TrapSendsSigsys) {
  EXPECT_EXITED(run_filtered(answer(SYS_getppid, SECCOMP_RET_TRAP | 77),
                             [] {
                               static siginfo_t seen;
                               struct sigaction action{};
                               action.sa_flags = SA_SIGINFO;
                               action.sa_sigaction = [](int, siginfo_t* info, void*) { seen = *info; };
                               sigaction(SIGSYS, &action, nullptr);
                               sys(SYS_getppid);
                               EXPECT_EQ(seen.si_signo, SIGSYS);
                               EXPECT_EQ(seen.si_code, 1);
                               EXPECT_EQ(seen.si_errno, 77);
                               EXPECT_EQ(seen.si_syscall, SYS_getppid);
                               EXPECT_NE(seen.si_call_addr, nullptr);
                             }),
                0);
}

TEST(Seccomp, TrapWithoutHandlerKills) {
  EXPECT_KILLED(run_filtered(answer(SYS_getppid, SECCOMP_RET_TRAP), [] { sys(SYS_getppid); }), SIGSYS);
}

TEST(Seccomp, LogAllows) {
  EXPECT_EXITED(
      run_filtered(answer(SYS_getppid, SECCOMP_RET_LOG), [] { EXPECT_EQ(sys(SYS_getppid), getppid()); }), 0);
}

TEST(Seccomp, TraceWithoutTracerIsENOSYS) {
  EXPECT_EXITED(
      run_filtered(answer(SYS_getppid, SECCOMP_RET_TRACE), [] { EXPECT_ERRNO(sys(SYS_getppid), ENOSYS); }),
      0);
}

TEST(Seccomp, TraceStopsForTheTracer) {
  Tracee tracee(
      [] {
        no_new_privileges();
        install(answer(SYS_getppid, SECCOMP_RET_TRACE | 99));
        _exit(sys(SYS_getppid) == 4321 ? 0 : 1);
      },
      PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD);
  EXPECT_STOP(tracee.next(), SIGTRAP, PTRACE_EVENT_SECCOMP);
  EXPECT_EQ(tracee.message(), 99u);
  __ptrace_syscall_info info{};
  EXPECT_OK(tracee.call(PTRACE_GET_SYSCALL_INFO, sizeof info, (unsigned long)&info));
  EXPECT_EQ(info.op, PTRACE_SYSCALL_INFO_SECCOMP);
  EXPECT_EQ((long)info.seccomp.nr, SYS_getppid);
  EXPECT_EQ(info.seccomp.ret_data, 99u);
  EXPECT_STOP(tracee.next(PTRACE_SYSCALL), call_stop);
  Registers registers = registers_of(tracee.pid());
  set_call_result(registers, 4321);
  set_registers(tracee.pid(), registers);
  EXPECT_EXITED(tracee.next(), 0);
  tracee.gone();
}

TEST(Seccomp, ArgumentsAreSeen) {
  Filter filter = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_lseek, 0, 3),
                   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1])),
                   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 1),
                   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
                   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  EXPECT_EXITED(run_filtered(filter,
                             [] {
                               EXPECT_ERRNO(sys(SYS_lseek, -1, 17, 0), EXDEV);
                               EXPECT_ERRNO(sys(SYS_lseek, -1, 18, 0), EBADF);
                             }),
                0);
}

TEST(Seccomp, ArithmeticAndMemory) {
  // ((nr + 6) * 2 - 12) / 2 == nr, by way of memory and the index register.
  Filter filter = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                   BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 6),
                   BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 1),
                   BPF_STMT(BPF_ST, 3),
                   BPF_STMT(BPF_LDX | BPF_IMM, 12),
                   BPF_STMT(BPF_LD | BPF_MEM, 3),
                   BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),
                   BPF_STMT(BPF_MISC | BPF_TAX, 0),
                   BPF_STMT(BPF_LD | BPF_IMM, 2),
                   BPF_STMT(BPF_STX, 4),
                   BPF_STMT(BPF_LDX | BPF_MEM, 4),
                   BPF_STMT(BPF_ST, 5),
                   BPF_STMT(BPF_MISC | BPF_TXA, 0),
                   BPF_STMT(BPF_LDX | BPF_MEM, 5),
                   BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
                   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
                   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EDOM),
                   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  EXPECT_EXITED(run_filtered(filter,
                             [] {
                               EXPECT_ERRNO(sys(SYS_getppid), EDOM);
                               EXPECT_OK(sys(SYS_getpid));
                             }),
                0);
}

TEST(Seccomp, BadProgramsAreRefused) {
  EXPECT_CHILD_OK([] {
    no_new_privileges();
    EXPECT_ERRNO(install({}), EINVAL);
    EXPECT_ERRNO(install({BPF_STMT(BPF_LD | BPF_IMM, 1)}), EINVAL);  // does not end
    EXPECT_ERRNO(install({BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_K, 0)}), EINVAL);
    EXPECT_ERRNO(install({BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), BPF_STMT(BPF_RET | BPF_K, 0)}), EINVAL);
    EXPECT_ERRNO(install({BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), BPF_STMT(BPF_RET | BPF_K, 0)}), EINVAL);
    EXPECT_ERRNO(install({BPF_STMT(BPF_LD | BPF_MEM, 1), BPF_STMT(BPF_RET | BPF_K, 0)}), EINVAL);
    EXPECT_ERRNO(install({BPF_STMT(BPF_ST, 16), BPF_STMT(BPF_RET | BPF_K, 0)}), EINVAL);
    EXPECT_ERRNO(install({BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, 0)}), EINVAL);
    EXPECT_ERRNO(install({BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), BPF_STMT(BPF_RET | BPF_K, 0)}), EINVAL);
    EXPECT_ERRNO(install({BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), BPF_STMT(BPF_RET | BPF_K, 0)}), EINVAL);
    EXPECT_ERRNO(install({BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0)}),
                 EINVAL);
    EXPECT_ERRNO(install({{0xffff, 0, 0, 0}, BPF_STMT(BPF_RET | BPF_K, 0)}), EINVAL);
    EXPECT_ERRNO(sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 8), EFAULT);
    EXPECT_ERRNO(sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x8000, 0), EINVAL);
    EXPECT_ERRNO(sys(SYS_seccomp, 99, 0, 0), EINVAL);
    EXPECT_ERRNO(prctl(PR_SET_SECCOMP, 7, 0), EINVAL);
    EXPECT_EQ(prctl(PR_GET_SECCOMP), 0);
  });
}

TEST(Seccomp, NeedsPrivilegeOrPromise) {
  EXPECT_CHILD_OK([] {
    drop_privileges();
    EXPECT_ERRNO(install({BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}), EACCES);
    no_new_privileges();
    EXPECT_OK(install({BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}));
  });
}

TEST(Seccomp, StrictestOfSeveralCounts) {
  EXPECT_EXITED(run_filtered(answer(SYS_getppid, SECCOMP_RET_ERRNO | ENOTTY),
                             [] {
                               EXPECT_OK(install(answer(SYS_getppid, SECCOMP_RET_ALLOW)));
                               EXPECT_ERRNO(sys(SYS_getppid), ENOTTY);
                               EXPECT_OK(install(answer(SYS_getppid, SECCOMP_RET_ERRNO | EDOM)));
                               EXPECT_ERRNO(sys(SYS_getppid), EDOM);
                             }),
                0);
}

TEST(Seccomp, ChildrenInherit) {
  EXPECT_EXITED(run_filtered(answer(SYS_getppid, SECCOMP_RET_ERRNO | ENOTTY),
                             [] { EXPECT_CHILD_OK([] { EXPECT_ERRNO(sys(SYS_getppid), ENOTTY); }); }),
                0);
}

HELPER(filtered_program) { return sys(SYS_getppid) == -1 && errno == ENOTTY ? 44 : 45; }

TEST(Seccomp, ExecKeepsFilters) {
  EXPECT_EXITED(run_filtered(answer(SYS_getppid, SECCOMP_RET_ERRNO | ENOTTY),
                             [] { execute_helper("filtered_program"); }),
                44);
}

TEST(Seccomp, StrictMode) {
  EXPECT_EXITED(run_child([] {
                  EXPECT_OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
                  EXPECT_EQ(write(-1, "", 1), -1);
                  sys(SYS_exit, 12);
                }),
                12);
  EXPECT_KILLED(run_child([] {
                  EXPECT_OK(sys(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0));
                  sys(SYS_getpid);
                }),
                SIGKILL);
}

TEST(Seccomp, StrictModeArguments) {
  EXPECT_CHILD_OK([] {
    EXPECT_ERRNO(sys(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, 0), EINVAL);
    EXPECT_ERRNO(sys(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 8), EINVAL);
    no_new_privileges();
    EXPECT_OK(install({BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}));
    EXPECT_ERRNO(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), EINVAL);
    EXPECT_EQ(prctl(PR_GET_SECCOMP), SECCOMP_MODE_FILTER);
  });
}

TEST(Seccomp, ThreadsAreBroughtInStep) {
  EXPECT_CHILD_OK([] {
    static std::atomic<int> phase = 0;
    static std::atomic<bool> refused = false;
    pthread_t thread;
    pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
          while (phase != 1) sched_yield();
          refused = sys(SYS_getppid) == -1 && errno == ENOTTY;
          return nullptr;
        },
        nullptr);
    no_new_privileges();
    EXPECT_OK(install(answer(SYS_getppid, SECCOMP_RET_ERRNO | ENOTTY), SECCOMP_FILTER_FLAG_TSYNC));
    phase = 1;
    pthread_join(thread, nullptr);
    EXPECT_TRUE(refused);
  });
}

TEST(Seccomp, ThreadsThatCannotBeBroughtInStep) {
  EXPECT_CHILD_OK([] {
    static std::atomic<int> phase = 0;
    static std::atomic<pid_t> id = 0;
    pthread_t thread;
    pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
          id = (pid_t)sys(SYS_gettid);
          no_new_privileges();
          EXPECT_OK(install({BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}));
          phase = 1;
          while (phase != 2) sched_yield();
          return nullptr;
        },
        nullptr);
    while (phase != 1) sched_yield();
    no_new_privileges();
    const Filter filter = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    EXPECT_EQ(install(filter, SECCOMP_FILTER_FLAG_TSYNC), id.load());
    EXPECT_ERRNO(install(filter, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH), ESRCH);
    phase = 2;
    pthread_join(thread, nullptr);
  });
}

TEST(Seccomp, ActionsAvailable) {
  unsigned action = SECCOMP_RET_ERRNO;
  EXPECT_OK(sys(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
  action = 0x12340000;
  EXPECT_ERRNO(sys(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action), EOPNOTSUPP);
  EXPECT_ERRNO(sys(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &action), EINVAL);
  EXPECT_ERRNO(sys(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, 8), EFAULT);
}

TEST(Seccomp, StatusShowsTheMode) {
  EXPECT_EXITED(run_filtered({BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
                             [] {
                               char text[8192] = {};
                               ScopedFd fd(open("/proc/self/status", O_RDONLY));
                               EXPECT_OK(read(fd.get(), text, sizeof text - 1));
                               EXPECT_NE(strstr(text, "Seccomp:\t2\nSeccomp_filters:\t"), nullptr);
                               EXPECT_NE(strstr(text, "NoNewPrivs:\t1\n"), nullptr);
                             }),
                0);
}

}  // namespace
