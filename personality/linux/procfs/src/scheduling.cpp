// sched: what the scheduler knows of a thread, in the form of Linux' debugging file.
#include "core/sched/scheduler.h"
#include "core/sync/cpu_mask.h"
#include "procfs/procfs.h"
#include "subject.h"

namespace linux_procfs {

namespace {

void line(TextSink& out, std::string_view name, std::uint64_t value) {
  format(out, "{:<45}:{:>21}\n", name, value);
}
void milliseconds(TextSink& out, std::string_view name, std::uint64_t ns) {
  format(out, "{:<45}:{:>14}.{:06}\n", name, ns / 1'000'000, ns % 1'000'000);
}

Result<void> show_sched(const Subject& subject, TextSink& out) {
  RefPtr<Task> task = subject.representative();
  if (!task) return error(Errno::esrch);
  core::Thread& thread = task->thread();
  core::SchedulingParameters parameters = thread.parameters();
  auto name = thread.name();
  format(out, "{} ({}, #threads: {})\n", std::string_view(name.data()), task->id(),
         subject.process->thread_count.load(std::memory_order_relaxed));
  out.put("-------------------------------------------------------------------\n");
  milliseconds(out, "se.sum_exec_runtime", thread.runtime_ns());
  milliseconds(out, "wait_sum", thread.wait_ns());
  line(out, "nr_switches", thread.voluntary_switches() + thread.involuntary_switches());
  line(out, "nr_voluntary_switches", thread.voluntary_switches());
  line(out, "nr_involuntary_switches", thread.involuntary_switches());
  line(out, "policy", static_cast<std::uint64_t>(parameters.policy));
  line(out, "prio", static_cast<std::uint64_t>(thread.proc_priority() + 100));
  return {};
}

constexpr TextRow rows[] = {{"sched", 0444, show_sched}};

}  // namespace

std::span<const TextRow> scheduling_rows() { return rows; }

}  // namespace linux_procfs
