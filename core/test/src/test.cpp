#include "core/test/test.h"

#include <arch/power.h>
#include <arch/time.h>

#include <atomic>

#include "core/init/command_line.h"
#include "core/init/panic.h"
#include "core/log/console.h"
#include "core/log/log.h"

// The linker names the ends of the section that KERNEL_TEST puts the cases into.
extern "C" {
extern const core::test::TestCase __start_kernel_tests[] __attribute__((weak));
extern const core::test::TestCase __stop_kernel_tests[] __attribute__((weak));
}

namespace core::test {
namespace {

// The running test. Written by the test runner; threads of a test only count failures.
constinit const TestCase* current = nullptr;
constinit std::atomic<unsigned> failures{0};
constinit std::atomic<bool> skipped{false};

std::span<const TestCase> all_tests() { return {__start_kernel_tests, __stop_kernel_tests}; }

bool matches(std::string_view pattern, const TestCase& test) {
  if (pattern == "all" || pattern == "1" || pattern.empty()) return true;
  std::string_view suite = test.suite, name = test.name;
  std::string_view suite_part = pattern.substr(0, pattern.find('.'));
  bool prefix = pattern.ends_with('*');
  if (suite_part.size() == pattern.size()) {
    if (!prefix) return suite == pattern;
    return suite.starts_with(pattern.substr(0, pattern.size() - 1));
  }
  std::string_view name_part = pattern.substr(suite_part.size() + 1);
  if (suite != suite_part) return false;
  return prefix ? name.starts_with(name_part.substr(0, name_part.size() - 1)) : name == name_part;
}

bool is_selected(std::string_view selection, const TestCase& test) {
  for (;;) {
    std::size_t comma = selection.find(',');
    if (matches(selection.substr(0, comma), test)) return true;
    if (comma == std::string_view::npos) return false;
    selection.remove_prefix(comma + 1);
  }
}

void run_one(const TestCase& test, Summary& summary) {
  failures = 0;
  skipped = false;
  current = &test;
  std::uint64_t start = arch::nanoseconds();
  test.run();
  std::uint64_t microseconds = (arch::nanoseconds() - start) / 1000;
  current = nullptr;
  if (failures) {
    ++summary.failed;  // each failure has been printed
  } else if (skipped) {
    ++summary.skipped;
  } else {
    log(LogLevel::notice, "[ PASS ] {}.{} ({}.{:03} ms)", test.suite, test.name, microseconds / 1000,
        microseconds % 1000);
    ++summary.passed;
  }
}

}  // namespace

void fail(std::string_view what, const char* file, int line) {
  failures.fetch_add(1);
  const TestCase* test = current;
  log(LogLevel::notice, "[ FAIL ] {}.{}: {}:{}: {}", test ? test->suite : "?", test ? test->name : "?", file,
      line, what);
}

void fail_comparison(const base::FormatArgument& got, const base::FormatArgument& expected, const char* file,
                     int line) {
  char memory[200];
  base::TextBuffer text{memory};
  const base::FormatArgument both[] = {got, expected};
  base::format_arguments(text, "got {}, expected {}", both);
  fail(text.view(), file, line);
}

void skip(std::string_view reason) {
  skipped = true;
  log(LogLevel::notice, "[ SKIP ] {}.{}: {}", current->suite, current->name, reason);
}

Summary run_tests(std::string_view selection) {
  Summary summary;
  for (const TestCase& test : all_tests())
    if (is_selected(selection, test)) run_one(test, summary);
  if (summary.skipped) log(LogLevel::notice, "{} skipped", summary.skipped);
  log(LogLevel::notice, "{} passed, {} failed", summary.passed, summary.failed);
  return summary;
}

void run_tests_if_asked() {
  auto selection = command_line().get("nos.test");
  if (!selection) return;
  Summary summary = run_tests(*selection);
  finish_printing();
  // The machine ends with the next line: what the console thread has not printed yet is printed here.
  enter_console_panic_mode();
  print_in_panic();
  arch::exit_emulator(summary.failed || !summary.passed ? 1 : 0);
  log(LogLevel::error, "tests: this machine has no device that ends an emulator; powering off");
  finish_printing();
  arch::power_off();
}

}  // namespace core::test
