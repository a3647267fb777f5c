// Birth of threads and processes: fork, vfork, clone, clone3.
#include <optional>

#include "arch/linux_abi.h"
#include "core/memory/user_pointer.h"
#include "linux_abi/lifecycle.h"
#include "linux_abi/pidfd.h"
#include "linux_abi/relations.h"
#include "linux_abi/rseq.h"
#include "linux_abi/task_extras.h"
#include "linux_abi/timers.h"
#include "linux_abi/tracing.h"
#include "linux_abi/user_account.h"

namespace linux_abi {

namespace {

Result<void> check_flags(Task& parent, const CloneArguments& arguments) {
  std::uint64_t flags = arguments.flags;
  auto has = [&](std::uint64_t bits) { return (flags & bits) == bits; };
  if (has(clone_newns | clone_fs) || has(clone_newuser | clone_fs)) return error(Errno::einval);
  if (has(clone_thread) && !has(clone_sighand)) return error(Errno::einval);
  if (has(clone_sighand) && !has(clone_vm)) return error(Errno::einval);
  if (has(clone_sighand | clone_clear_sighand)) return error(Errno::einval);
  if (has(clone_parent) && parent.process().is_init()) return error(Errno::einval);
  // Built without namespaces and without cgroups.
  if (flags & ((clone_namespaces & ~clone_newuts) | clone_into_cgroup)) return error(Errno::einval);
  if (has(clone_newuts) && !parent.can(vfs::Capability::sys_admin)) return error(Errno::eperm);
  return {};
}

Result<void> check_process_limit(Task& parent) {
  auto limit = parent.process().limit_current(Resource::nproc);
  auto now = static_cast<std::uint64_t>(parent.account->processes.load(std::memory_order_relaxed));
  if (now >= limit && parent.account->uid() != 0 && !parent.can(vfs::Capability::sys_resource) &&
      !parent.can(vfs::Capability::sys_admin))
    return error(Errno::eagain);
  return {};
}

Result<void> share_or_copy(Task& child, Task& parent, const CloneArguments& arguments) {
  std::uint64_t flags = arguments.flags;
  child.set_credentials(parent.credentials_reference());
  child.account = parent.account;
  child.set_files(flags & clone_files ? parent.files : TRY(parent.files->try_clone()));
  child.set_uts(flags & clone_newuts ? TRY(UtsNamespace::copy_of(parent.uts.get())) : parent.uts);
  child.set_file_system(flags & clone_fs ? parent.file_system : TRY(parent.file_system->try_clone()));

  Process& process = child.process();
  if (!(flags & clone_thread)) {
    Process& old = parent.process();
    if (flags & clone_sighand)
      process.actions = old.actions;
    else
      process.actions = TRY(old.actions->try_clone());
    if (flags & clone_clear_sighand) process.actions->reset_handlers();
    process.copy_limits(old);
    process.dumpable.store(old.dumpable.load());
    process.core_filter.store(old.core_filter.load());
    process.oom_score_adjustment.store(old.oom_score_adjustment.load());
    process.oom_score_adjustment_minimum.store(old.oom_score_adjustment_minimum.load());
    process.vdso_address = old.vdso_address;
    process.account = parent.account;
    process.set_executable(old.executable());
    auto space = old.address_space();
    if (!(flags & clone_vm)) {
      space = TRY(space->fork());
      space->owner = &process;
    }
    process.set_address_space(std::move(space));
  }
  return {};
}

Result<void> copy_thread_state(Task& child, Task& parent, const CloneArguments& arguments) {
  std::uint64_t flags = arguments.flags;
  core::Thread& thread = child.thread();
  TRY(arch::copy_user_state(thread.arch_state, parent.thread().arch_state));
  child.registers = parent.registers;
  std::optional<std::uintptr_t> thread_pointer;
  if (flags & clone_settls) thread_pointer = arguments.tls;
  arch::linux_start_child(child.registers, thread.arch_state,
                          arguments.stack ? arguments.stack + arguments.stack_size : 0, thread_pointer);
  auto name = parent.thread().name();
  thread.set_name(std::string_view(name.data()));

  auto parameters = parent.thread().parameters();
  if (parent.reset_scheduling_on_fork) {
    int nice = parameters.is_fair() && parameters.nice > 0 ? parameters.nice : 0;
    parameters = core::SchedulingParameters::fair(nice);
  } else if (parameters.policy == core::Policy::deadline) {
    return error(Errno::eagain);  // deadline threads do not fork (sched(7))
  }
  TRY(thread.set_parameters(parameters));
  TRY(thread.set_affinity(parent.thread().affinity()));

  child.blocked = parent.blocked;
  // Inside sigsuspend and the like the mask in force is a temporary one; clone cannot come from there.
  if (!(flags & clone_vm) || (flags & clone_vfork)) child.alternate_stack = parent.alternate_stack;
  if (!(flags & clone_vm) && parent.rseq_area)
    rseq_set_area(child, {parent.rseq_area, parent.rseq_length, parent.rseq_signature});
  child.clear_child_tid = flags & clone_child_cleartid ? arguments.child_tid : 0;
  child.set_child_tid = flags & clone_child_settid ? arguments.child_tid : 0;
  child.make_it_fail.store(parent.make_it_fail.load(std::memory_order_relaxed), std::memory_order_relaxed);
  child.disk_priority.store(parent.disk_priority.load(std::memory_order_relaxed), std::memory_order_relaxed);
  child.timer_slack_ns = child.default_timer_slack_ns = parent.timer_slack_ns;
  child.personality = parent.personality;
  return {};
}

// Makes the child part of the world. Fails only because a signal has to be taken first.
Result<void> join_world(Task& child, Task& parent, std::uint64_t flags, int exit_signal, unsigned event) {
  Process& process = child.process();
  Process& old = parent.process();
  core::MutexGuard tree{process_tree_lock()};
  core::MutexGuard guard{old.signal_lock};
  if (parent.thread().interrupted(core::WaitMode::interruptible)) {
    // The child would miss, or wrongly get, what is on its way to the process.
    return error(Errno::restart_silently);
  }
  // Another thread has just given us filters: once more, with room for them.
  if (!inherit_seccomp_locked(child, parent)) return error(Errno::restart_silently);
  if (flags & clone_thread) {
    process.threads.push_back(child);
    process.thread_count.fetch_add(1, std::memory_order_relaxed);
    process.live_threads.fetch_add(1, std::memory_order_relaxed);
    child.pid->set_task(&child);
    inherit_tracer_locked(child, parent, flags, event);
    return {};
  }
  process.threads.push_back(child);
  process.thread_count.store(1, std::memory_order_relaxed);
  process.live_threads.store(1, std::memory_order_relaxed);
  child.pid->attach();  // for the process; the first use is the thread's
  Process& new_parent = flags & clone_parent ? *old.parent : old;
  process.exit_signal = flags & clone_parent ? old.exit_signal : exit_signal;
  process.creator = flags & clone_parent ? old.creator : parent.pid;
  attach_child_locked(new_parent, RefPtr<Process>(&process));
  set_group_locked(process, old.group);
  set_session_locked(process, old.session);
  process.terminal = old.terminal;
  child.pid->set_task(&child);
  child.pid->set_process(&process);
  inherit_tracer_locked(child, parent, flags, event);
  return {};
}

// The number goes back unless the child lives.
class PidGuard {
 public:
  explicit PidGuard(RefPtr<Pid> pid) : pid_(std::move(pid)) {}
  PidGuard(const PidGuard&) = delete;
  ~PidGuard() {
    if (pid_) pid_->detach();
  }
  RefPtr<Pid> keep() { return std::exchange(pid_, {}); }
  const RefPtr<Pid>& get() const { return pid_; }

 private:
  RefPtr<Pid> pid_;
};

// What the child inherited goes again unless it lives.
class InheritedExtras {
 public:
  explicit InheritedExtras(const Task& child) : child_(&child) {}
  InheritedExtras(const InheritedExtras&) = delete;
  ~InheritedExtras() {
    if (child_) drop_extras(*child_);
  }
  void keep() { child_ = nullptr; }

 private:
  const Task* child_;
};

}  // namespace

Result<long> clone_task(Context& context, const CloneArguments& arguments, std::span<const int> wanted_ids) {
  Task& parent = context.task;
  std::uint64_t flags = arguments.flags;
  TRY(check_flags(parent, arguments));
  TRY(check_process_limit(parent));

  PidGuard pid{TRY(Pid::create(wanted_ids.empty() ? 0 : wanted_ids[0]))};
  auto process = flags & clone_thread ? RefPtr<Process>(&context.process) : TRY(Process::create(pid.get()));
  auto child = TRY(Task::create(process, pid.get()));
  TRY(share_or_copy(*child, parent, arguments));
  TRY(copy_thread_state(*child, parent, arguments));

  std::optional<ReservedDescriptor> pidfd;
  RefPtr<vfs::File> pidfd_file;
  if (flags & clone_pidfd) {
    pidfd_file = TRY(open_pidfd(pid.get(), flags & clone_thread ? pidfd_thread : 0, parent));
    pidfd.emplace(
        TRY(parent.files->reserve(CloseOnExec::yes, context.process.limit_current(Resource::nofile))));
    TRY(core::UserOut<int>(arguments.pidfd).write(pidfd->number()));
  }
  RefPtr<VforkWait> vfork;
  if (flags & clone_vfork) {
    vfork = TRY(base::try_make_ref<VforkWait>());
    child->vfork = vfork;
  }
  int id = child->id();
  // Threads have no exit signal, whatever the flags say.
  int exit_signal = flags & clone_thread ? 0 : static_cast<int>(arguments.exit_signal);
  unsigned event = trace_clone_event(parent, flags, exit_signal);
  if (is_traced(parent)) TRY(Tracing::of(*child));
  TRY(prepare_seccomp_of_child(*child, parent));
  InheritedExtras extras{*child};
  TRY(inherit_extras(*child, parent, flags));
  if (flags & clone_parent_settid) (void)!core::UserOut<int>(arguments.parent_tid).write(id);
  TRY(join_world(*child, parent, flags, exit_signal, event));

  // Commit.
  (void)pid.keep();
  extras.keep();
  parent.account->processes.fetch_add(1, std::memory_order_relaxed);
  if (pidfd) pidfd->publish(std::move(pidfd_file));
  child->thread().set_address_space(process->address_space());
  core::Thread& thread = child->thread();
  (void)child.leak();  // the running thread's own reference
  thread.start();
  if (event) trace_event(parent, event, static_cast<std::uint64_t>(id));
  if (vfork && vfork->done.wait(core::WaitMode::killable) && trace_wants(parent, trace::event_vfork_done))
    trace_event(parent, trace::event_vfork_done, static_cast<std::uint64_t>(id));
  return id;
}

}  // namespace linux_abi
