// Taking what programs have not used for a while out of their address spaces: a clock whose hand goes through
// all address spaces, and in each through its areas. What was used since the hand came by last loses the mark
// and stays. There is no way from a page of private memory to its entries, and none is needed: each entry
// goes when the hand comes to it, and the page when the last has gone.
#include "area_internal.h"
#include "core/sync/blocking.h"
#include "core/sync/mutex.h"
#include "mapper.h"
#include "page_out.h"
#include "reclaim.h"

namespace core {

// All address spaces. The mutex keeps them from being destroyed. Nothing is waited for while it is held, and
// nothing allocated, so that reclaim may take it whatever the thread holds.
struct AddressSpaces {
  using List = base::IntrusiveList<AddressSpace, &AddressSpace::spaces_hook_>;
  [[clang::no_destroy]] static inline constinit Mutex mutex{"address spaces"};
  [[clang::no_destroy]] static inline constinit List list;
};

void AddressSpace::join_spaces() {
  MutexGuard guard{AddressSpaces::mutex};
  AddressSpaces::list.push_back(*this);
}

void AddressSpace::leave_spaces() {
  MutexGuard guard{AddressSpaces::mutex};
  if (spaces_hook_.is_linked()) AddressSpaces::list.remove(*this);
}

// One visit to one address space.
class Evictor {
 public:
  Evictor(AddressSpace& space, PageOut& out, EvictKinds kinds, bool spares_used, std::uint64_t budget)
      : space_(space), out_(out), kinds_(kinds), spares_used_(spares_used), budget_(budget) {}

  // Where the next visit begins; `end` when all was seen.
  std::uintptr_t scan(Area& area, std::uintptr_t start, std::uintptr_t end) {
    stopped_at_ = end;
    TlbBatch batch(space_);
    long gone[3] = {};
    Mapper::for_each_run(space_, start, end, [&](EntryPlace place, std::uintptr_t address, unsigned count) {
      if (stopped_at_ != end) return;
      for (unsigned done = 0; done < count;) {
        if (!arch::read_entry(place.entry + done).is_present()) {
          ++done;
          continue;
        }
        if (done_here()) {
          stopped_at_ = address + (std::uintptr_t{done} << page_shift);
          return;
        }
        if (batch.full()) batch.flush();
        TableLock guard(*place.table);
        for (unsigned held = 0; done < count && held < entries_per_hold && !batch.full() && !done_here();
             ++done, ++held)
          look_at(area, place.entry + done, address + (std::uintptr_t{done} << page_shift), batch, gone);
      }
    });
    for (unsigned kind = 0; kind < 3; ++kind)
      if (gone[kind]) Mapper::add_resident(space_, static_cast<Mapper::Kind>(kind), -gone[kind]);
    return stopped_at_;
  }
  bool done_here() const { return seen_ >= budget_ || (kinds_.anonymous && out_.is_full()); }
  std::uint64_t unmapped() const { return unmapped_; }
  std::uint64_t seen() const { return seen_; }

 private:
  void look_at(Area& area, Entry* entry, std::uintptr_t at, TlbBatch& batch, long* gone) {
    Entry old = arch::read_entry(entry);
    if (!old.is_present() || is_special(old)) return;
    ++seen_;
    Page& page = page_of_entry(old);
    if (page.has(PageFlag::compound_head) || page.has(PageFlag::compound_tail)) return;
    if (spares_used_ && old.accessed()) {
      while (old.is_present() && !arch::compare_exchange_entry(entry, old, old.with_accessed(false))) {
      }
      batch.note(at, at + page_size);
      return;
    }
    if (page.has(PageFlag::anonymous)) {
      if (kinds_.anonymous) take_anonymous(entry, page, at, batch, gone);
    } else if (kinds_.mapped && area.object()) {
      old = arch::exchange_entry(entry, Entry{});
      batch.note(at, at + page_size);
      Mapper::Kind kind = Mapper::kind_of(page, area);
      if (area.is_shared() && old.dirty()) area.object()->page_dirtied(page, area.index_of(at));
      page.map_count.fetch_sub(1, std::memory_order_relaxed);
      ++gone[static_cast<unsigned>(kind)];
      ++unmapped_;
      batch.add(page);
    }
  }

  void take_anonymous(Entry* entry, Page& page, std::uintptr_t at, TlbBatch& batch, long* gone) {
    SwapEntry slot = out_.add(page);
    if (!slot.value()) return;
    arch::exchange_entry(entry, Entry::make_software(slot.value()));
    batch.note(at, at + page_size);
    page.map_count.fetch_sub(1);
    ++gone[static_cast<unsigned>(Mapper::Kind::anonymous)];
    space_.swapped_.fetch_add(1, std::memory_order_relaxed);
    batch.add(page);
  }

  AddressSpace& space_;
  PageOut& out_;
  EvictKinds kinds_;
  bool spares_used_;
  std::uint64_t budget_, seen_ = 0, unmapped_ = 0;
  std::uintptr_t stopped_at_ = 0;
};

constinit std::atomic<bool> reclaim_was_contended{false};

namespace {
constexpr std::uint64_t entries_per_visit = 2048;

// A SwapEntry has no room for the mark of a monitor, and an entry to shared memory that went would be a fault
// that the monitor hears of.
bool may_evict(const Area& area) {
  return !area.has(AreaFlag::special) && !area.has(AreaFlag::locked) && !area.monitor();
}
}  // namespace

// lock_ is held for reading, or for writing by this very thread, which stands at an allocation: the areas and
// the tables are whole there.
void AddressSpace::evict_areas(Evictor& evictor) NO_THREAD_SAFETY_ANALYSIS {
  for (Area* area = areas_.find_from(evict_hand_); area; area = areas_.next(*area)) {
    std::uintptr_t start = area->start_ > evict_hand_ ? area->start_ : evict_hand_;
    evict_hand_ = area->end_;
    if (!may_evict(*area)) continue;
    evict_hand_ = evictor.scan(*area, start, area->end_);
    if (evict_hand_ != area->end_ || evictor.done_here()) return;
  }
  evict_hand_ = 0;
}

bool AddressSpace::try_evict(Evictor& evictor) {
  if (lock_.is_write_held_by_current()) {
    evict_areas(evictor);
    return true;
  }
  ReadTryGuard guard{lock_};
  if (!guard) return false;
  evict_areas(evictor);
  return true;
}

std::uint64_t evict_unused(std::uint64_t wanted, EvictKinds kinds, std::uint64_t& unmapped) {
  std::uint64_t freed = 0, seen = 0;
  // The first of those that had nothing, one after the other; only compared.
  const AddressSpace* idle_since = nullptr;
  // Twice around everything: once to take the marks of use away, once to take the pages.
  auto resident = [](MemoryCounter counter) {
    long value = memory_counter(counter);
    return value > 0 ? static_cast<std::uint64_t>(value) : 0;
  };
  std::uint64_t budget =
      2 * (resident(MemoryCounter::anonymous) + resident(MemoryCounter::file_mapped)) + 256;
  PageOut out;
  bool contended = false;
  while (freed + unmapped < wanted && seen < budget) {
    if (kinds.anonymous && !out.prepare()) kinds.anonymous = false;
    if (!kinds.anonymous && !kinds.mapped) break;
    {
      // Whoever else has it puts a space on the list or takes one off.
      MutexGuard guard{AddressSpaces::mutex};
      AddressSpace* space = AddressSpaces::list.first();
      if (!space) break;
      Evictor evictor(*space, out, kinds, true, entries_per_visit);
      bool visited = space->try_evict(evictor);
      unmapped += evictor.unmapped();
      seen += evictor.seen();
      // The next one comes when this one was gone through.
      contended |= !visited;
      bool whole = !visited || space->eviction_is_at_start();
      if (whole) {
        AddressSpaces::list.remove(*space);
        AddressSpaces::list.push_back(*space);
      }
      if (evictor.seen())
        idle_since = nullptr;
      else if (!idle_since)
        idle_since = space;
      else if (idle_since == space)
        break;  // once around
    }
    freed += out.write();
  }
  // Not the end of what could be had: somebody changes his address space right now.
  if (freed + unmapped == 0 && contended) reclaim_was_contended.store(true, std::memory_order_relaxed);
  return freed;
}

// ---- MADV_COLD, MADV_PAGEOUT ----

void AddressSpace::age_locked(Area& area, std::uintptr_t start, std::uintptr_t end) {
  PageOut none;
  Evictor evictor(*this, none, {}, true, ~std::uint64_t{0});
  evictor.scan(area, start, end);
}

Result<void> AddressSpace::page_out(std::uintptr_t start, std::uintptr_t end) {
  bool gap = false;
  for (std::uintptr_t at = start; at < end;) {
    // This order: whoever has the turn only tries for locks.
    ReadGuard guard{lock_};
    ReclaimTurn turn(ReclaimTurn::Wait::until_free);
    Area* area = areas_.find_from(at);
    if (!area || area->start_ >= end) return error(Errno::enomem);
    if (area->start_ > at) {
      gap = true;
      at = area->start_;
    }
    if (area->has(AreaFlag::special) || area->has(AreaFlag::locked)) return error(Errno::einval);
    std::uintptr_t piece_end = area->end_ < end ? area->end_ : end;
    if (!may_evict(*area)) {
      at = piece_end;
      continue;
    }
    PageOut out;
    EvictKinds kinds{.anonymous = out.prepare(), .mapped = true};
    Evictor evictor(*this, out, kinds, false, entries_per_visit);
    at = evictor.scan(*area, at, piece_end);
    (void)out.write();
  }
  if (gap) return error(Errno::enomem);
  return {};
}

// ---- swapoff ----

Result<void> AddressSpace::bring_in_swapped(unsigned device) {
  std::uintptr_t at = 0;
  bool no_memory = false;
  for (;;) {
    if (interruption_pending(WaitMode::interruptible)) return error(Errno::eintr);
    // With no lock held, so that other parts of this very space can leave.
    if (no_memory && !reclaim_pages(64)) return error(Errno::enomem);
    no_memory = false;
    ReadGuard guard{lock_};
    Area* area = areas_.find_from(at);
    if (!area) return {};
    std::uintptr_t start = area->start_ > at ? area->start_ : at, found = area->end_;
    Mapper::for_each_run(
        *this, start, area->end_, [&](EntryPlace place, std::uintptr_t address, unsigned count) {
          if (found != area->end_) return;
          for (unsigned i = 0; i < count; ++i) {
            Entry entry = arch::read_entry(place.entry + i);
            if (!entry.is_software() || SwapEntry::from_value(entry.software_payload()).device() != device)
              continue;
            found = address + (std::uintptr_t{i} << page_shift);
            return;
          }
        });
    at = found;
    if (found == area->end_) continue;
    switch (Mapper::fault_in(*this, *area, at, FaultAccess::read, true)) {
      case FaultOutcome::out_of_memory:
        no_memory = true;
        break;
      case FaultOutcome::bus_error:
        return error(Errno::eio);
      default:
        break;  // looked at again, and found to be there
    }
  }
}

Result<void> AddressSpace::bring_in_all(unsigned device, std::uint32_t pass) {
  for (;;) {
    base::RefPtr<AddressSpace> next;
    {
      MutexGuard guard{AddressSpaces::mutex};
      for (AddressSpace& space : AddressSpaces::list) {
        if (space.swapped_.load(std::memory_order_relaxed) <= 0 || space.swapoff_pass_ == pass) continue;
        next = base::RefPtr<AddressSpace>::try_acquire(&space);
        if (!next) continue;  // on its way out
        space.swapoff_pass_ = pass;
        break;
      }
    }
    if (!next) return {};
    TRY(next->bring_in_swapped(device));
  }
}

}  // namespace core
