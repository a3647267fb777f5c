// limits, oom_*, cgroup, ids of the login session, and what has one answer here.
#include "core/memory/failure_injection.h"
#include "core/memory/page_allocator.h"
#include "core/memory/swap.h"
#include "procfs/procfs.h"
#include "subject.h"

namespace linux_procfs {

namespace {

Result<void> show_limits(const Subject& subject, TextSink& out) {
  struct Row {
    linux_abi::Resource resource;
    std::string_view name, unit;
  };
  using enum linux_abi::Resource;
  static constexpr Row limit_rows[] = {
      {cpu, "Max cpu time", "seconds"},         {fsize, "Max file size", "bytes"},
      {data, "Max data size", "bytes"},         {stack, "Max stack size", "bytes"},
      {core, "Max core file size", "bytes"},    {rss, "Max resident set", "bytes"},
      {nproc, "Max processes", "processes"},    {nofile, "Max open files", "files"},
      {memlock, "Max locked memory", "bytes"},  {as, "Max address space", "bytes"},
      {locks, "Max file locks", "locks"},       {sigpending, "Max pending signals", "signals"},
      {msgqueue, "Max msgqueue size", "bytes"}, {nice, "Max nice priority", ""},
      {rtprio, "Max realtime priority", ""},    {rttime, "Max realtime timeout", "us"}};
  format(out, "{:<25} {:<20} {:<20} {:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
  for (const Row& row : limit_rows) {
    linux_abi::Rlimit limit = subject.process->limit(row.resource);
    format(out, "{:<25} ", row.name);
    auto put = [&](std::uint64_t value) {
      if (value == linux_abi::rlim_infinity)
        format(out, "{:<20} ", "unlimited");
      else
        format(out, "{:<20} ", value);
    };
    put(limit.current);
    put(limit.maximum);
    format(out, "{:<10}\n", row.unit);
  }
  return {};
}

Result<void> show_oom_score_adj(const Subject& subject, TextSink& out) {
  format(out, "{}\n", subject.process->oom_score_adjustment.load(std::memory_order_relaxed));
  return {};
}

Result<void> set_adjustment(const Subject& subject, std::int64_t value) {
  if (value < -1000 || value > 1000) return error(Errno::einval);
  Process& process = *subject.process;
  bool privileged = linux_abi::current_task().can(vfs::Capability::sys_resource);
  if (value < process.oom_score_adjustment_minimum.load(std::memory_order_relaxed) && !privileged)
    return error(Errno::eacces);
  process.oom_score_adjustment.store(static_cast<std::int32_t>(value), std::memory_order_relaxed);
  if (privileged)
    process.oom_score_adjustment_minimum.store(static_cast<std::int32_t>(value), std::memory_order_relaxed);
  return {};
}

Result<void> store_oom_score_adj(const Subject& subject, std::string_view text) {
  return set_adjustment(subject, TRY(procfs::parse_number(text)));
}

// The scale of old, -17..15.
Result<void> show_oom_adj(const Subject& subject, TextSink& out) {
  int value = subject.process->oom_score_adjustment.load(std::memory_order_relaxed);
  format(out, "{}\n", value == 1000 ? 15 : value * 17 / 1000);
  return {};
}
Result<void> store_oom_adj(const Subject& subject, std::string_view text) {
  std::int64_t value = TRY(procfs::parse_number(text));
  if (value < -17 || value > 15) return error(Errno::einval);
  return set_adjustment(subject, value == 15 ? 1000 : value * 1000 / 17);
}

Result<void> show_oom_score(const Subject& subject, TextSink& out) {
  auto space = subject.process->address_space();
  auto usage = space ? space->usage() : core::AddressSpaceUsage{};
  std::uint64_t pages = usage.resident() + usage.swapped;
  auto total =
      static_cast<std::int64_t>(core::memory_statistics().total_pages + core::swap_statistics().total_pages);
  // 666 for nothing used, 1000 for half of the memory, as Linux scales it; plus the adjustment.
  std::int64_t score = 1000 + static_cast<std::int64_t>(pages) * 1000 / (total ? total : 1) +
                       subject.process->oom_score_adjustment.load(std::memory_order_relaxed);
  score = score * 2 / 3;
  format(out, "{}\n", score < 0 ? 0 : score);
  return {};
}

Result<void> show_personality(const Subject& subject, TextSink& out) {
  RefPtr<Task> task = subject.representative();
  format(out, "{:08x}\n", task ? task->personality : 0u);
  return {};
}

Result<void> show_timer_slack(const Subject& subject, TextSink& out) {
  RefPtr<Task> task = subject.representative();
  if (!task) return error(Errno::esrch);
  format(out, "{}\n", task->timer_slack_ns);
  return {};
}

// One namespace, in which every id is itself.
Result<void> show_id_map(const Subject&, TextSink& out) {
  format(out, "{:>10} {:>10} {:>10}\n", 0, 0, 4294967295u);
  return {};
}
Result<void> show_setgroups(const Subject&, TextSink& out) {
  format(out, "allow\n");
  return {};
}
Result<void> show_cgroup(const Subject&, TextSink& out) {
  format(out, "0::/\n");
  return {};
}
// Nobody has logged in through audit.
Result<void> show_unset_id(const Subject&, TextSink& out) {
  format(out, "4294967295");
  return {};
}

// Where in the kernel it waits is not told, as on a Linux without symbols.
Result<void> show_no_place(const Subject&, TextSink& out) {
  format(out, "0");
  return {};
}

// The system call in which the thread waits, with its arguments, stack and instruction pointer.
Result<void> show_system_call(const Subject& subject, TextSink& out) {
  RefPtr<Task> task = subject.representative();
  if (!task) return error(Errno::esrch);
  switch (task->thread().state()) {
    case core::RunState::asleep_interruptible:
    case core::RunState::asleep_uninterruptible:
    case core::RunState::stopped:
      break;
    default:
      if (task.get() == linux_abi::current_task_or_null()) break;
      format(out, "running\n");
      return {};
  }
  const arch::UserRegisters& registers = task->registers;
  long call = registers.system_call_number();
  format(out, "{}", call < 0 ? -1 : call);
  if (call >= 0)
    for (unsigned i = 0; i < 6; ++i) format(out, " {:#x}", registers.argument(i));
  format(out, " {:#x} {:#x}\n", registers.stack_pointer(), registers.program_counter());
  return {};
}

Result<void> show_children(const Subject& subject, TextSink& out) {
  core::MutexGuard tree{linux_abi::process_tree_lock()};
  for (linux_abi::ProcessLinks& links : subject.process->children)
    format(out, "{} ", static_cast<Process&>(links).id());
  return {};
}

// ---- Allocations that fail on purpose ----

Result<void> show_make_it_fail(const Subject& subject, TextSink& out) {
  RefPtr<Task> task = subject.representative();
  if (!task) return error(Errno::esrch);
  format(out, "{}\n", task->make_it_fail.load(std::memory_order_relaxed) ? 1 : 0);
  return {};
}
Result<void> store_make_it_fail(const Subject& subject, std::string_view text) {
  std::int64_t value = TRY(procfs::parse_number(text));
  if (value < 0 || value > 1) return error(Errno::einval);
  if (!linux_abi::current_task().can(vfs::Capability::sys_resource)) return error(Errno::eperm);
  RefPtr<Task> task = subject.representative();
  if (!task) return error(Errno::esrch);
  task->make_it_fail.store(value != 0, std::memory_order_relaxed);
  return {};
}

constexpr TextRow rows[] = {
    {"make-it-fail", 0644, show_make_it_fail, store_make_it_fail},
    {"limits", 0444, show_limits},
    {"oom_score", 0444, show_oom_score},
    {"oom_score_adj", 0644, show_oom_score_adj, store_oom_score_adj},
    {"oom_adj", 0644, show_oom_adj, store_oom_adj},
    {"personality", 0400, show_personality, nullptr, TextRow::Inspect::checked},
    {"timerslack_ns", 0444, show_timer_slack, nullptr, TextRow::Inspect::free, TextRow::Where::process_only},
    {"uid_map", 0444, show_id_map},
    {"gid_map", 0444, show_id_map},
    {"projid_map", 0444, show_id_map},
    {"setgroups", 0444, show_setgroups, nullptr, TextRow::Inspect::free, TextRow::Where::process_only},
    {"cgroup", 0444, show_cgroup},
    {"coredump_filter", 0644, show_core_filter, store_core_filter, TextRow::Inspect::free,
     TextRow::Where::process_only},
    {"wchan", 0444, show_no_place},
    {"loginuid", 0444, show_unset_id},
    {"sessionid", 0444, show_unset_id},
    {"syscall", 0400, show_system_call, nullptr, TextRow::Inspect::checked},
    {"children", 0444, show_children, nullptr, TextRow::Inspect::free, TextRow::Where::thread_only},
};

}  // namespace

std::span<const TextRow> other_rows() { return rows; }

}  // namespace linux_procfs
