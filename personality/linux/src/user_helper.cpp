#include "linux_abi/user_helper.h"

#include "arch/context.h"
#include "core/sync/completion.h"
#include "linux_abi/exec.h"
#include "linux_abi/lifecycle.h"
#include "linux_abi/relations.h"
#include "linux_abi/user_account.h"
#include "vfs/operations.h"

namespace linux_abi {

// Lives with the starter, which waits for `done`.
struct HelperStart {
  UserHelper helper;
  Result<void> outcome;
  core::Completion done;
};

namespace {

Result<RefPtr<Task>> prepare(HelperStart& start, RefPtr<Pid> pid) {
  auto process = TRY(Process::create(pid));
  auto task = TRY(Task::create(process, pid));
  task->set_credentials(TRY(vfs::Credentials::create_root()));
  task->account = process->account = TRY(UserAccount::of(0));
  task->set_files(TRY(FileTable::create()));
  task->set_file_system(TRY(vfs::create_root_context()));
  TRY(arch::prepare_user_state(task->thread().arch_state));
  process->copy_limits(*Process::init());
  process->set_limit(Resource::core, {start.helper.core_limit, start.helper.core_limit});
  if (start.helper.standard_input)
    TRY(task->files->add(start.helper.standard_input, CloseOnExec::no,
                         process->limit_current(Resource::nofile)));
  task->helper = &start;
  return task;
}

void join_world(Task& task) {
  Process& process = task.process();
  core::MutexGuard tree{process_tree_lock()};
  core::MutexGuard guard{process.signal_lock};
  process.threads.push_back(task);
  process.thread_count.store(1, std::memory_order_relaxed);
  process.live_threads.store(1, std::memory_order_relaxed);
  process.exit_signal = 0;
  process.nobody_waits = true;
  task.pid->attach();  // for the process; the first use is the thread's
  attach_child_locked(*Process::init(), RefPtr<Process>(&process));
  task.pid->set_task(&task);
  task.pid->set_process(&process);
  task.account->processes.fetch_add(1, std::memory_order_relaxed);
}

Result<void> execute_helper(Task& task, const UserHelper& helper) {
  base::Vector<base::String> variables;
  TRY(variables.try_push_back(TRY(base::String::create("HOME=/"))));
  TRY(variables.try_push_back(TRY(base::String::create("TERM=linux"))));
  TRY(variables.try_push_back(TRY(base::String::create("PATH=/sbin:/bin:/usr/sbin:/usr/bin"))));
  KernelStrings arguments(helper.arguments), environment(variables);
  std::string_view path = helper.arguments[0];
  auto file =
      TRY(vfs::open(caller_of(task), nullptr, path, {.flags = vfs::open_read_only | vfs::open_for_execute}));
  return execute(task, std::move(file), path, arguments, environment);
}

}  // namespace

Result<RefPtr<Process>> start_user_helper(UserHelper helper) {
  if (helper.arguments.empty()) return error(Errno::enoent);
  HelperStart start{.helper = std::move(helper), .outcome = {}, .done = {}};
  auto pid = TRY(Pid::create());
  auto task = prepare(start, pid);
  if (!task) {
    pid->detach();
    return error(task.error());
  }
  RefPtr<Process> process(&(*task)->process());
  join_world(**task);
  core::Thread& thread = (*task)->thread();
  (void)task->leak();  // the running thread's own reference
  thread.start();
  (void)start.done.wait(core::WaitMode::uninterruptible);
  TRY(start.outcome);
  return process;
}

void run_user_helper(Task& task) {
  HelperStart& start = *std::exchange(task.helper, nullptr);
  Result<void> outcome = execute_helper(task, start.helper);
  start.outcome = outcome;
  start.done.complete_all();
  if (!outcome) exit_group(task, 0);
}

}  // namespace linux_abi
