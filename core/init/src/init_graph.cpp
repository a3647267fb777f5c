#include "init_graph.h"

#include <string_view>

namespace core {

std::size_t InitGraph::find(std::string_view name) const {
  for (std::size_t i = 0; i < steps_.size(); ++i)
    if (name == steps_[i].name) return i;
  return not_found;
}

base::Result<void> InitGraph::check_names(base::TextSink& defect) const {
  if (steps_.size() > steps_max) {
    base::format(defect, "{} init steps, at most {}", steps_.size(), steps_max);
    return base::error(base::Errno::einval);
  }
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (find(steps_[i].name) != i) {
      base::format(defect, "two init steps are called {}", steps_[i].name);
      return base::error(base::Errno::einval);
    }
    for (auto names : {steps_[i].runs_after(), steps_[i].runs_before()})
      for (const char* name : names)
        if (find(name) == not_found) {
          base::format(defect, "init step {} names {}, which does not exist", steps_[i].name, name);
          return base::error(base::Errno::einval);
        }
  }
  return {};
}

bool InitGraph::for_each_requirement(std::size_t step, base::FunctionRef<bool(std::size_t)> visit) const {
  for (const char* name : steps_[step].runs_after())
    if (!visit(find(name))) return false;
  for (std::size_t other = 0; other < steps_.size(); ++other)
    for (const char* name : steps_[other].runs_before())
      if (std::string_view(name) == steps_[step].name && !visit(other)) return false;
  return true;
}

// Depth first: what it needs, then itself. The depth is bounded by the longest chain of steps, some tens.
bool InitGraph::place(std::size_t step, base::TextSink& defect) {
  if (marks_[step] == Mark::placed) return true;
  if (marks_[step] == Mark::on_path) {
    cycle_start_ = step;
    base::format(defect, "cycle of init steps: {}", steps_[step].name);
    return false;
  }
  marks_[step] = Mark::on_path;
  if (!for_each_requirement(step, [&](std::size_t needed) { return place(needed, defect); })) {
    // On the way back up, name the members of the cycle.
    if (cycle_start_ != not_found) base::format(defect, " needed by {}", steps_[step].name);
    if (cycle_start_ == step) cycle_start_ = not_found;
    return false;
  }
  marks_[step] = Mark::placed;
  order_[order_size_++] = static_cast<std::uint16_t>(step);
  return true;
}

base::Result<void> InitGraph::sort(base::TextSink& defect) {
  TRY(check_names(defect));
  for (std::size_t step = 0; step < steps_.size(); ++step)
    if (!place(step, defect)) return base::error(base::Errno::einval);
  return {};
}

}  // namespace core
