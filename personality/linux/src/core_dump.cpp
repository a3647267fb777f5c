#include "linux_abi/core_dump.h"

#include "arch/linux_trace.h"
#include "core/log/log.h"
#include "linux_abi/user_helper.h"
#include "pipe/pipe.h"
#include "vfs/inode.h"
#include "vfs/operations.h"

namespace linux_abi {

constinit CoreSettings core_settings;

namespace {

constexpr std::uint64_t smallest_file = 4096;
constinit std::atomic<int> pipes_in_use{0};

// Becomes the one that dumps. False: the process is ending already.
bool begin_dump(Task& task, int status) {
  Process& process = task.process();
  core::MutexGuard guard{process.signal_lock};
  if (process.group_exiting || process.exec_task) return false;
  process.group_exiting = true;
  process.group_exit_status = status;
  process.dumper = &task;
  process.threads_to_park = 0;
  process.for_each_thread([&](Task& other) {
    if (&other != &task && !other.past_core_gate) ++process.threads_to_park;
  });
  kill_threads_locked(process);
  // What ended the process does not cut short the writing; another SIGKILL does.
  task.thread().set_interrupted(core::InterruptLevel::none);
  return process.park_queue
      .wait(guard, core::WaitMode::killable, [&] { return process.threads_to_park == 0; })
      .has_value();
}

void end_dump(Task& task, bool dumped) {
  Process& process = task.process();
  core::MutexGuard guard{process.signal_lock};
  if (process.dumper != &task) return;
  if (dumped) process.group_exit_status |= core_dumped_bit;
  process.dumper = nullptr;
  process.park_queue.wake_all();
}

// A file of somebody else's, or one that others could have prepared, must not get the memory of a process
// that has been more than its user.
Result<RefPtr<vfs::File>> open_core_file(Task& task, std::string_view path, bool guarded) {
  constexpr vfs::OpenFlags flags = vfs::open_write_only | vfs::open_create | vfs::open_no_follow;
  RefPtr<vfs::File> file;
  if (guarded) {
    if (!path.starts_with('/')) return error(Errno::eperm);
    auto credentials = TRY(task.credentials().try_clone());
    credentials->fsuid = 0;
    auto root = TRY(vfs::create_root_context());
    file = TRY(vfs::open({*root, *credentials}, nullptr, path,
                         {.flags = flags | vfs::open_exclusive, .mode = 0600}));
  } else {
    // What is there is replaced, not written into.
    (void)vfs::unlink(caller_of(task), nullptr, path);
    file = TRY(vfs::open(caller_of(task), nullptr, path, {.flags = flags, .mode = 0600}));
  }
  vfs::Inode& inode = file->inode();
  if (!vfs::is_regular(inode.mode()) || inode.link_count() != 1 || (inode.mode() & 0177) ||
      inode.uid() != (guarded ? 0 : task.credentials().fsuid))
    return error(Errno::eperm);
  TRY(vfs::truncate(*file, 0));
  return file;
}

bool dump_to_file(Task& task, const SigInfo& information, std::string_view path, bool guarded) {
  if (path.empty()) return false;
  auto file = open_core_file(task, path, guarded);
  if (!file) return false;
  return write_core_file(task, information, **file, task.process().limit_current(Resource::core));
}

// Until the program at the other end has looked at /proc/PID and gone.
void wait_for_helper(Process& helper) {
  (void)helper.pid->exit_queue.wait(core::WaitMode::killable, [&] {
    core::MutexGuard guard{process_tree_lock()};
    return helper.state != Process::State::running;
  });
}

bool dump_to_pipe(Task& task, const SigInfo& information, base::Vector<base::String> arguments) {
  Process& process = task.process();
  // What the helpers of core dumps have themselves: a dump of a failing helper would not end.
  if (process.limit_current(Resource::core) == 1) {
    core::log(core::LogLevel::warning, "Process {}({}) has RLIMIT_CORE set to 1", process.id(),
              task.thread().name().data());
    core::log(core::LogLevel::warning, "Aborting core");
    return false;
  }
  int limit = core_settings.pipe_limit.load();
  struct InUse {
    int now = pipes_in_use.fetch_add(1) + 1;
    ~InUse() { pipes_in_use.fetch_sub(1); }
  } in_use;
  if (limit && in_use.now > limit) {
    core::log(core::LogLevel::warning, "Pid {}({}) over core_pipe_limit", process.id(),
              task.thread().name().data());
    core::log(core::LogLevel::warning, "Skipping core dump");
    return false;
  }
  auto ends = pipe::create_pipe(0, task.credentials_reference());
  if (!ends) return false;
  auto helper = start_user_helper(
      {.arguments = std::move(arguments), .standard_input = std::move(ends->reader), .core_limit = 1});
  if (!helper) {
    core::log(core::LogLevel::info, "Core dump to program failed (error -{})",
              static_cast<int>(helper.error()));
    return false;
  }
  bool written = write_core_file(task, information, *ends->writer, rlim_infinity);
  ends->writer = {};
  if (limit) wait_for_helper(**helper);
  return written;
}

bool write_dump(Task& task, const SigInfo& information, CoreName name, std::uint32_t dumpable) {
  if (name.is_pipe) return dump_to_pipe(task, information, std::move(name.words));
  return !name.words.empty() && dump_to_file(task, information, name.words[0], dumpable == 2);
}

}  // namespace

bool dump_core(Task& task, const SigInfo& information) {
  Process& process = task.process();
  std::uint32_t dumpable = process.dumpable.load();
  if (!dumpable) return false;
  auto name = core_name(task, information.number, dumpable);
  if (!name) return false;
  if (!name->is_pipe && process.limit_current(Resource::core) < smallest_file) return false;
  bool began = begin_dump(task, information.number), dumped = false;
  if (began) {
    arch::freeze_user_state(task.thread().arch_state);
    dumped = write_dump(task, information, std::move(*name), dumpable);
    arch::thaw_user_state(task.thread().arch_state);
  }
  end_dump(task, dumped);
  return dumped;
}

void join_core_dump(Task& task) {
  Process& process = task.process();
  // Alone, and nobody can join who does not come from here.
  if (process.thread_count.load(std::memory_order_relaxed) == 1) return;
  core::MutexGuard guard{process.signal_lock};
  task.past_core_gate = true;
  if (!process.dumper) return;
  arch::freeze_user_state(task.thread().arch_state);
  task.parked_for_core = true;
  if (--process.threads_to_park == 0) process.park_queue.wake_all();
  task.thread().set_interrupted(core::InterruptLevel::none);
  (void)process.park_queue.wait(guard, core::WaitMode::uninterruptible, [&] { return !process.dumper; });
  task.parked_for_core = false;
  arch::thaw_user_state(task.thread().arch_state);
}

}  // namespace linux_abi
