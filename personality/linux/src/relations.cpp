#include "linux_abi/relations.h"

#include "linux_abi/job_control.h"
#include "linux_abi/tracing.h"
#include "linux_abi/user_account.h"

namespace linux_abi {

namespace {

// Who gets the children of an ended process: the nearest subreaper above it, else /init.
Process& reaper_for(Process& process) REQUIRES(process_tree_lock()) {
  for (Process* above = process.parent; above; above = above->parent)
    if (above->subreaper && above->state == Process::State::running && !above->is_exiting.load())
      return *above;
  return *Process::init();
}

}  // namespace

bool tell_parent_of_end_locked(Process& child) REQUIRES(process_tree_lock()) {
  Process& parent = *child.parent;
  bool unwanted = child.nobody_waits;
  if (int number = child.exit_signal) {
    SigAction action = parent.actions->get(signal::chld);
    if (number == signal::chld) {
      unwanted = action.handler == sig_ignore || (action.flags & sa_nocldwait);
      if (action.handler == sig_ignore) number = 0;
    }
    if (number) {
      SigInfo info(number, si::child_exited);
      int status = child.exit_status;
      if (status & 0x7f) info.code = status & 0x80 ? si::child_dumped : si::child_killed;
      info.sender.pid = child.id();
      info.sender.uid = child.last_credentials ? child.last_credentials->uid : 0;
      info.sender.child.status = status & 0x7f ? status & 0x7f : status >> 8 & 0xff;
      constexpr std::uint64_t tick = nanoseconds_per_second / user_ticks_per_second;
      info.sender.child.user_ticks = static_cast<std::int64_t>(child.dead_threads.user_ns / tick);
      info.sender.child.system_ticks = static_cast<std::int64_t>(child.dead_threads.system_ns / tick);
      (void)send_signal(parent, info);
    }
  }
  parent.child_event.wake_all();
  return unwanted;
}

namespace {

bool has_stopped_member(Pid& group) REQUIRES(process_tree_lock()) {
  for (ProcessLinks& links : group.group_members) {
    Process& member = static_cast<Process&>(links);
    core::MutexGuard guard{member.signal_lock};
    if (member.stop_state == Process::StopState::stopped) return true;
  }
  return false;
}

void send_parent_death_signals(Process& child) {
  int number = 0;
  {
    core::MutexGuard guard{child.signal_lock};
    child.for_each_thread([&](Task& task) {
      if (task.parent_death_signal) number = task.parent_death_signal;
    });
  }
  if (number) (void)send_signal(child, SigInfo(number, si::user));
}

void hand_over_children(Process& process) REQUIRES(process_tree_lock()) {
  if (process.children.empty()) return;
  Process& reaper = reaper_for(process);
  process.children.for_each_safe([&](ProcessLinks& links) NO_THREAD_SAFETY_ANALYSIS {
    // The analysis does not follow the lambda: the tree lock is held.
    Process& child = static_cast<Process&>(links);
    process.children.remove(child);
    child.parent = &reaper;
    reaper.children.push_back(child);
    send_parent_death_signals(child);
    child.exit_signal = child.exit_signal ? signal::chld : 0;
    check_orphaned_group_locked(child, &process);
    if (child.state == Process::State::zombie && !waits_for_tracer_locked(child) &&
        tell_parent_of_end_locked(child))
      reap_locked(child);
  });
  reaper.child_event.wake_all();
}

}  // namespace

void attach_child_locked(Process& parent, RefPtr<Process> child) {
  Process* raw = child.leak();  // the parent's reference
  raw->parent = &parent;
  parent.children.push_back(*raw);
}

void set_group_locked(Process& process, RefPtr<Pid> group) {
  if (process.group) {
    process.group->group_members.remove(process);
    process.group->detach();
  }
  if (group) {
    group->attach();
    group->group_members.push_back(process);
  }
  process.group = std::move(group);
}

void set_session_locked(Process& process, RefPtr<Pid> session) {
  if (process.session) {
    process.session->session_members.remove(process);
    process.session->detach();
  }
  if (session) {
    session->attach();
    session->session_members.push_back(process);
  }
  process.session = std::move(session);
}

void reap_locked(Process& process) {
  forget_ended_leader_locked(process);
  process.state = Process::State::dead;
  if (Process* parent = process.parent) {
    parent->waited_children.add(process.dead_threads);
    parent->waited_children.add(process.waited_children);
    parent->children.remove(process);
  }
  process.parent = nullptr;
  set_group_locked(process, {});
  set_session_locked(process, {});
  process.pid->set_process(nullptr);
  process.pid->detach();
  if (process.account) process.account->processes.fetch_sub(1, std::memory_order_relaxed);
  process.release_reference();  // the parent's
}

RefPtr<tty::Terminal> end_process_locked(Process& process) {
  RefPtr<tty::Terminal> terminal;
  hand_over_children(process);
  check_orphaned_group_locked(process, process.parent);
  if (process.session_leader) terminal = begin_session_end_locked(process);
  process.terminal = {};
  process.state = Process::State::zombie;
  process.exit_status = process.group_exiting ? process.group_exit_status : process.leader_exit_status;
  bool unwanted = process.parent && !tell_tracer_first_locked(process) && tell_parent_of_end_locked(process);
  process.pid->exit_queue.wake_all();
  if (unwanted) reap_locked(process);
  return terminal;
}

void report_stop(Process& process, int code) {
  core::MutexGuard guard{process_tree_lock()};
  report_stop_locked(process, code);
}

void report_stop_locked(Process& process, int code) {
  Process* parent = process.parent;
  if (!parent) return;
  SigAction action = parent->actions->get(signal::chld);
  if (action.handler != sig_ignore && !(action.flags & sa_nocldstop)) {
    SigInfo info(signal::chld, code);
    info.sender.pid = process.id();
    auto credentials = credentials_of(process);
    info.sender.uid = credentials ? credentials->uid : 0;
    info.sender.child.status = code == si::child_continued ? signal::cont : process.stop_signal;
    (void)send_signal(*parent, info);
  }
  parent->child_event.wake_all();
}

bool is_orphaned_group_locked(Pid& group, Process* ignored) {
  for (ProcessLinks& links : group.group_members) {
    Process& member = static_cast<Process&>(links);
    if (&member == ignored || member.state != Process::State::running || !member.parent ||
        member.parent->is_init())
      continue;
    if (member.parent->group != member.group && member.parent->session == member.session) return false;
  }
  return true;
}

void check_orphaned_group_locked(Process& leaving, Process* parent) {
  // `leaving` kept its group from being orphaned only through a parent in another group of the session.
  Process* ignored = parent == leaving.parent ? &leaving : nullptr;
  if (!leaving.group || !parent || parent->group == leaving.group || parent->session != leaving.session)
    return;
  if (!is_orphaned_group_locked(*leaving.group, ignored) || !has_stopped_member(*leaving.group)) return;
  RefPtr<Pid> group = leaving.group;
  signal_group_from_kernel_locked(*group, signal::hup);
  signal_group_from_kernel_locked(*group, signal::cont);
}

}  // namespace linux_abi
