// Tracees for the cases of this folder.
#pragma once

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "support/conformance.h"
#include "traced_registers.h"  // arch/<cpu>/

namespace conformance {

inline long trace_call(long request, pid_t pid, unsigned long address = 0, unsigned long data = 0) {
  return sys(SYS_ptrace, request, pid, address, data);
}

inline Registers registers_of(pid_t pid) {
  Registers registers{};
  iovec vector{&registers, sizeof registers};
  EXPECT_OK(trace_call(PTRACE_GETREGSET, pid, 1, (unsigned long)&vector));
  EXPECT_EQ(vector.iov_len, sizeof registers);
  return registers;
}
inline void set_registers(pid_t pid, Registers& registers) {
  iovec vector{&registers, sizeof registers};
  EXPECT_OK(trace_call(PTRACE_SETREGSET, pid, 1, (unsigned long)&vector));
}

// waitpid with __WALL.
inline int wait_status(pid_t pid) {
  int status = -1;
  pid_t found;
  do found = waitpid(pid, &status, __WALL);
  while (found < 0 && errno == EINTR);
  return found == pid ? status : -1;
}

inline testing::AssertionResult stopped_by(int status, int signal, int event = 0) {
  if (WIFSTOPPED(status) && status >> 8 == (signal | event << 8)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "wait status " << std::hex << status << ", not a stop by " << std::dec
                                     << signal << " with event " << event;
}

// A child that asks to be traced, and stops itself before it runs the body. It is killed at the end.
class Tracee {
 public:
  explicit Tracee(const std::function<void()>& body, unsigned long options = 0, bool stops = true) {
    pid_ = fork_child([&] {
      if (trace_call(PTRACE_TRACEME, 0) != 0) _exit(98);
      if (stops) raise(SIGSTOP);
      body();
    });
    if (!stops) return;
    EXPECT_TRUE(stopped_by(wait_status(pid_), SIGSTOP));
    EXPECT_OK(trace_call(PTRACE_SETOPTIONS, pid_, 0, options | PTRACE_O_EXITKILL));
  }
  ~Tracee() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    int status;
    while (waitpid(pid_, &status, __WALL) == pid_ && !WIFEXITED(status) && !WIFSIGNALED(status)) {
    }
  }
  pid_t pid() const { return pid_; }
  long call(long request, unsigned long address = 0, unsigned long data = 0) const {
    return trace_call(request, pid_, address, data);
  }
  // Resumes it and waits for what comes next.
  int next(long request = PTRACE_CONT, int signal = 0) const {
    EXPECT_OK(call(request, 0, (unsigned long)signal));
    return wait_status(pid_);
  }
  unsigned long message() const {
    unsigned long value = ~0ul;
    EXPECT_OK(call(PTRACE_GETEVENTMSG, 0, (unsigned long)&value));
    return value;
  }
  // It has ended and been waited for.
  void gone() { pid_ = -1; }

 private:
  pid_t pid_;
};

// A stop at a system call, with PTRACE_O_TRACESYSGOOD.
inline constexpr int call_stop = SIGTRAP | 0x80;

// Runs until the tracee enters the call.
inline bool run_to_entry(const Tracee& tracee, long number) {
  for (int i = 0; i < 50; ++i) {
    if (tracee.next(PTRACE_SYSCALL) >> 8 != call_stop) return false;
    __ptrace_syscall_info info{};
    EXPECT_OK(tracee.call(PTRACE_GET_SYSCALL_INFO, sizeof info, (unsigned long)&info));
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY && (long)info.entry.nr == number) return true;
  }
  return false;
}

}  // namespace conformance

#define EXPECT_STOP(status, ...) EXPECT_TRUE(::conformance::stopped_by(status, __VA_ARGS__))
#define ASSERT_STOP(status, ...) ASSERT_TRUE(::conformance::stopped_by(status, __VA_ARGS__))
