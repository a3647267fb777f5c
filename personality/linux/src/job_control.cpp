#include "linux_abi/job_control.h"

#include "core/memory/user_pointer.h"
#include "linux_abi/relations.h"
#include "linux_abi/task.h"

namespace linux_abi {

using base::Errno;
using base::error;

namespace {

constexpr unsigned tiocsctty = 0x540e, tiocgpgrp = 0x540f, tiocspgrp = 0x5410, tiocnotty = 0x5422,
                   tiocgsid = 0x5429;

// A process group or session as a terminal holds it.
class PidMember final : public tty::JobMember {
 public:
  explicit PidMember(RefPtr<Pid> pid) : pid_(std::move(pid)) {}
  int id() const override { return pid_->number(); }
  void signal(int number) override { signal_group_from_kernel(*pid_, number); }
  const RefPtr<Pid>& pid() const { return pid_; }

 private:
  const RefPtr<Pid> pid_;
};

Result<RefPtr<tty::JobMember>> member_of(RefPtr<Pid> pid) {
  return RefPtr<tty::JobMember>(TRY(base::try_make_ref<PidMember>(std::move(pid))));
}

Pid& pid_of(tty::JobMember& member) { return *static_cast<PidMember&>(member).pid(); }

// Takes the terminal away from every process of the session.
void forget_terminal_locked(Pid& session, const tty::Terminal& terminal) REQUIRES(process_tree_lock()) {
  for (ProcessLinks& links : session.session_members) {
    Process& member = static_cast<Process&>(links);
    if (member.terminal == &terminal) member.terminal = {};
  }
}

Result<void> become_controlling(Process& process, tty::Terminal& terminal) {
  RefPtr<Pid> session, group;
  {
    core::MutexGuard guard{process_tree_lock()};
    session = process.session;
    group = process.group;
  }
  auto session_member = TRY(member_of(session));
  auto group_member = TRY(member_of(group));
  terminal.set_session(std::move(session_member), std::move(group_member));
  core::MutexGuard guard{process_tree_lock()};
  process.terminal = RefPtr<tty::Terminal>(&terminal);
  return {};
}

class LinuxJobControl final : public tty::JobControl {
 public:
  Result<void> check_background(tty::Terminal& terminal, int signal) override;
  Result<long> ioctl(tty::Terminal& terminal, unsigned command, std::uintptr_t argument,
                     bool through_master) override;
  void opened(tty::Terminal& terminal, tty::ControllingTerminal controlling) override;
  RefPtr<tty::Terminal> controlling_terminal() override {
    Task* task = current_task_or_null();
    return task ? terminal_of(task->process()) : RefPtr<tty::Terminal>{};
  }
  void hung_up(tty::Terminal& terminal) override;

 private:
  Result<long> acquire(tty::Terminal& terminal, bool steal);
  Result<long> give_up(tty::Terminal& terminal);
  Result<long> set_foreground(tty::Terminal& terminal, std::uintptr_t argument, bool through_master);
};

[[clang::no_destroy]] constinit LinuxJobControl installed;

Result<void> LinuxJobControl::check_background(tty::Terminal& terminal, int number) {
  Task* task = current_task_or_null();
  if (!task || terminal_of(task->process()) != &terminal) return {};
  RefPtr<tty::JobMember> foreground = terminal.foreground();
  Process& process = task->process();
  bool input = number == tty::signal_terminal_input;
  bool ignored = task->blocked.contains(number) || process.actions->handler(number) == sig_ignore;
  core::MutexGuard guard{process_tree_lock()};
  RefPtr<Pid> group = process.group;
  if (!foreground || !group || &pid_of(*foreground) == group.get()) return {};
  if (ignored) {
    if (input) return error(Errno::eio);
    return {};
  }
  if (is_orphaned_group_locked(*group, nullptr)) return error(Errno::eio);
  signal_group_from_kernel_locked(*group, number);
  return error(Errno::restart_always);
}

void LinuxJobControl::opened(tty::Terminal& terminal, tty::ControllingTerminal controlling) {
  Task* task = current_task_or_null();
  if (!task || controlling == tty::ControllingTerminal::refuse || terminal.has_session()) return;
  Process& process = task->process();
  {
    core::MutexGuard guard{process_tree_lock()};
    if (!process.session_leader || process.terminal) return;
  }
  (void)become_controlling(process, terminal);
}

Result<long> LinuxJobControl::acquire(tty::Terminal& terminal, bool steal) {
  Task& task = current_task();
  Process& process = task.process();
  {
    core::MutexGuard guard{process_tree_lock()};
    if (process.session_leader && process.terminal == &terminal) return 0;
    if (!process.session_leader || process.terminal) return error(Errno::eperm);
  }
  if (RefPtr<tty::JobMember> owner = terminal.session()) {
    if (!steal || !task.can(vfs::Capability::sys_admin)) return error(Errno::eperm);
    core::MutexGuard guard{process_tree_lock()};
    forget_terminal_locked(pid_of(*owner), terminal);
  }
  TRY(become_controlling(process, terminal));
  return 0;
}

Result<long> LinuxJobControl::give_up(tty::Terminal& terminal) {
  Process& process = current_process();
  RefPtr<tty::Terminal> released;
  {
    core::MutexGuard guard{process_tree_lock()};
    if (process.terminal != &terminal) return error(Errno::enotty);
    if (process.session_leader)
      released = begin_session_end_locked(process);
    else
      process.terminal = {};
  }
  if (released) finish_session_end(*released);
  return 0;
}

Result<long> LinuxJobControl::set_foreground(tty::Terminal& terminal, std::uintptr_t argument,
                                             bool through_master) {
  int wanted = TRY(core::UserIn<int>(argument).read());
  if (!through_master) TRY(check_background(terminal, tty::signal_terminal_output));
  RefPtr<tty::JobMember> session = terminal.session();
  Process& process = current_process();
  if (!session || (!through_master && terminal_of(process) != &terminal)) return error(Errno::enotty);
  if (wanted < 0) return error(Errno::einval);
  RefPtr<Pid> group = Pid::get(wanted);
  {
    core::MutexGuard guard{process_tree_lock()};
    if (!through_master && process.session.get() != &pid_of(*session)) return error(Errno::enotty);
    if (!group || group->group_members.empty()) return error(Errno::esrch);
    Process& member = static_cast<Process&>(*group->group_members.first());
    if (member.session.get() != &pid_of(*session)) return error(Errno::eperm);
  }
  terminal.set_foreground(TRY(member_of(group)));
  return 0;
}

Result<long> LinuxJobControl::ioctl(tty::Terminal& terminal, unsigned command, std::uintptr_t argument,
                                    bool through_master) {
  switch (command) {
    case tiocsctty:
      return acquire(terminal, argument == 1);
    case tiocnotty:
      return give_up(terminal);
    case tiocspgrp:
      return set_foreground(terminal, argument, through_master);
    case tiocgpgrp:
    case tiocgsid: {
      if (!through_master && terminal_of(current_process()) != &terminal) return error(Errno::enotty);
      RefPtr<tty::JobMember> member = command == tiocgsid ? terminal.session() : terminal.foreground();
      if (command == tiocgsid && !member) return error(Errno::enotty);
      TRY(core::UserOut<int>(argument).write(member ? member->id() : 0));
      return 0;
    }
    default:
      return error(Errno::enotty);
  }
}

void LinuxJobControl::hung_up(tty::Terminal& terminal) {
  RefPtr<tty::JobMember> session = terminal.session(), foreground = terminal.foreground();
  if (!session) return;
  terminal.set_session({}, {});
  core::MutexGuard guard{process_tree_lock()};
  Pid& pid = pid_of(*session);
  forget_terminal_locked(pid, terminal);
  if (Process* leader = pid.process()) {
    send_kernel_signal(*leader, signal::hup);
    send_kernel_signal(*leader, signal::cont);
  }
  if (foreground) {
    signal_group_from_kernel_locked(pid_of(*foreground), signal::hup);
    signal_group_from_kernel_locked(pid_of(*foreground), signal::cont);
  }
}

}  // namespace

void install_job_control() { tty::set_job_control(installed); }

RefPtr<tty::Terminal> terminal_of(Process& process) {
  core::MutexGuard guard{process_tree_lock()};
  return process.terminal;
}

RefPtr<tty::Terminal> begin_session_end_locked(Process& leader) {
  RefPtr<tty::Terminal> terminal = leader.terminal;
  if (terminal && leader.session) forget_terminal_locked(*leader.session, *terminal);
  leader.terminal = {};
  return terminal;
}

void finish_session_end(tty::Terminal& terminal) {
  RefPtr<tty::JobMember> foreground = terminal.foreground();
  terminal.set_session({}, {});
  if (!foreground) return;
  foreground->signal(signal::hup);
  foreground->signal(signal::cont);
}

}  // namespace linux_abi
