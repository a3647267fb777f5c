#include <atomic>

#include "core/memory/oom.h"
#include "core/memory/page_allocator.h"
#include "core/memory/swap.h"
#include "core/sync/mutex.h"
#include "core/sync/wait_queue.h"

namespace core {

constinit std::uint32_t max_areas_per_space = 65530;
constinit std::uintptr_t lowest_map_address = 65536;
constinit std::uint32_t stack_guard_gap_pages = 256;

namespace {

constinit std::atomic<std::uint64_t> committed{0};
constinit std::atomic<std::uint64_t> machine_pages{0};  // constant after the first use
[[clang::no_destroy]] constinit Mutex settings_lock{"overcommit settings"};
constinit OvercommitSettings settings GUARDED_BY(settings_lock);
constinit std::atomic<OvercommitMode> mode{OvercommitMode::heuristic};
constinit std::atomic<VictimCallback> victim_callback{nullptr};

std::uint64_t total_pages() {
  std::uint64_t pages = machine_pages.load(std::memory_order_relaxed);
  if (pages) return pages;
  pages = memory_statistics().total_pages;
  machine_pages.store(pages, std::memory_order_relaxed);
  return pages;
}

}  // namespace

OvercommitSettings overcommit_settings() {
  MutexGuard guard{settings_lock};
  return settings;
}

OvercommitMode overcommit_mode() { return mode.load(std::memory_order_relaxed); }

void set_overcommit_settings(const OvercommitSettings& fresh) {
  MutexGuard guard{settings_lock};
  settings = fresh;
  mode.store(fresh.mode, std::memory_order_relaxed);
}

std::uint64_t committed_pages() { return committed.load(std::memory_order_relaxed); }

std::uint64_t commit_limit_pages() {
  OvercommitSettings now = overcommit_settings();
  if (now.limit_kib) return now.limit_kib / (page_size / 1024) + swap_statistics().total_pages;
  return total_pages() * now.ratio_percent / 100 + swap_statistics().total_pages;
}

base::Result<void> charge_commit(std::uint64_t pages) {
  // relaxed: an account, ordered with nothing.
  std::uint64_t before = committed.fetch_add(pages, std::memory_order_relaxed);
  bool refused = false;
  switch (mode.load(std::memory_order_relaxed)) {
    case OvercommitMode::always:
      break;
    case OvercommitMode::heuristic:
      refused = pages > total_pages() && pages > total_pages() + swap_statistics().total_pages;
      break;
    case OvercommitMode::never:
      refused = before + pages > commit_limit_pages();
      break;
  }
  if (!refused) return {};
  committed.fetch_sub(pages, std::memory_order_relaxed);
  return base::error(base::Errno::enomem);
}

void uncharge_commit(std::uint64_t pages) { committed.fetch_sub(pages, std::memory_order_relaxed); }

// --- When nothing is left

void set_out_of_memory_callback(VictimCallback callback) { victim_callback.store(callback); }

bool handle_out_of_memory() {
  [[clang::no_destroy]] static constinit Mutex lock{"out of memory"};
  [[clang::no_destroy]] static constinit WaitQueue never_woken{"out of memory"};
  VictimCallback callback = victim_callback.load();
  if (!callback) return false;
  {
    MutexTryGuard guard{lock};
    if (guard) {
      switch (callback()) {
        case VictimResult::none:
        case VictimResult::current_is_dying:
          return false;
        case VictimResult::killed:
          count_memory(MemoryCounter::out_of_memory_kills, 1);
          break;
      }
    }
  }
  // The victim needs a moment to go; whoever came second waits for the same victim.
  std::uint64_t wanted = memory_statistics().reserve_pages * 2;
  for (unsigned i = 0; i < 50; ++i) {
    if (memory_statistics().free_pages > wanted) break;
    if (interruption_pending(WaitMode::killable)) return false;
    (void)never_woken.wait(WaitMode::killable, [] { return false; }, Deadline::after(10'000'000)).has_value();
  }
  return true;
}

}  // namespace core
