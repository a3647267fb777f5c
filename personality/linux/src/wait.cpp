#include "linux_abi/wait.h"

#include "linux_abi/relations.h"
#include "linux_abi/tracing.h"

namespace linux_abi {

using base::Errno;
using base::error;

namespace {

bool matches(const WaitRequest& request, Process& child) {
  if (child.nobody_waits) return false;
  switch (request.kind) {
    case WaitId::all:
      break;
    case WaitId::pid:
    case WaitId::pidfd:
      if (child.pid != request.pid) return false;
      break;
    case WaitId::pgid:
      if (!request.pid || child.group != request.pid) return false;
      break;
  }
  if (request.options & wall) return true;
  return (child.exit_signal != signal::chld) == ((request.options & wclone) != 0);
}

std::uint32_t uid_of(Process& child) {
  if (child.last_credentials) return child.last_credentials->uid;
  auto credentials = credentials_of(child);
  return credentials ? credentials->uid : 0;
}

WaitResult take_zombie(Process& child, bool keep) REQUIRES(process_tree_lock()) {
  WaitResult result;
  result.pid = child.id();
  result.uid = uid_of(child);
  result.wait_status = child.exit_status;
  if (child.exit_status & 0x7f) {
    result.code = child.exit_status & 0x80 ? si::child_dumped : si::child_killed;
    result.status = child.exit_status & 0x7f;
  } else {
    result.code = si::child_exited;
    result.status = child.exit_status >> 8 & 0xff;
  }
  result.usage = child.dead_threads;
  result.usage.add(child.waited_children);
  if (!keep) reap_locked(child);
  return result;
}

// A stop or continuation that nobody has waited for yet.
std::optional<WaitResult> take_stop(Process& child, const WaitRequest& request) {
  WaitResult result;
  {
    core::MutexGuard guard{child.signal_lock};
    if ((request.options & wstopped) && child.stop_state == Process::StopState::stopped &&
        !child.stop_reported) {
      result.code = si::child_stopped;
      result.status = child.stop_signal;
      result.wait_status = child.stop_signal << 8 | 0x7f;
      if (!(request.options & wnowait)) child.stop_reported = true;
    } else if ((request.options & wcontinued) && child.continued) {
      result.code = si::child_continued;
      result.status = signal::cont;
      result.wait_status = 0xffff;
      if (!(request.options & wnowait)) child.continued = false;
    } else {
      return std::nullopt;
    }
  }
  result.pid = child.id();
  result.uid = uid_of(child);
  result.usage = child.usage();
  return result;
}

// Looks at all children once. Nothing: none of those that match has anything to report yet.
Result<std::optional<WaitResult>> scan(Task& task, const WaitRequest& request) REQUIRES(process_tree_lock()) {
  Process& process = task.process();
  bool any = false;
  for (ProcessLinks& links : process.children) {
    Process& child = static_cast<Process&>(links);
    if (!matches(request, child)) continue;
    any = true;
    if (child.state == Process::State::zombie) {
      if (waits_for_tracer_locked(child)) continue;
      if (request.options & wexited) return std::optional(take_zombie(child, request.options & wnowait));
      continue;
    }
    // Stops of what we trace ourselves are the tracer's.
    WaitRequest wanted = request;
    if (is_traced_by_locked(child, process)) wanted.options &= ~wstopped;
    if (auto result = take_stop(child, wanted)) return result;
  }
  if (request.options & wnothread) {
    if (auto result = wait_for_tracee_locked(task, request, any)) return result;
  } else {
    for (TaskLinks& links : process.threads)
      if (auto result = wait_for_tracee_locked(static_cast<Task&>(links), request, any)) return result;
  }
  if (!any) return error(Errno::echild);
  return std::optional<WaitResult>{};
}

}  // namespace

Result<WaitResult> wait_for_child(Task& task, const WaitRequest& request) {
  Process& process = task.process();
  core::MutexGuard guard{process_tree_lock()};
  auto found = scan(task, request);
  if (found && !*found && !(request.options & wnohang)) {
    auto looked = [&]() NO_THREAD_SAFETY_ANALYSIS {  // runs with the guard's mutex held
      found = scan(task, request);
      return !found || found->has_value();
    };
    TRY(process.child_event.wait(guard, core::WaitMode::interruptible, looked));
  }
  if (!found) return error(found.error());
  return found->value_or(WaitResult{});
}

Rusage to_rusage(const ResourceUsage& usage) {
  Rusage result;
  result.user_time = to_timeval(usage.user_ns);
  result.system_time = to_timeval(usage.system_ns);
  result.max_rss_kib = static_cast<std::int64_t>(usage.max_rss_kib);
  result.minor_faults = static_cast<std::int64_t>(usage.minor_faults);
  result.major_faults = static_cast<std::int64_t>(usage.major_faults);
  result.voluntary_switches = static_cast<std::int64_t>(usage.voluntary_switches);
  result.involuntary_switches = static_cast<std::int64_t>(usage.involuntary_switches);
  return result;
}

}  // namespace linux_abi
