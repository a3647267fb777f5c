#include "reclaim.h"

#include <atomic>

#include "core/memory/kernel_map.h"
#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "core/sync/blocking.h"
#include "core/sync/wait_queue.h"
#include "page_out.h"

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

bool is_reclaiming() { return ReclaimTurn::is_mine(); }

struct SwapSources {
  static std::uint64_t swap_out(std::uint64_t wanted) {
    std::uint64_t freed = 0;
    for (SwapSource* at = first.load(std::memory_order_acquire); at && freed < wanted; at = at->next_) {
      for (;;) {
        PageOut out;
        if (!out.prepare()) return freed;
        at->swap_out(out, wanted - freed);
        std::uint64_t now = out.write();
        freed += now;
        if (!now || freed >= wanted) break;
      }
    }
    return freed;
  }
  static Result<void> bring_in(unsigned device) {
    for (SwapSource* at = first.load(std::memory_order_acquire); at; at = at->next_)
      TRY(at->bring_in(device));
    return {};
  }
  static void add(SwapSource& source) {
    SwapSource* head = first.load(std::memory_order_relaxed);
    do {
      source.next_ = head;
    } while (
        !first.compare_exchange_weak(head, &source, std::memory_order_release, std::memory_order_relaxed));
  }
  static inline constinit std::atomic<SwapSource*> first{nullptr};
};

void register_swap_source(SwapSource& source) { SwapSources::add(source); }

namespace {

std::uint64_t count_of(MemoryCounter counter) {
  long value = memory_counter(counter);
  return value > 0 ? static_cast<std::uint64_t>(value) : 0;
}

// Private and shared memory, by how much there is of each.
std::uint64_t send_away(std::uint64_t wanted) {
  std::uint64_t anonymous = count_of(MemoryCounter::anonymous),
                shared = count_of(MemoryCounter::shared_memory);
  std::uint64_t of_shared = wanted * shared / (anonymous + shared + 1);
  std::uint64_t freed = 0, unmapped;
  // What lost its entries counts as found, but may be dirty and stay: then the clock goes on.
  do {
    unmapped = 0;
    freed += evict_unused(wanted > of_shared ? wanted - of_shared : wanted,
                          {.anonymous = true, .mapped = true}, unmapped);
    if (freed < wanted) freed += SwapSources::swap_out(wanted - freed);
  } while (!freed && unmapped);
  return freed;
}

// How dear each kind is (vm.swappiness): its share of what is wanted is looked for there first.
std::uint64_t reclaim_in_turn(std::uint64_t wanted) {
  std::uint64_t freed = purge_kernel_map();
  bool swaps = any_swap_free();
  if (freed < wanted) freed += drop_clean_swap_pages(wanted - freed);
  if (freed < wanted) {
    std::uint32_t dear = swappiness.load(std::memory_order_relaxed);
    if (!swaps || dear > 200) dear = 0;
    std::uint64_t of_files = (wanted - freed) * (200 - dear) / 200;
    freed += ReclaimList::reclaim(of_files);
    if (swaps && dear && freed < wanted) freed += send_away(wanted - freed);
  }
  if (freed < wanted) freed += ReclaimList::reclaim(wanted - freed);
  // Files that are mapped and not used, and then, whatever swappiness says, everything.
  if (freed < wanted) {
    std::uint64_t unmapped = 0;
    freed += evict_unused(wanted - freed, {.anonymous = false, .mapped = true}, unmapped);
    if (unmapped) freed += ReclaimList::reclaim(wanted - freed);
  }
  if (freed < wanted && swaps) freed += send_away(wanted - freed);
  if (freed < wanted) freed += drop_clean_swap_pages(wanted - freed);
  if (freed < wanted) freed += shrink_slab_caches();
  return freed;
}

}  // namespace

std::uint64_t reclaim_pages(std::uint64_t wanted) {
  // A reclaimer that allocates must not end up here again.
  if (ReclaimTurn::is_mine()) return 0;
  bool had_turn = false;
  {
    ReclaimTurn turn(ReclaimTurn::Wait::no);
    if (turn) {
      had_turn = true;
      reclaim_was_contended.store(false, std::memory_order_relaxed);
      std::uint64_t freed = reclaim_in_turn(wanted);
      if (freed || !reclaim_was_contended.load(std::memory_order_relaxed)) return freed;
    }
  }
  if (had_turn) {
    // Before a victim is looked for, whoever holds what could not be looked at gets his turn.
    [[clang::no_destroy]] static constinit WaitQueue never_woken{"reclaim"};
    (void)never_woken.wait(
                         WaitMode::uninterruptible, [] { return false; }, Deadline::after(5'000'000))
        .has_value();
    return 1;
  }
  // It helps the one who is at it, and does not need what he may wait for.
  if (std::uint64_t freed = purge_kernel_map() + shrink_slab_caches()) return freed;
  ReclaimTurn turn(ReclaimTurn::Wait::briefly);
  return 1;
}

Result<void> remove_swap_device(unsigned index) {
  static constinit std::atomic<std::uint32_t> passes{0};
  SwapDevice& device = swap_device(index);
  device.accepts.store(false);
  // A round that may have taken slots meanwhile is over then.
  {
    ReclaimTurn turn(ReclaimTurn::Wait::until_free);
  }
  auto bring_home = [&]() -> Result<void> {
    for (unsigned pass = 0; device.used.load(); ++pass) {
      // What has a page in memory that somebody still maps only holds a slot.
      for (std::uint64_t slot = 1; slot < device.slots && device.cached.load(); ++slot) {
        std::uint64_t word = device.word(slot).load();
        Page* page = SlotWord::page(word);
        if (!page || SlotWord::has_references(word) || (word & SlotWord::writeback) || !page->try_acquire())
          continue;
        if (SlotWord::is_of(device.word(slot).load(), *page)) (void)try_forget(SwapEntry(index, slot), *page);
        release_page(*page);
      }
      if (!device.used.load()) break;
      if (interruption_pending(WaitMode::interruptible)) return error(Errno::eintr);
      TRY(AddressSpace::bring_in_all(index, passes.fetch_add(1) + 1));
      TRY(SwapSources::bring_in(index));
      // What is on its way from one place to another (fork, mremap, exit) is met in the next pass.
      if (pass > 100) return error(Errno::ebusy);
    }
    return {};
  };
  auto done = bring_home();
  if (!done) {
    device.accepts.store(true);
    return done;
  }
  close_swap_device(device);
  return {};
}

std::uint64_t reclaimable_pages() { return ReclaimList::reclaimable(); }

}  // namespace core
