#include "core/init/command_line.h"
#include "core/init/init_step.h"
#include "core/log/log.h"
#include "init_graph.h"

namespace core {
namespace {

class Run {
 public:
  explicit Run(std::span<const InitStep> steps, const InitGraph& graph)
      : steps_(steps), graph_(graph), verbose_(command_line().has("initcall_debug")) {}

  void step(std::size_t index) {
    const InitStep& step = steps_[index];
    std::size_t missing = index;
    graph_.for_each_requirement(index, [&](std::size_t needed) {
      if (outcomes_[needed] == InitOutcome::done) return true;
      missing = needed;
      return false;
    });
    if (missing != index) {
      log(LogLevel::error, "init: {} left out, because {} did not succeed", step.name, steps_[missing].name);
      outcomes_[index] = InitOutcome::skipped;
      ++failures_;
      return;
    }
    outcomes_[index] = InitOutcome::done;
    if (step.run) run_function(index);
  }
  std::size_t failures() const { return failures_; }

 private:
  void run_function(std::size_t index) {
    const InitStep& step = steps_[index];
    if (verbose_) log(LogLevel::info, "init: calling {}", step.name);
    std::uint64_t start = log_clock_now();
    auto result = step.run();
    std::uint64_t microseconds = (log_clock_now() - start) / 1000;
    if (!result) {
      log(LogLevel::error, "init: {} failed with error {} after {} us", step.name, result.error(),
          microseconds);
      outcomes_[index] = InitOutcome::failed;
      ++failures_;
    } else if (verbose_) {
      log(LogLevel::info, "init: {} returned after {} us", step.name, microseconds);
    }
  }

  std::span<const InitStep> steps_;
  const InitGraph& graph_;
  bool verbose_;
  std::array<InitOutcome, InitGraph::steps_max> outcomes_{};
  std::size_t failures_ = 0;
};

}  // namespace

base::Result<std::size_t> run_init_graph(std::span<const InitStep> steps, base::TextSink& defect) {
  InitGraph graph{steps};
  TRY(graph.sort(defect));
  Run run{steps, graph};
  for (std::uint16_t index : graph.order()) run.step(index);
  return run.failures();
}

}  // namespace core
