// Runs the conformance suite.
//
//   conformance                     all cases in this process, GoogleTest's own output
//   conformance --isolate           each case in a child process of its own, one line per case
//   conformance --isolate=SECONDS   the same with another time-out (20 s otherwise)
//   conformance --gtest_filter=...  works with both
//   conformance --isolate --fail-every=N
//                                   every N-th allocation that the kernel makes for a case fails
//                                   (debugfs's failslab, /proc/PID/make-it-fail): cases may fail, but the
//                                   kernel must go on.
//
// Isolation leans on fork, waitpid, pipe, poll, kill and setpgid only, so that a kernel with most
// things broken still gets a report.
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <string>

#include "support/fault_injection.h"
#include "support/helper.h"

namespace {

constexpr int exit_skipped = 77;
// Sent by a child over the report pipe as its last act: nothing more will come.
constexpr char end_marker = '\0';

std::string one_line(const char* text) {
  std::string result;
  for (; *text && result.size() < 400; text++) {
    if (*text != '\n') {
      result += *text;
    } else if (text[1]) {
      result += "; ";
    }
  }
  return result;
}

// Writes every failure, also those seen in a child of the case, to the report pipe.
class Reporter : public testing::EmptyTestEventListener {
 public:
  explicit Reporter(int pipe) : pipe_(pipe) {}

 private:
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (result.passed()) return;
    const char* file = result.file_name() ? result.file_name() : "unknown";
    const std::string message = one_line(result.message());
    dprintf(pipe_, "%s:%d: %s\n", file, result.line_number(), message.c_str());
  }

  int pipe_;
};

[[noreturn]] void run_case(const std::string& name, int pipe) {
  setpgid(0, 0);
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new Reporter(pipe));
  testing::GTEST_FLAG(filter) = name;
  const int failed = RUN_ALL_TESTS();
  const bool skipped = testing::UnitTest::GetInstance()->skipped_test_count() > 0;
  fflush(stdout);
  if (write(pipe, &end_marker, 1) != 1) _exit(1);
  _exit(failed ? 1 : skipped ? exit_skipped : 0);
}

double now_seconds() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Takes what the pipe holds now. False when the end marker was seen.
bool drain(int pipe, std::string& report) {
  char buffer[1024];
  ssize_t count;
  bool more = true;
  while ((count = read(pipe, buffer, sizeof buffer)) > 0) {
    for (ssize_t i = 0; i < count; i++) {
      if (buffer[i] == end_marker) {
        more = false;
      } else {
        report += buffer[i];
      }
    }
  }
  return more;
}

struct Outcome {
  enum Kind { passed, failed, skipped } kind;
  std::string reason;
};

std::string first_line(const std::string& report) { return report.substr(0, report.find('\n')); }

Outcome judge(int status, bool timed_out, double time_out, const std::string& report) {
  const std::string reason = first_line(report);
  if (timed_out) return {Outcome::failed, "no end after " + std::to_string((int)time_out) + " s; " + reason};
  if (WIFSIGNALED(status)) {
    return {Outcome::failed, std::string("killed by ") + strsignal(WTERMSIG(status)) + "; " + reason};
  }
  if (!WIFEXITED(status)) return {Outcome::failed, "strange wait status " + std::to_string(status)};
  if (WEXITSTATUS(status) == exit_skipped) return {Outcome::skipped, reason};
  if (WEXITSTATUS(status) == 0) return {Outcome::passed, ""};
  return {Outcome::failed, reason.empty() ? "exit " + std::to_string(WEXITSTATUS(status)) : reason};
}

Outcome run_isolated(const std::string& name, double time_out) {
  int ends[2];
  if (pipe(ends) != 0) return {Outcome::failed, std::string("pipe: ") + strerror(errno)};
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  fflush(stdout);
  const pid_t child = fork();
  if (child < 0) {
    const int code = errno;
    close(ends[0]);
    close(ends[1]);
    return {Outcome::failed, std::string("fork: ") + strerror(code)};
  }
  if (child == 0) {
    close(ends[0]);
    // Out of the way of cases that count on low descriptors, and not for programs they execute.
    const int high = fcntl(ends[1], F_DUPFD_CLOEXEC, 900);
    if (high >= 0) close(ends[1]);
    conformance::make_it_fail();
    run_case(name, high >= 0 ? high : ends[1]);
  }
  setpgid(child, child);
  close(ends[1]);

  std::string report;
  const double deadline = now_seconds() + time_out;
  int status = 0;
  bool timed_out = false;
  bool open = true;
  for (;;) {
    pollfd wait = {ends[0], POLLIN, 0};
    // Without the end marker (a crash) the child's death is noticed by looking.
    poll(open ? &wait : nullptr, open ? 1 : 0, open ? 20 : 1);
    if (open && wait.revents) open = drain(ends[0], report) && !(wait.revents & POLLHUP);
    const pid_t done = waitpid(child, &status, WNOHANG);
    if (done == child || (done < 0 && errno == ECHILD)) break;
    if (now_seconds() > deadline) {
      timed_out = true;
      kill(-child, SIGKILL);
      kill(child, SIGKILL);
      // A child that not even SIGKILL ends must not end the run.
      for (int attempt = 0; attempt < 200; attempt++) {
        if (waitpid(child, &status, WNOHANG) != 0) break;
        poll(nullptr, 0, 10);
      }
      break;
    }
  }
  kill(-child, SIGKILL);  // What the case may have left behind.
  drain(ends[0], report);
  close(ends[0]);
  return judge(status, timed_out, time_out, report);
}

int run_all_isolated(double time_out) {
  // Lists the cases that the filter selects: should_run() is only known after a run, so the filter is
  // applied by GoogleTest in a run that does nothing.
  testing::GTEST_FLAG(list_tests) = false;
  int passed = 0, failed = 0, skipped = 0;
  const testing::UnitTest& tests = *testing::UnitTest::GetInstance();
  for (int s = 0; s < tests.total_test_suite_count(); s++) {
    const testing::TestSuite& suite = *tests.GetTestSuite(s);
    for (int t = 0; t < suite.total_test_count(); t++) {
      const testing::TestInfo& info = *suite.GetTestInfo(t);
      if (!info.should_run()) continue;
      const std::string name = std::string(suite.name()) + "." + info.name();
      const Outcome outcome = run_isolated(name, time_out);
      switch (outcome.kind) {
        case Outcome::passed:
          passed++;
          printf("[ PASS ] %s\n", name.c_str());
          break;
        case Outcome::failed:
          failed++;
          printf("[ FAIL ] %s: %s\n", name.c_str(), outcome.reason.c_str());
          break;
        case Outcome::skipped:
          skipped++;
          printf("[ SKIP ] %s: %s\n", name.c_str(), outcome.reason.c_str());
          break;
      }
      fflush(stdout);
    }
  }
  printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
  return failed ? 1 : 0;
}

// GoogleTest decides which cases a filter selects only inside RUN_ALL_TESTS. Listing makes it decide and
// run nothing; its output is thrown away.
void select_cases() {
  fflush(stdout);
  const int saved = dup(STDOUT_FILENO);
  const int null = open("/dev/null", O_WRONLY);
  if (null >= 0) dup2(null, STDOUT_FILENO);
  testing::GTEST_FLAG(list_tests) = true;
  (void)RUN_ALL_TESTS();
  testing::GTEST_FLAG(list_tests) = false;
  fflush(stdout);
  if (saved >= 0) dup2(saved, STDOUT_FILENO);
  if (saved >= 0) close(saved);
  if (null >= 0) close(null);
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count > 2 && strcmp(arguments[1], "--helper") == 0) {
    return conformance::run_helper(arguments[2], argument_count - 3, arguments + 3);
  }
  // Whoever started us may ignore signals (nohup, a shell's background job): cases expect what a login gives.
  for (int signal = 1; signal < NSIG; signal++) ::signal(signal, SIG_DFL);
  testing::InitGoogleTest(&argument_count, arguments);
  bool isolate = false;
  double time_out = 20;
  for (int i = 1; i < argument_count; i++) {
    if (strcmp(arguments[i], "--isolate") == 0) {
      isolate = true;
    } else if (strncmp(arguments[i], "--isolate=", 10) == 0) {
      isolate = true;
      time_out = atof(arguments[i] + 10);
    } else if (strncmp(arguments[i], "--fail-every=", 13) == 0) {
      if (!conformance::start_failures(atoi(arguments[i] + 13))) return 2;
    } else {
      fprintf(
          stderr,
          "usage: %s [--isolate[=SECONDS]] [--fail-every=N] [--gtest_filter=PATTERN] [--gtest_list_tests]\n",
          arguments[0]);
      return 2;
    }
  }
  if (!isolate || testing::GTEST_FLAG(list_tests)) return RUN_ALL_TESTS();
  select_cases();
  const int status = run_all_isolated(time_out);
  conformance::stop_failures();
  return status;
}
