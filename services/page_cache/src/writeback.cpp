#include "page_cache/writeback.h"

#include "core/memory/page_allocator.h"
#include "core/sched/work_queue.h"
#include "core/sync/mutex.h"
#include "core/time/clock.h"
#include "writeback_internal.h"

namespace page_cache {

namespace {

constexpr std::uint64_t interval_ns = 5 * core::ns_per_second, age_ns = 30 * core::ns_per_second;

void periodic(core::Work&);
[[clang::no_destroy]] constinit core::DelayedWork periodic_work{periodic};
constinit std::atomic<bool> periodic_is_set{false}, reclaimer_is_set{false};

void set_periodic(std::uint64_t delay_ns) {
  if (!periodic_is_set.exchange(true, std::memory_order_acq_rel))
    periodic_work.post_after(core::WorkQueue::long_running(), delay_ns);
}

std::uint64_t dirty_pages() {
  long dirty = core::memory_counter(core::MemoryCounter::dirty);
  return dirty > 0 ? static_cast<std::uint64_t>(dirty) : 0;
}
bool is_more_than_part(std::uint64_t pages, unsigned part) {
  return pages > core::memory_statistics().total_pages / part;
}

class CleanPages final : public core::Reclaimer {
 public:
  std::uint64_t reclaim(std::uint64_t wanted) override { return Writeback::reclaim(wanted); }
  std::uint64_t reclaimable_pages() const override {
    long clean = core::memory_counter(core::MemoryCounter::file_cache) -
                 core::memory_counter(core::MemoryCounter::shared_memory) -
                 core::memory_counter(core::MemoryCounter::dirty);
    return clean > 0 ? static_cast<std::uint64_t>(clean) : 0;
  }
};
constinit CleanPages clean_pages;

}  // namespace

// The lists, and the hooks and times in the caches, are protected by the mutex; below it only tree_mutex_
// (tried).
struct WritebackLists {
  static inline constinit core::Mutex mutex{"writeback lists"};
  static inline constinit core::Mutex running{"writeback"};  // one pass over the dirty ones at a time
};

struct Writeback::Lists {
  using All = base::IntrusiveList<PageCache, &PageCache::registered_>;
  using Dirty = base::IntrusiveList<PageCache, &PageCache::dirty_hook_>;
  [[clang::no_destroy]] static inline constinit All all;
  [[clang::no_destroy]] static inline constinit Dirty dirty;
};

void Writeback::add(PageCache& cache) {
  if (!reclaimer_is_set.exchange(true)) core::register_reclaimer(clean_pages);
  core::MutexGuard guard{WritebackLists::mutex};
  Lists::all.push_back(cache);
}

void Writeback::remove(PageCache& cache) {
  core::MutexGuard guard{WritebackLists::mutex};
  if (cache.registered_.is_linked()) Lists::all.remove(cache);
  base::verify(!cache.dirty_hook_.is_linked(), "a dirty page cache destroyed without detach()");
}

void Writeback::became_dirty(PageCache& cache) {
  {
    core::MutexGuard guard{WritebackLists::mutex};
    if (cache.dirty_hook_.is_linked()) return;
    cache.dirty_since_ns_ = core::monotonic_ns();
    cache.store_->first_page_dirtied();
    Lists::dirty.push_back(cache);
  }
  set_periodic(interval_ns);
}

void Writeback::became_clean(PageCache& cache) {
  {
    core::MutexGuard guard{WritebackLists::mutex};
    if (!cache.dirty_hook_.is_linked() || cache.dirty_.load(std::memory_order_acquire)) return;
    Lists::dirty.remove(cache);
  }
  cache.store_->last_page_cleaned();  // may be the end of both
}

bool Writeback::is_listed(const PageCache& cache) {
  core::MutexGuard guard{WritebackLists::mutex};
  return cache.dirty_hook_.is_linked();
}

void Writeback::detach(PageCache& cache) {
  bool was_dirty;
  {
    core::MutexGuard guard{WritebackLists::mutex};
    if (cache.registered_.is_linked()) Lists::all.remove(cache);
    was_dirty = cache.dirty_hook_.is_linked();
    if (was_dirty) Lists::dirty.remove(cache);
  }
  if (was_dirty) cache.store_->last_page_cleaned();
}

// ---- Passes ----

void Writeback::write_aged(std::uint64_t minimum_age_ns) {
  core::MutexGuard one_at_a_time{WritebackLists::running};
  std::uint64_t begin = core::monotonic_ns();
  for (;;) {
    RefPtr<PageCache> cache;
    {
      core::MutexGuard guard{WritebackLists::mutex};
      // Oldest first. Each is taken at most once in a pass: it goes to the end with a new time.
      PageCache* oldest = Lists::dirty.first();
      if (!oldest || oldest->dirty_since_ns_ >= begin || begin - oldest->dirty_since_ns_ < minimum_age_ns)
        return;
      cache = RefPtr<PageCache>(oldest);
      // Keeps the store alive while it is written: it is dirty, and only a pass or a sync makes it clean.
      oldest->store_->first_page_dirtied();
      Lists::dirty.remove(*oldest);
      oldest->dirty_since_ns_ = core::monotonic_ns();
      Lists::dirty.push_back(*oldest);
    }
    (void)!cache->write_back(0, ~std::uint64_t{0});  // errors are recorded for those who ask
    cache->store_->last_page_cleaned();
  }
}

void Writeback::throttle(PageCache& cache) {
  std::uint64_t dirty = dirty_pages();
  if (dirty < 256 || !is_more_than_part(dirty, 10)) return;
  if (is_more_than_part(dirty, 5)) {
    (void)!cache.write_back(0, ~std::uint64_t{0});
    return;
  }
  set_periodic(1);
}

namespace {
void periodic(core::Work&) {
  periodic_is_set.store(false, std::memory_order_release);
  Writeback::write_aged(is_more_than_part(dirty_pages(), 10) ? 0 : age_ns);
  if (dirty_pages()) set_periodic(interval_ns);
}
}  // namespace

void throttle_writer(PageCache& cache) { Writeback::throttle(cache); }
void write_back_everything() { Writeback::write_aged(0); }

// ---- Reclaim ----

std::uint64_t Writeback::reclaim(std::uint64_t wanted) {
  std::uint64_t dropped = 0;
  core::MutexTryGuard guard{WritebackLists::mutex};
  if (!guard) return 0;
  // Twice around: the first pass takes the mark of use away, the second takes the page.
  unsigned caches = 0;
  for (PageCache& cache : Lists::all) {
    (void)cache;
    ++caches;
  }
  for (unsigned i = 0; i < caches * 2 && dropped < wanted; ++i) {
    PageCache& cache = *Lists::all.pop_front();
    Lists::all.push_back(cache);
    core::MutexTryGuard tree{cache.tree_mutex_};
    if (!tree) continue;
    do {
      dropped += cache.drop_clean_locked(cache.clock_index_, wanted - dropped, i < caches);
    } while (dropped < wanted && cache.clock_index_);
  }
  return dropped;
}

std::uint64_t reclaim_clean_pages(std::uint64_t wanted) { return Writeback::reclaim(wanted); }

}  // namespace page_cache
