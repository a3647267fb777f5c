// Child processes for tests.
//
//   EXPECT_CHILD_OK([&] { EXPECT_ERRNO(open(path("secret"), O_RDONLY), EACCES); });
//
// Expectations work inside the child: a failed one is printed there and makes the child exit with
// child_failed, which the parent then reports.
#pragma once

#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "support/expect.h"
#include "support/scoped_fd.h"

namespace conformance {

inline constexpr int child_failed = 99;

// A user and group that own nothing.
inline constexpr unsigned other_user = 12345;
inline constexpr unsigned other_group = 12346;

// Forks; the child runs the body and exits with 0, or child_failed if an expectation failed in it.
// Returns the child's process id. Without a child the calling process ends, its case failed.
pid_t fork_child(const std::function<void()>& body);

// waitpid that repeats after EINTR; returns the status, or -1.
int wait_for(pid_t child);

// fork_child and wait_for in one.
int run_child(const std::function<void()>& body);

// Ends a child at once, after printing what failed.
[[noreturn]] void finish_child();

// Makes the calling process an ordinary user: no groups, no capabilities.
void drop_privileges(unsigned user = other_user, unsigned group = other_group);

testing::AssertionResult exited_with(int status, int code);
testing::AssertionResult killed_by(int status, int signal);

// Two processes waiting for each other, one byte at a time.
class Rendezvous {
 public:
  Rendezvous();
  bool valid() const { return reader_ >= 0; }
  void notify();
  // False if the other side died without notifying (only once all other copies of the writer are closed).
  bool wait();
  // The waiting side closes its copy of the writer so that wait() sees the other side's death.
  void close_writer() { writer_.reset(); }

 private:
  ScopedFd reader_;
  ScopedFd writer_;
};

// Waits until the state letter of /proc/<pid>/stat is the wanted one ('S', 'T', 'Z', ...).
bool wait_for_state(pid_t process, char state);

// Sleeps a little.
void sleep_milliseconds(long milliseconds);

// The monotonic clock in milliseconds.
long now_milliseconds();

}  // namespace conformance

#define EXPECT_CHILD_OK(...) EXPECT_TRUE(::conformance::exited_with(::conformance::run_child(__VA_ARGS__), 0))
#define EXPECT_EXITED(status, code) EXPECT_TRUE(::conformance::exited_with(status, code))
#define EXPECT_KILLED(status, signal) EXPECT_TRUE(::conformance::killed_by(status, signal))
