#include "linux_abi/task_extras.h"

namespace linux_abi {

using base::Errno;
using base::error;

struct ExtrasTable {
  static constexpr unsigned bucket_count = 64;
  struct Bucket {
    core::Mutex mutex{"task extras"};
    base::IntrusiveList<TaskExtras, &TaskExtras::hook_> list GUARDED_BY(mutex);
  };
  Bucket buckets[bucket_count];
  std::atomic<std::uint64_t> count{0};

  // By address: exec may change the number.
  Bucket& bucket_of(const Task& task) {
    // SAFETY: the address is only mixed into a number.
    return buckets[reinterpret_cast<std::uintptr_t>(&task) / sizeof(Task) % bucket_count];
  }
  TaskExtras* find_in(Bucket& bucket, const Task& task) REQUIRES(bucket.mutex) {
    for (TaskExtras& extras : bucket.list)
      if (extras.task_ == &task) return &extras;
    return nullptr;
  }
  void insert(const Task& task, TaskExtras& extras) {
    Bucket& bucket = bucket_of(task);
    core::MutexGuard guard{bucket.mutex};
    bucket.list.push_back(extras);
    count.fetch_add(1);
  }
  TaskExtras* remove(const Task& task) {
    Bucket& bucket = bucket_of(task);
    core::MutexGuard guard{bucket.mutex};
    TaskExtras* found = find_in(bucket, task);
    if (!found) return nullptr;
    bucket.list.remove(*found);
    count.fetch_sub(1);
    return found;
  }
  static TaskExtras* make(const Task& task) { return new (std::nothrow) TaskExtras(task); }
};

namespace {
[[clang::no_destroy]] constinit ExtrasTable table;
}

TaskExtras* TaskExtras::find(const Task& task) {
  if (!table.count.load()) return nullptr;
  auto& bucket = table.bucket_of(task);
  core::MutexGuard guard{bucket.mutex};
  return table.find_in(bucket, task);
}

RefPtr<const LandlockDomain> TaskExtras::domain_of(const Task& task) {
  if (!table.count.load()) return nullptr;
  auto& bucket = table.bucket_of(task);
  core::MutexGuard guard{bucket.mutex};
  TaskExtras* extras = table.find_in(bucket, task);
  return extras ? extras->domain_ : RefPtr<const LandlockDomain>{};
}

void TaskExtras::set_domain(RefPtr<const LandlockDomain> domain) {
  core::MutexGuard guard{table.bucket_of(*task_).mutex};
  std::swap(domain_, domain);
}

Result<TaskExtras*> TaskExtras::of(Task& task) {
  if (TaskExtras* extras = find(task)) return extras;
  TaskExtras* made = ExtrasTable::make(task);
  if (!made) return error(Errno::enomem);
  table.insert(task, *made);
  return made;
}

void drop_extras(const Task& task) {
  if (!table.count.load()) return;
  delete table.remove(task);
}

Result<void> inherit_extras(Task& child, const Task& parent, std::uint64_t clone_flags) {
  const TaskExtras* from = TaskExtras::find(parent);
  if (!from) return {};
  TaskExtras& to = *TRY(TaskExtras::of(child));
  to.set_ring(TaskExtras::session_ring, from->ring(TaskExtras::session_ring));
  if (clone_flags & clone_thread) to.set_ring(TaskExtras::process_ring, from->ring(TaskExtras::process_ring));
  to.request_destination = from->request_destination;
  to.memory_policy = from->memory_policy;
  to.memory_node_given = from->memory_node_given;
  to.set_domain(TaskExtras::domain_of(parent));
  return {};
}

void drop_extras_for_exec(Task& task) {
  TaskExtras* extras = TaskExtras::find(task);
  if (!extras) return;
  extras->set_ring(TaskExtras::thread_ring, {});
  extras->set_ring(TaskExtras::process_ring, {});
}

}  // namespace linux_abi
