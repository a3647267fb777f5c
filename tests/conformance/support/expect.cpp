#include "support/expect.h"

#include <string.h>

namespace conformance {

const char* errno_name(int code) {
  if (code == 0) return "no error";
  const char* name = strerrorname_np(code);
  return name ? name : "unknown errno";
}

testing::AssertionResult failed_with(const char* call, CallOutcome outcome, int expected_errno) {
  if (outcome.result == -1 && outcome.code == expected_errno) return testing::AssertionSuccess();
  if (outcome.result != -1) {
    return testing::AssertionFailure()
           << call << " returned " << outcome.result << ", expected " << errno_name(expected_errno);
  }
  return testing::AssertionFailure() << call << " gave " << errno_name(outcome.code) << ", expected "
                                     << errno_name(expected_errno);
}

testing::AssertionResult succeeded(const char* call, CallOutcome outcome) {
  if (outcome.result != -1) return testing::AssertionSuccess();
  return testing::AssertionFailure() << call << " failed with " << errno_name(outcome.code);
}

}  // namespace conformance
