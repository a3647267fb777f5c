#include "linux_abi/pid.h"

#include "core/sync/mutex.h"
#include "linux_abi/process.h"
#include "linux_abi/task.h"

namespace linux_abi {

using base::Errno;
using base::error;

namespace {

// Numbers to Pid objects, two levels; second-level pages come with use and stay. Readers under RCU.
constexpr int page_entries = 1024;
constexpr int highest_maximum = 4 * 1024 * 1024;
constexpr int reserved_low =
    300;  // not reused after the first wrap, as programs with fixed ideas of daemons expect

struct PidPage {
  std::atomic<Pid*> entries[page_entries] = {};
  int used = 0;
};

class PidTable {
 public:
  Pid* find(int number) const {
    if (number <= 0 || number >= highest_maximum) return nullptr;
    // acquire: the page and the Pid are complete before they are found.
    PidPage* page = pages_[number / page_entries].load(std::memory_order_acquire);
    return page ? page->entries[number % page_entries].load(std::memory_order_acquire) : nullptr;
  }
  bool page_exists(int number) const { return pages_[number / page_entries].load(std::memory_order_acquire); }

  core::Mutex lock;
  int maximum GUARDED_BY(lock) = 32768;
  int last GUARDED_BY(lock) = 0;

  Result<PidPage*> page_for(int number) REQUIRES(lock) {
    auto& slot = pages_[number / page_entries];
    // relaxed: only written with the lock held.
    if (PidPage* page = slot.load(std::memory_order_relaxed)) return page;
    auto* page = new (std::nothrow) PidPage;
    if (!page) return error(Errno::enomem);
    slot.store(page, std::memory_order_release);
    return page;
  }
  bool is_free(int number) const { return !find(number); }
  Result<int> next_free() REQUIRES(lock) {
    int candidate = last + 1;
    for (int wraps = 0; wraps < 2;) {
      if (candidate >= maximum) {
        candidate = wraps || last >= reserved_low ? reserved_low : 1;
        if (candidate >= maximum) candidate = 1;
        ++wraps;
        continue;
      }
      PidPage* page = pages_[candidate / page_entries].load(std::memory_order_relaxed);
      if (page && page->used == page_entries) {
        candidate = (candidate / page_entries + 1) * page_entries;
        continue;
      }
      if (is_free(candidate)) return candidate;
      ++candidate;
    }
    return error(Errno::eagain);
  }
  void set(PidPage& page, int number, Pid* pid) REQUIRES(lock) {
    page.used += pid ? 1 : -1;
    // release: whoever finds it sees it complete.
    page.entries[number % page_entries].store(pid, std::memory_order_release);
  }

 private:
  std::atomic<PidPage*> pages_[highest_maximum / page_entries] = {};
};

[[clang::no_destroy]] constinit PidTable table;

}  // namespace

Result<RefPtr<Pid>> Pid::create(int wanted) {
  core::MutexGuard guard{table.lock};
  int number = wanted;
  if (wanted) {
    if (wanted < 1 || wanted >= table.maximum) return error(Errno::einval);
    if (!table.is_free(wanted)) return error(Errno::eexist);
  } else {
    number = TRY(table.next_free());
  }
  PidPage* page = TRY(table.page_for(number));
  auto* pid = new (std::nothrow) Pid(number);
  if (!pid) return error(Errno::enomem);
  table.set(*page, number, pid);
  if (!wanted) table.last = number;
  return RefPtr<Pid>::adopt(pid);
}

Pid* Pid::find(int number) { return table.find(number); }

RefPtr<Pid> Pid::get(int number) {
  core::RcuReadGuard guard;
  return RefPtr<Pid>::try_acquire(table.find(number));
}

int Pid::maximum() {
  core::MutexGuard guard{table.lock};
  return table.maximum;
}

Result<void> Pid::set_maximum(int maximum) {
  if (maximum < 301 || maximum > highest_maximum) return error(Errno::einval);
  core::MutexGuard guard{table.lock};
  table.maximum = maximum;
  return {};
}

int Pid::last_allocated() {
  core::MutexGuard guard{table.lock};
  return table.last;
}

RefPtr<Pid> Pid::next_from(int from) {
  if (from < 1) from = 1;
  core::MutexGuard guard{table.lock};
  for (int number = from; number < table.maximum; ++number) {
    if (number % page_entries == 0 && !table.page_exists(number)) {
      number += page_entries - 1;
      continue;
    }
    if (auto pid = RefPtr<Pid>::try_acquire(table.find(number))) return pid;
  }
  return {};
}

void Pid::detach() {
  // acq_rel: the last user sees what the others did with it.
  if (users_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  core::MutexGuard guard{table.lock};
  auto page = table.page_for(number_);
  if (page) table.set(**page, number_, nullptr);
}

RefPtr<Task> Pid::task_reference() const {
  core::RcuReadGuard guard;
  return RefPtr<Task>::try_acquire(task());
}

RefPtr<Process> Pid::process_reference() const {
  core::RcuReadGuard guard;
  return RefPtr<Process>::try_acquire(process());
}

void Pid::last_reference_dropped() {
  core::rcu_retire(rcu_, [](core::RcuHead& head) { delete base::container_of(&head, &Pid::rcu_); });
}

}  // namespace linux_abi
