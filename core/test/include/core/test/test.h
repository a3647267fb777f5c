// Tests that run inside the booted kernel.
//
//   KERNEL_TEST(mutex, inherits_priority) {
//     using core::test::expect, core::test::expect_equal;
//     expect(try_it(), "the waiter lent nothing");
//     expect_equal(count, 3);
//   }
//
// They live in tests/kernel/ of a module. nos.test=all, or a comma separated list of suites, tests
// ("mutex.inherits_priority") and prefixes ("mutex.*"), on the command line runs them after the init graph,
// in a kernel thread, one after the other:
//
//   [ PASS ] mutex.inherits_priority (0.3 ms)
//   [ FAIL ] mutex.other: core/sync/tests/kernel/mutex_test.cpp:31: count 2, expected 3
//   41 passed, 1 failed
//
// and then ends the emulator: status 0 when none failed, 1 otherwise. A test may start threads and must wait
// for them; expect() works in any of them and never ends the test (use `if (!expect(...)) return;`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/format.h"
#include "base/result.h"

namespace core::test {

struct alignas(32) TestCase {
  const char* suite;
  const char* name;
  void (*run)();
};

// Records a failure of the running test; any context.
void fail(std::string_view what, const char* file = __builtin_FILE(), int line = __builtin_LINE());
// The test cannot run here (one CPU only, no such device): reported as skipped, with the reason.
void skip(std::string_view reason);

inline bool expect(bool condition, std::string_view what = "expectation failed",
                   const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (!condition) [[unlikely]]
    fail(what, file, line);
  return condition;
}

void fail_comparison(const base::FormatArgument& got, const base::FormatArgument& expected, const char* file,
                     int line);

template <typename A, typename B>
bool expect_equal(const A& got, const B& expected, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  bool equal;
  if constexpr (std::is_integral_v<A> && std::is_integral_v<B>)
    equal = static_cast<std::common_type_t<A, B>>(got) == static_cast<std::common_type_t<A, B>>(expected);
  else
    equal = got == expected;
  if (!equal) [[unlikely]]
    fail_comparison(base::FormatArgument(got), base::FormatArgument(expected), file, line);
  return equal;
}

// The Result holds a value / this error.
template <typename T>
bool expect_ok(const base::Result<T>& result, const char* file = __builtin_FILE(),
               int line = __builtin_LINE()) {
  if (!result) [[unlikely]]
    fail_comparison(result.error(), "no error", file, line);
  return result.has_value();
}
template <typename T>
bool expect_error(const base::Result<T>& result, base::Errno expected, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  if (result) [[unlikely]] {
    fail_comparison("no error", expected, file, line);
    return false;
  }
  return expect_equal(result.error(), expected, file, line);
}

struct Summary {
  std::size_t passed = 0, failed = 0, skipped = 0;
};
// Runs what `selection` (the value of nos.test=) names and prints the report.
Summary run_tests(std::string_view selection);
// If the command line asks for tests: runs them and ends the emulator. Else returns. Called by the first
// kernel thread.
void run_tests_if_asked();

}  // namespace core::test

// `suite` and `name` are identifiers.
#define KERNEL_TEST(suite, name)                                                                   \
  static void kernel_test_##suite##_##name();                                                      \
  [[gnu::section("kernel_tests"), gnu::used,                                                       \
    gnu::retain]] static constinit const ::core::test::TestCase kernel_test_case_##suite##_##name{ \
      #suite, #name, kernel_test_##suite##_##name};                                                \
  static void kernel_test_##suite##_##name()
