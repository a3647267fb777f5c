// A system call with each of its allocations failing in turn (/proc/PID/fail-nth).
//
//   AllocationSweep sweep({ENOMEM});
//   SWEEP_OR_SKIP(sweep);
//   sweep.run({.call = [&] { return long{eventfd(0, 0)}; }, .undo = close_result});
//
// For N = 1, 2, 3 … the call is made with the N-th allocation of this thread failing, until it is over before
// its N-th allocation. Each time it has to give one of the allowed errors and leave no trace (`unchanged`),
// or succeed although an allocation failed, and then `undo` takes its effect back. All this is repeated some
// times, and if the kernel counts its objects exactly (debug builds: debugfs's slab folder exists), no cache
// may have grown by an object each time.
//
// Linux has the file only with CONFIG_FAULT_INJECTION; without it the cases are skipped.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "support/conformance.h"

namespace conformance {

struct SweptCall {
  // Before each call, with allocations that work.
  std::function<void()> prepare = [] {};
  // -1 and errno, or the result.
  std::function<long()> call;
  // After a call that succeeded.
  std::function<void(long result)> undo = [](long) {};
  // After a call that failed: false if it changed something all the same.
  std::function<bool()> unchanged = [] { return true; };
};

class AllocationSweep {
 public:
  explicit AllocationSweep(std::vector<int> allowed_errors);
  bool available() const { return fail_nth_ >= 0; }
  void run(const SweptCall& swept);
  // The same with a child for each call, for what cannot be taken back. A call that replaces the program
  // becomes the helper "allocation_left", or its process ends without having come so far.
  enum class Program { stays, is_replaced };
  void run_in_children(const std::function<long()>& call, Program program = Program::stays);
  // How many calls failed with an error in the last run().
  int failures() const { return failures_; }

 private:
  void repeat(const std::function<void()>& once);
  void once(const SweptCall& swept);
  void once_in_children(const std::function<long()>& call, Program program);
  void arm(int number);
  int left();
  bool allowed(int code) const;

  std::vector<int> allowed_errors_;
  ScopedFd fail_nth_;
  int failures_ = 0;
};

// Exit status of the helper "allocation_left": the allocation that was to fail never came.
inline constexpr int nothing_failed = 60;

// Active objects by slab cache. Exact only where slab_counts_are_exact(); elsewhere per-CPU lists blur them.
using SlabCounts = std::map<std::string, long>;
SlabCounts slab_counts();
bool slab_counts_are_exact();
// The caches that have at least `least` objects more than before, as text; empty if none has.
std::string slab_growth(const SlabCounts& before, long least);

// The result of a call is a descriptor.
inline void close_result(long result) { close(static_cast<int>(result)); }

}  // namespace conformance

#define SWEEP_OR_SKIP(sweep) \
  if (!(sweep).available()) GTEST_SKIP() << "no /proc/thread-self/fail-nth"
