// Matchers for system calls: what they return and which errno they leave.
#pragma once

#include <errno.h>
#include <gtest/gtest.h>

namespace conformance {

// What a call left behind.
struct CallOutcome {
  long result;
  int code;
};

// The call has to have failed with -1 and exactly this errno.
testing::AssertionResult failed_with(const char* call, CallOutcome outcome, int expected_errno);

// The call must not have returned -1.
testing::AssertionResult succeeded(const char* call, CallOutcome outcome);

// "ENOENT" for messages.
const char* errno_name(int code);

}  // namespace conformance

// Evaluates the call once, as an expression.
#define CALL_OUTCOME(call)                          \
  ({                                                \
    const long call_result = (long)(call);          \
    ::conformance::CallOutcome{call_result, errno}; \
  })

#define EXPECT_ERRNO(call, code) \
  GTEST_ASSERT_(::conformance::failed_with(#call, CALL_OUTCOME(call), code), GTEST_NONFATAL_FAILURE_)
#define EXPECT_OK(call) \
  GTEST_ASSERT_(::conformance::succeeded(#call, CALL_OUTCOME(call)), GTEST_NONFATAL_FAILURE_)

// For bare calls, and for values kept in a variable: `const int fd = open(...); ASSERT_OK(fd);`
#define ASSERT_OK(call) \
  GTEST_ASSERT_(::conformance::succeeded(#call, CALL_OUTCOME(call)), GTEST_FATAL_FAILURE_)
