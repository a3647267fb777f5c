#include "core/init/init_step.h"

#include <gtest/gtest.h>

#include <string>

namespace core {
namespace {

std::string trace;
template <char name>
base::Result<void> note() {
  trace += name;
  return {};
}
base::Result<void> fails() {
  trace += '!';
  return base::error(base::Errno::enodev);
}

struct Outcome {
  base::Result<std::size_t> result;
  std::string trace, defect;
};
Outcome run(std::span<const InitStep> steps) {
  char memory[300];
  base::TextBuffer defect{memory};
  trace.clear();
  auto result = run_init_graph(steps, defect);
  return {result, trace, std::string(defect.view())};
}

TEST(InitGraph, RunsStepsAfterWhatTheyNeed) {
  static constexpr InitStep steps[] = {
      {"c", {"b", "milestone"}, note<'c'>}, {"b", {"a"}, note<'b'>},
      {"milestone", {}, nullptr},           {"a", {}, note<'a'>},
      {"d", {}, note<'d'>, {"milestone"}},
  };
  Outcome outcome = run(steps);
  EXPECT_EQ(outcome.result.value(), 0u);
  EXPECT_EQ(outcome.trace, "abdc");
}

TEST(InitGraph, FailureSkipsWhatNeedsItAndNothingElse) {
  static constexpr InitStep steps[] = {
      {"x", {}, fails}, {"y", {"x"}, note<'y'>}, {"z", {"y"}, note<'z'>}, {"w", {}, note<'w'>}};
  Outcome outcome = run(steps);
  EXPECT_EQ(outcome.result.value(), 3u);
  EXPECT_EQ(outcome.trace, "!w");
}

TEST(InitGraph, NamesACycle) {
  static constexpr InitStep steps[] = {{"top", {"a"}, nullptr},
                                       {"a", {"b"}, note<'a'>},
                                       {"b", {"c"}, note<'b'>},
                                       {"c", {}, note<'c'>},
                                       {"d", {"a"}, nullptr, {"c"}}};
  Outcome outcome = run(steps);
  EXPECT_EQ(outcome.result.error(), base::Errno::einval);
  EXPECT_EQ(outcome.trace, "");
  EXPECT_EQ(outcome.defect, "cycle of init steps: a needed by d needed by c needed by b needed by a");
}

TEST(InitGraph, NamesUnknownAndDuplicateSteps) {
  static constexpr InitStep unknown[] = {{"a", {"nothing"}, nullptr}};
  EXPECT_EQ(run(unknown).defect, "init step a names nothing, which does not exist");
  static constexpr InitStep twice[] = {{"a", {}, nullptr}, {"a", {}, nullptr}};
  EXPECT_EQ(run(twice).defect, "two init steps are called a");
}

}  // namespace
}  // namespace core
