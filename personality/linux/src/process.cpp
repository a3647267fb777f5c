#include "linux_abi/process.h"

#include "core/time/clock.h"
#include "linux_abi/job_control.h"
#include "linux_abi/task.h"
#include "linux_abi/timers.h"
#include "linux_abi/user_account.h"

namespace linux_abi {

using base::Errno;
using base::error;

namespace {
[[clang::no_destroy]] constinit core::Mutex tree_lock{"process tree"};
constinit std::atomic<Process*> first_process{nullptr};
}  // namespace

core::Mutex& process_tree_lock() { return tree_lock; }

Process* Process::init() { return first_process.load(std::memory_order_acquire); }
void Process::set_init(Process& process) {
  process.is_init_ = true;
  first_process.store(&process, std::memory_order_release);
}

void ResourceUsage::add(const ResourceUsage& other) {
  user_ns += other.user_ns;
  system_ns += other.system_ns;
  minor_faults += other.minor_faults;
  major_faults += other.major_faults;
  voluntary_switches += other.voluntary_switches;
  involuntary_switches += other.involuntary_switches;
  blocks_in += other.blocks_in;
  blocks_out += other.blocks_out;
  if (other.max_rss_kib > max_rss_kib) max_rss_kib = other.max_rss_kib;
}

Result<RefPtr<Process>> Process::create(RefPtr<Pid> pid) {
  auto process = RefPtr<Process>::adopt(new (std::nothrow) Process(std::move(pid)));
  if (!process) return error(Errno::enomem);
  process->actions = TRY(SignalActions::create());
  process->start_time_ns = core::monotonic_ns();
  process->start_boottime_ns = core::boot_ns();
  return process;
}

Process::~Process() { destroy_timers(*this); }

void Process::last_reference_dropped() {
  core::rcu_retire(rcu_, [](core::RcuHead& head) { delete base::container_of(&head, &Process::rcu_); });
}

int Process::parent_id() const {
  core::MutexGuard guard{tree_lock};
  return parent ? parent->id() : 0;
}

RefPtr<core::AddressSpace> Process::address_space() const {
  core::SpinGuard<core::PreemptOff> guard{memory_lock_};
  return address_space_;
}

void Process::set_address_space(RefPtr<core::AddressSpace> space) {
  RefPtr<core::AddressSpace> old;  // released outside the lock
  core::SpinGuard<core::PreemptOff> guard{memory_lock_};
  old = std::move(address_space_);
  address_space_ = std::move(space);
}

RefPtr<vfs::File> Process::executable() const {
  core::SpinGuard<core::PreemptOff> guard{memory_lock_};
  return executable_;
}

void Process::set_executable(RefPtr<vfs::File> file) {
  RefPtr<vfs::File> old;
  core::SpinGuard<core::PreemptOff> guard{memory_lock_};
  old = std::move(executable_);
  executable_ = std::move(file);
}

// relaxed throughout: each limit stands alone.
Rlimit Process::limit(Resource resource) const {
  const auto& entry = limits_[static_cast<unsigned>(resource)];
  return {entry.current.load(std::memory_order_relaxed), entry.maximum.load(std::memory_order_relaxed)};
}
std::uint64_t Process::limit_current(Resource resource) const {
  return limits_[static_cast<unsigned>(resource)].current.load(std::memory_order_relaxed);
}
void Process::set_limit(Resource resource, Rlimit value) {
  auto& entry = limits_[static_cast<unsigned>(resource)];
  entry.current.store(value.current, std::memory_order_relaxed);
  entry.maximum.store(value.maximum, std::memory_order_relaxed);
}
void Process::copy_limits(const Process& other) {
  for (unsigned i = 0; i < resource_count; ++i)
    set_limit(static_cast<Resource>(i), other.limit(static_cast<Resource>(i)));
}

ResourceUsage thread_usage(const Task& task) {
  core::Thread& thread = task.thread();
  return {.user_ns = thread.user_ns(),
          .system_ns = thread.system_ns(),
          .minor_faults = task.minor_faults.load(std::memory_order_relaxed),
          .major_faults = task.major_faults.load(std::memory_order_relaxed),
          .voluntary_switches = thread.voluntary_switches(),
          .involuntary_switches = thread.involuntary_switches()};
}

ResourceUsage Process::usage() const {
  core::MutexGuard guard{signal_lock};
  ResourceUsage sum = dead_threads;
  const_cast<Process*>(this)->for_each_thread([&](Task& task) { sum.add(thread_usage(task)); });
  return sum;
}

Task* Process::first_thread() {
  TaskLinks* links = threads.first();
  return links ? static_cast<Task*>(links) : nullptr;
}

RefPtr<Task> Process::leader() const { return pid->task_reference(); }

void for_each_process(base::FunctionRef<bool(Process&)> function) {
  for (int number = 1;;) {
    RefPtr<Pid> pid = Pid::next_from(number);
    if (!pid) return;
    number = pid->number() + 1;
    RefPtr<Process> process = pid->process_reference();
    if (process && process->pid == pid && !function(*process)) return;
  }
}

unsigned process_count() {
  unsigned count = 0;
  for_each_process([&](Process&) {
    ++count;
    return true;
  });
  return count;
}

}  // namespace linux_abi
