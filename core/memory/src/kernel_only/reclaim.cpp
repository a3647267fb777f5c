#include "reclaim.h"

#include <atomic>

#include "core/memory/kernel_map.h"
#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "core/sync/thread_base.h"

namespace core {

class ReclaimList {
 public:
  static std::uint64_t reclaim(std::uint64_t wanted) {
    std::uint64_t freed = 0;
    for (Reclaimer* at = first.load(std::memory_order_acquire); at && freed < wanted; at = at->next_)
      freed += at->reclaim(wanted - freed);
    return freed;
  }
  static std::uint64_t reclaimable() {
    std::uint64_t pages = 0;
    for (Reclaimer* at = first.load(std::memory_order_acquire); at; at = at->next_)
      pages += at->reclaimable_pages();
    return pages;
  }
  // Only ever grows, so readers need no lock.
  static inline constinit std::atomic<Reclaimer*> first{nullptr};
};

void register_reclaimer(Reclaimer& reclaimer) {
  Reclaimer* head = ReclaimList::first.load(std::memory_order_relaxed);
  do {
    reclaimer.next_ = head;
  } while (!ReclaimList::first.compare_exchange_weak(head, &reclaimer, std::memory_order_release,
                                                     std::memory_order_relaxed));
}

namespace {
// A reclaimer that allocates must not end up here again: the thread that reclaims is remembered. One at a
// time is enough; others retry after it.
constinit std::atomic<const void*> reclaiming{nullptr};
}  // namespace

bool is_reclaiming() { return reclaiming.load(std::memory_order_relaxed) == &ThreadBase::current(); }

std::uint64_t reclaim_pages(std::uint64_t wanted) {
  const void* self = &ThreadBase::current();
  const void* expected = nullptr;
  if (!reclaiming.compare_exchange_strong(expected, self)) {
    if (expected == self) return 0;
    return purge_kernel_map() + shrink_slab_caches();
  }
  std::uint64_t freed = purge_kernel_map();
  if (freed < wanted) freed += ReclaimList::reclaim(wanted - freed);
  if (freed < wanted) freed += shrink_slab_caches();
  reclaiming.store(nullptr);
  return freed;
}

std::uint64_t reclaimable_pages() { return ReclaimList::reclaimable(); }

}  // namespace core
