#include "linux_abi/task.h"

#include "core/sync/per_cpu.h"
#include "linux_abi/lifecycle.h"
#include "linux_abi/tracing.h"
#include "linux_abi/user_account.h"

namespace linux_abi {

using base::Errno;
using base::error;

namespace {
constinit std::atomic<std::uint64_t> forks{0};
constinit std::atomic<int> live_tasks{0};

void task_entry(void* argument) { thread_loop(*static_cast<Task*>(argument)); }
}  // namespace

Result<RefPtr<Task>> Task::create(RefPtr<Process> process, RefPtr<Pid> pid) {
  auto task = RefPtr<Task>::adopt(new (std::nothrow) Task);
  if (!task) return error(Errno::enomem);
  task->thread_ = TRY(core::Thread::create("", task_entry, task.get()));
  task->thread_->personality = task.get();
  task->process_ = std::move(process);
  task->pid = std::move(pid);
  forks.fetch_add(1, std::memory_order_relaxed);
  live_tasks.fetch_add(1, std::memory_order_relaxed);
  return task;
}

Task::~Task() {
  delete tracing.load(std::memory_order_relaxed);
  live_tasks.fetch_sub(1, std::memory_order_relaxed);
}

void Task::last_reference_dropped() {
  core::rcu_retire(rcu_, [](core::RcuHead& head) { delete base::container_of(&head, &Task::rcu_); });
}

std::uint64_t forks_since_boot() { return forks.load(std::memory_order_relaxed); }
unsigned thread_total() { return static_cast<unsigned>(live_tasks.load(std::memory_order_relaxed)); }

Task* current_task_or_null() { return static_cast<Task*>(core::Thread::current().personality); }
Task& current_task() { return *static_cast<Task*>(core::Thread::current().personality); }

void Task::set_credentials(RefPtr<vfs::Credentials> credentials) {
  RefPtr<vfs::Credentials> old;  // released outside the lock
  core::SpinGuard<core::PreemptOff> guard{share_lock_};
  old = std::move(credentials_);
  credentials_ = std::move(credentials);
}

void Task::set_files(RefPtr<FileTable> table) {
  RefPtr<FileTable> old;
  core::SpinGuard<core::PreemptOff> guard{share_lock_};
  old = std::move(files);
  files = std::move(table);
}

void Task::set_file_system(RefPtr<FileSystemContext> context) {
  RefPtr<FileSystemContext> old;
  core::SpinGuard<core::PreemptOff> guard{share_lock_};
  old = std::move(file_system);
  file_system = std::move(context);
}

void Task::set_uts(RefPtr<UtsNamespace> space) {
  RefPtr<UtsNamespace> old;
  core::SpinGuard<core::PreemptOff> guard{share_lock_};
  old = std::move(uts);
  uts = std::move(space);
}
RefPtr<UtsNamespace> uts_of(const Task& task) {
  core::SpinGuard<core::PreemptOff> guard{task.share_lock_};
  return task.uts;
}

RefPtr<vfs::Credentials> credentials_of(const Task& task) {
  core::SpinGuard<core::PreemptOff> guard{task.share_lock_};
  return task.credentials_;
}
RefPtr<FileTable> files_of(const Task& task) {
  core::SpinGuard<core::PreemptOff> guard{task.share_lock_};
  return task.files;
}
RefPtr<FileSystemContext> file_system_of(const Task& task) {
  core::SpinGuard<core::PreemptOff> guard{task.share_lock_};
  return task.file_system;
}

RefPtr<vfs::Credentials> credentials_of(Process& process) {
  if (auto leader = process.leader()) return credentials_of(*leader);
  core::MutexGuard guard{process.signal_lock};
  Task* task = process.first_thread();
  return task ? credentials_of(*task) : process.last_credentials;
}

}  // namespace linux_abi
