#include "support/each_allocation.h"

#include <sys/mount.h>

#include <algorithm>
#include <sstream>

namespace conformance {
namespace {

constexpr int rounds = 12;
// More allocations than this make a call that never ends.
constexpr int most_allocations = 400;
constexpr char exact_counts[] = "/sys/kernel/debug/slab";

}  // namespace

SlabCounts slab_counts() {
  std::istringstream lines(slurp("/proc/slabinfo"));
  SlabCounts counts;
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string name;
    long active = 0;
    if (words >> name >> active) counts[name] += active;
  }
  return counts;
}

bool slab_counts_are_exact() {
  if (access("/sys/kernel", F_OK) != 0) {
    mkdir("/sys", 0555);
    mount("sysfs", "/sys", "sysfs", 0, nullptr);
  }
  if (access(exact_counts, F_OK) != 0) mount("debugfs", "/sys/kernel/debug", "debugfs", 0, nullptr);
  return access(exact_counts, F_OK) == 0;
}

namespace {

// Names, and what is freed later.
void settle() {
  ScopedFd drop = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
  if (drop >= 0 && write(drop, "2", 1) != 1) printf("drop_caches: %s\n", errno_name(errno));
}

}  // namespace

std::string slab_growth(const SlabCounts& before, long least) {
  std::string text;
  for (const auto& [name, count] : slab_counts()) {
    const auto found = before.find(name);
    const long more = count - (found == before.end() ? 0 : found->second);
    if (more >= least) text += " " + name + " +" + std::to_string(more);
  }
  return text;
}

AllocationSweep::AllocationSweep(std::vector<int> allowed_errors)
    : allowed_errors_(std::move(allowed_errors)),
      fail_nth_(open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC)) {}

void AllocationSweep::arm(int number) {
  char text[16];
  const int size = snprintf(text, sizeof text, "%d", number);
  EXPECT_EQ(pwrite(fail_nth_, text, size, 0), size);
}

int AllocationSweep::left() {
  char text[16] = {};
  EXPECT_GT(pread(fail_nth_, text, sizeof text - 1, 0), 0);
  return atoi(text);
}

bool AllocationSweep::allowed(int code) const {
  return std::find(allowed_errors_.begin(), allowed_errors_.end(), code) != allowed_errors_.end();
}

void AllocationSweep::once(const SweptCall& swept) {
  for (int number = 1;; number++) {
    ASSERT_LT(number, most_allocations) << "there is no end of allocations";
    swept.prepare();
    arm(number);
    errno = 0;
    const long result = swept.call();
    const int code = errno;
    const bool injected = left() == 0;
    arm(0);
    if (result >= 0) {
      swept.undo(result);
      if (!injected) return;
      continue;
    }
    failures_++;
    ASSERT_TRUE(injected) << errno_name(code) << " although no allocation failed; number " << number;
    ASSERT_TRUE(allowed(code)) << errno_name(code) << " when allocation " << number << " fails";
    ASSERT_TRUE(swept.unchanged()) << "a call whose allocation " << number << " failed changed something";
  }
}

// Exit statuses of the children: nothing_failed, or
constexpr int call_succeeded = 0, call_failed = 61, wrong_error = 62;

void AllocationSweep::once_in_children(const std::function<long()>& call, Program program) {
  for (int number = 1;; number++) {
    ASSERT_LT(number, most_allocations) << "there is no end of allocations";
    const pid_t child = fork();
    ASSERT_OK(child);
    if (child == 0) {
      AllocationSweep mine(allowed_errors_);
      // The C library of a new program says what it misses.
      if (program == Program::is_replaced) dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
      mine.arm(number);
      const long result = call();
      const int code = errno;
      const bool injected = mine.left() == 0;
      if (result >= 0) _exit(injected ? call_succeeded : nothing_failed);
      if (!injected || !allowed(code)) printf("%s when allocation %d fails\n", errno_name(code), number);
      fflush(stdout);
      _exit(injected && allowed(code) ? call_failed : wrong_error);
    }
    const int status = wait_for(child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == nothing_failed) return;
    const bool stayed = WIFEXITED(status) && WEXITSTATUS(status) <= call_failed;
    const bool wrong = WIFEXITED(status) && WEXITSTATUS(status) == wrong_error;
    ASSERT_TRUE(!wrong && (stayed || program == Program::is_replaced))
        << "status " << status << ", number " << number;
    if (stayed && WEXITSTATUS(status) == call_failed) failures_++;
  }
}

void AllocationSweep::repeat(const std::function<void()>& once) {
  failures_ = 0;
  once();  // what is made once for all
  const bool exact = slab_counts_are_exact();
  if (testing::Test::HasFatalFailure()) return;
  if (exact) settle();
  const SlabCounts before = exact ? slab_counts() : SlabCounts();
  for (int round = 1; round <= rounds && !testing::Test::HasFatalFailure(); round++) once();
  if (!exact || testing::Test::HasFatalFailure()) return;
  // What is freed later comes late.
  std::string grown;
  for (int wait = 0; wait < 30; wait++) {
    settle();
    // An object in each round.
    grown = slab_growth(before, rounds);
    if (grown.empty()) return;
    sleep_milliseconds(100);
  }
  FAIL() << "objects are lost in " << rounds << " rounds:" << grown;
}

void AllocationSweep::run(const SweptCall& swept) {
  repeat([&] { once(swept); });
}

void AllocationSweep::run_in_children(const std::function<long()>& call, Program program) {
  repeat([&] { once_in_children(call, program); });
}

}  // namespace conformance
