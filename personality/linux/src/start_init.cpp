// Starts the first program, in Linux's order: rdinit= (default /init) while the root is the initramfs, else
// init=, else /sbin/init, /etc/init, /bin/init, /bin/sh.
#include "arch/context.h"
#include "core/init/command_line.h"
#include "core/init/panic.h"
#include "core/log/log.h"
#include "core/memory/page_allocator.h"
#include "linux_abi/exec.h"
#include "linux_abi/job_control.h"
#include "linux_abi/lifecycle.h"
#include "linux_abi/relations.h"
#include "linux_abi/user_account.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {

struct InitStrings {
  base::Vector<base::String> arguments, environment;
};

bool names(const base::String& variable, std::string_view name) {
  return variable.view().substr(0, variable.view().find('=')) == name;
}

Result<void> set_variable(base::Vector<base::String>& environment, std::string_view name,
                          std::string_view value) {
  base::String text = TRY(base::String::create(name));
  TRY(text.try_append("="));
  TRY(text.try_append(value));
  for (base::String& known : environment) {
    if (!names(known, name)) continue;
    known = std::move(text);
    return {};
  }
  return environment.try_push_back(std::move(text));
}

// argv and envp of /init: what the kernel did not know of its command line, behind the defaults.
Result<void> collect_strings(InitStrings& strings) {
  TRY(strings.arguments.try_push_back(TRY(base::String::create("/init"))));
  TRY(set_variable(strings.environment, "HOME", "/"));
  TRY(set_variable(strings.environment, "TERM", "linux"));
  Result<void> outcome;
  auto keep = [&](Result<void> result) {
    if (outcome && !result) outcome = result;
  };
  core::command_line().for_each_init_argument([&](std::string_view text) {
    auto copy = base::String::create(text);
    keep(copy ? strings.arguments.try_push_back(std::move(*copy)) : Result<void>(error(copy.error())));
  });
  core::command_line().for_each_init_variable([&](std::string_view name, std::string_view value) {
    keep(set_variable(strings.environment, name, value));
  });
  return outcome;
}

void set_default_limits(Process& process) {
  constexpr std::uint64_t infinite = rlim_infinity;
  process.set_limit(Resource::stack, {8 << 20, infinite});
  process.set_limit(Resource::core, {0, infinite});
  process.set_limit(Resource::nofile, {1024, 4096});
  process.set_limit(Resource::memlock, {8 << 20, 8 << 20});
  process.set_limit(Resource::msgqueue, {819200, 819200});
  process.set_limit(Resource::nice, {0, 0});
  process.set_limit(Resource::rtprio, {0, 0});
  // Threads may take an eighth of memory with their stacks; the same number limits queued signals.
  std::uint64_t threads = core::memory_statistics().total_pages / 32;
  if (threads < 64) threads = 64;
  if (threads > 127'000) threads = 127'000;
  process.set_limit(Resource::nproc, {threads / 2, threads / 2});
  process.set_limit(Resource::sigpending, {threads / 2, threads / 2});
}

void open_console(Task& task) {
  auto console = vfs::open(caller_of(task), nullptr, "/dev/console", {.flags = vfs::open_read_write});
  if (!console) {
    core::log(core::LogLevel::warning, "Warning: unable to open an initial console.");
    return;
  }
  for (int i = 0; i < 3; ++i)
    (void)!task.files->add(RefPtr<vfs::File>(*console), CloseOnExec::no,
                           task.process().limit_current(Resource::nofile));
}

Result<void> try_program(Task& task, std::string_view path, InitStrings& strings) {
  strings.arguments[0] = TRY(base::String::create(path));
  KernelStrings arguments(strings.arguments), environment(strings.environment);
  auto file =
      TRY(vfs::open(caller_of(task), nullptr, path, {.flags = vfs::open_read_only | vfs::open_for_execute}));
  core::log(core::LogLevel::info, "Run {} as init process", path);
  return execute(task, std::move(file), path, arguments, environment);
}

void start_first_program(Task& task) {
  InitStrings strings;
  if (!collect_strings(strings)) core::panic("no memory for the arguments of init");
  auto& line = core::command_line();
  auto early = line.get("rdinit");
  std::string_view ram_init = early ? *early : "/init";
  auto outcome = try_program(task, ram_init, strings);
  if (outcome) return;
  if (early || outcome.error() != Errno::enoent)
    core::log(core::LogLevel::error, "Failed to execute {} (error -{})", ram_init,
              static_cast<int>(outcome.error()));
  if (auto chosen = line.get("init")) {
    outcome = try_program(task, *chosen, strings);
    if (outcome) return;
    core::panic("Requested init {} failed (error -{}).", *chosen, static_cast<int>(outcome.error()));
  }
  for (std::string_view path : {"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"}) {
    outcome = try_program(task, path, strings);
    if (outcome) return;
    if (outcome.error() != Errno::enoent)
      core::log(core::LogLevel::error, "Starting init: {} exists but couldn't execute it (error -{})", path,
                static_cast<int>(outcome.error()));
  }
  core::panic("No working init found.  Try passing init= option to kernel.");
}

Result<RefPtr<Task>> create_first_task() {
  auto pid = TRY(Pid::create(1));
  auto process = TRY(Process::create(pid));
  auto task = TRY(Task::create(process, pid));
  task->set_credentials(TRY(vfs::Credentials::create_root()));
  task->account = process->account = TRY(UserAccount::of(0));
  task->account->processes.fetch_add(1);
  task->set_files(TRY(FileTable::create()));
  task->set_file_system(TRY(vfs::create_root_context()));
  TRY(arch::prepare_user_state(task->thread().arch_state));
  set_default_limits(*process);
  Process::set_init(*process);
  core::MutexGuard tree{process_tree_lock()};
  core::MutexGuard guard{process->signal_lock};
  process->threads.push_back(*task);
  process->thread_count.store(1);
  process->live_threads.store(1);
  pid->attach();
  pid->set_task(task.get());
  pid->set_process(process.get());
  // A session and group of its own, like any other leader's; Linux numbers them 0 until setsid(), which must
  // then work.
  process->exit_signal = signal::chld;
  (void)process.leak();  // /init has no parent that would hold it
  return task;
}

}  // namespace

// The body of the first thread: finds a program, then is that program's thread.
void first_thread(Task& task) {
  open_console(task);
  start_first_program(task);
}

void run_init_process() {
  install_job_control();
  auto task = create_first_task();
  if (!task) core::panic("cannot create the first process (error -{})", static_cast<int>(task.error()));
  (*task)->starts_as_init = true;
  core::Thread& thread = (*task)->thread();
  (void)task->leak();  // the running thread's own reference
  thread.start();
}

}  // namespace linux_abi
