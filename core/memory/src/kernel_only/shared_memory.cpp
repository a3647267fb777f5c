// Objects of this module's own: shared anonymous memory, and fixed pages of the kernel.
#include <cstring>
#include <new>

#include "core/memory/memory_object.h"
#include "core/memory/oom.h"
#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "core/memory/swap.h"
#include "core/sync/preempt.h"

namespace core {
namespace {

// Pages by index in a tree of tables of 512 slots each. Slots go from empty to a table or page by
// compare-exchange, and back only in remove_range() (pages) or the destructor. Readers take no lock: a page
// found is acquired, then looked up again, because it may have been on its way out. A page that nothing but
// the tree refers to may be swapped: its slot then holds a marked SwapEntry, until page_for() brings it back.
class SharedMemory final : public MemoryObject {
 public:
  explicit SharedMemory(std::uint64_t pages);
  ~SharedMemory() override;

  Result<PageRef> page_for(std::uint64_t index, FaultAccess) override {
    if (index >= pages_) return error(Errno::enxio);
    std::atomic<void*>* slot = TRY(make_slot(index));
    for (;;) {
      if (PageRef page = acquire(*slot)) return page;
      void* content = slot->load();
      if (is_swapped(content)) {
        if (PageRef page = TRY(bring_back(*slot, content, index))) return page;
        continue;
      }
      PageRef fresh = TRY(allocate_page(AllocationFlags::zero | AllocationFlags::user));
      set_up(*fresh, index);
      PageRef ours = fresh.clone();
      void* expected = nullptr;
      if (!slot->compare_exchange_strong(expected, ours.get())) continue;
      (void)ours.leak();  // the slot's reference
      count(+1);
      return fresh;
    }
  }
  void map_around(std::uint64_t first, std::uint64_t last,
                  base::FunctionRef<bool(std::uint64_t index, Page& page)> offer) override {
    for (std::uint64_t index = first; index <= last && index < pages_; ++index) {
      std::atomic<void*>* slot = find_slot(index);
      if (!slot) continue;
      if (PageRef page = acquire(*slot))
        if (!offer(index, *page)) return;
    }
  }
  bool is_resident(std::uint64_t index) override {
    std::atomic<void*>* slot = index < pages_ ? find_slot(index) : nullptr;
    void* content = slot ? slot->load() : nullptr;
    return content && (!is_swapped(content) || is_in_swap_cache(entry_of(content)));
  }
  bool has_page(std::uint64_t index) override {
    std::atomic<void*>* slot = index < pages_ ? find_slot(index) : nullptr;
    return slot && slot->load();
  }
  bool is_shared_memory() const override { return true; }
  Result<void> remove_range(std::uint64_t first_byte, std::uint64_t last_byte) override {
    std::uint64_t first = first_byte >> page_shift, last = last_byte >> page_shift;
    for (std::uint64_t index = first; index <= last && index < pages_; ++index) {
      std::atomic<void*>* slot = find_slot(index);
      if (!slot) continue;
      void* content;
      {
        MutexGuard guard{swap_mutex_};
        content = slot->exchange(nullptr);
        if (content && is_swapped(content)) {
          release_swap(entry_of(content));
          continue;
        }
      }
      if (!content) continue;
      auto* page = static_cast<Page*>(content);
      unmap_range(index, index, PrivateCopies::keep);
      count(-1);
      release_page(*page);
    }
    return {};
  }

  // A round of reclaim: from where the last one stopped, to the end.
  void swap_out(SwapOut& out, std::uint64_t& wanted) {
    MutexTryGuard guard{swap_mutex_};
    if (!guard) return;
    for (; wanted && !out.is_full() && hand_ < pages_; ++hand_) {
      std::atomic<void*>* slot = find_slot(hand_);
      if (!slot) {
        hand_ |= slots - 1;
        continue;
      }
      if (try_swap_out(*slot, out)) --wanted;
    }
    if (hand_ >= pages_) hand_ = 0;
  }
  Result<void> bring_in(unsigned device) {
    for (std::uint64_t index = 0; index < pages_; ++index) {
      std::atomic<void*>* slot = find_slot(index);
      if (!slot) {
        index |= slots - 1;
        continue;
      }
      void* content = slot->load();
      if (is_swapped(content) && entry_of(content).device() == device)
        TRY(page_for(index, FaultAccess::read));
    }
    return {};
  }
  base::ListHook listed;

 private:
  static constexpr unsigned bits = 9, slots = 1u << bits;
  struct Table {
    std::atomic<void*> slot[slots];
  };
  static_assert(sizeof(Table) == page_size);

  std::uint64_t capacity() const { return std::uint64_t{1} << (bits * levels_); }
  static unsigned slot_index(std::uint64_t index, unsigned level) {
    return (index >> (bits * (level - 1))) & (slots - 1);
  }
  static void count(long delta) {
    count_memory(MemoryCounter::shared_memory, delta);
    count_memory(MemoryCounter::file_cache, delta);
  }

  static bool is_swapped(void* content) {
    // SAFETY: descriptors and tables are aligned, so bit 0 is free for the mark.
    return reinterpret_cast<std::uintptr_t>(content) & 1;
  }
  static SwapEntry entry_of(void* content) {
    // SAFETY: see is_swapped().
    return SwapEntry::from_value(reinterpret_cast<std::uintptr_t>(content) >> 1);
  }
  static void* content_of(SwapEntry entry) {
    // SAFETY: see is_swapped(); never followed.
    return reinterpret_cast<void*>(entry.value() << 1 | 1);
  }

  bool try_swap_out(std::atomic<void*>& slot, SwapOut& out) REQUIRES(swap_mutex_) {
    PageRef page = acquire(slot);
    // The tree's reference and ours: with none of them nobody can find it, and who tries looks again and
    // again.
    PreemptOff pinned;
    std::uint32_t both = 2;
    if (!page || !page->references.compare_exchange_strong(both, 0)) return false;
    Page* taken = page.leak();
    SwapEntry entry = out.take(*taken);
    if (entry.value()) {
      slot.store(content_of(entry));
      count(-1);
    }
    // The swap cache's from now on, or the tree's as before.
    taken->references.store(1, std::memory_order_release);
    return entry.value();
  }

  // Nothing: look again.
  Result<PageRef> bring_back(std::atomic<void*>& slot, void* content, std::uint64_t index) {
    SwapEntry entry = entry_of(content);
    auto found = swap_in(entry);
    if (!found && found.error() == Errno::eagain) return PageRef();
    PageRef page = TRY(std::move(found));
    MutexGuard guard{swap_mutex_};
    if (slot.load() != content) return PageRef();
    if (!take_from_swap(entry, *page)) {
      // It is being written right now.
      PageRef copy = TRY(allocate_page(AllocationFlags::user));
      std::memcpy(copy.data(), page.data(), page_size);
      page = copy.clone();
      (void)copy.leak();  // the tree's
      release_swap(entry);
    }
    // Else the cache's reference has become the tree's.
    set_up(*page, index);
    slot.store(page.get());
    count(+1);
    return page;
  }
  void set_up(Page& page, std::uint64_t index) {
    page.mapped = {this, index};
    page.reset_flags(
        static_cast<std::uint32_t>(PageFlag::swap_backed) | static_cast<std::uint32_t>(PageFlag::up_to_date),
        0);
  }

  static PageRef acquire(std::atomic<void*>& slot) {
    for (;;) {
      void* content = slot.load();
      if (!content || is_swapped(content)) return {};
      auto* page = static_cast<Page*>(content);
      if (!page->try_acquire()) continue;
      PageRef held = PageRef::adopt(page);
      if (slot.load() == page) return held;
    }
  }
  std::atomic<void*>* find_slot(std::uint64_t index) {
    auto* table = static_cast<Table*>(root_.load());
    for (unsigned level = levels_; table; --level) {
      std::atomic<void*>& slot = table->slot[slot_index(index, level)];
      if (level == 1) return &slot;
      table = static_cast<Table*>(slot.load());
    }
    return nullptr;
  }
  Result<std::atomic<void*>*> make_slot(std::uint64_t index) {
    std::atomic<void*>* at = &root_;
    for (unsigned level = levels_; level >= 1; --level) {
      void* table = at->load();
      if (!table) {
        void* fresh = kernel_allocate(sizeof(Table), AllocationFlags::zero);
        if (!fresh) return error(Errno::enomem);
        if (at->compare_exchange_strong(table, fresh))
          table = fresh;
        else
          kernel_free(fresh);
      }
      at = &static_cast<Table*>(table)->slot[slot_index(index, level)];
    }
    return at;
  }
  static void free_level(std::atomic<void*>& slot, unsigned level) {
    void* content = slot.exchange(nullptr);
    if (!content) return;
    if (level == 0) {
      if (is_swapped(content)) return release_swap(entry_of(content));
      count(-1);
      return release_page(*static_cast<Page*>(content));
    }
    for (auto& below : static_cast<Table*>(content)->slot) free_level(below, level - 1);
    kernel_free(content);
  }

  // A slot changes between a page and an entry, or becomes empty, under it.
  Mutex swap_mutex_{"shared memory"};
  std::uint64_t hand_ GUARDED_BY(swap_mutex_) = 0;  // of swap_out()
  const std::uint64_t pages_;
  unsigned levels_ = 1;
  std::atomic<void*> root_{nullptr};
};

// All of them, for those who look for pages to take.
class SharedMemories final : public SwapSource {
 public:
  using List = base::IntrusiveList<SharedMemory, &SharedMemory::listed>;

  void add(SharedMemory& object) {
    MutexGuard guard{mutex};
    list.push_back(object);
    if (registered) return;
    registered = true;
    register_swap_source(*this);
  }
  void remove(SharedMemory& object) {
    MutexGuard guard{mutex};
    list.remove(object);
  }

  void swap_out(SwapOut& out, std::uint64_t wanted) override {
    MutexTryGuard guard{mutex};
    if (!guard) return;
    std::size_t count = 0;
    for (SharedMemory& object : list) {
      (void)object;
      ++count;
    }
    // In turn, so that each is looked at.
    for (; count && wanted && !out.is_full(); --count) {
      SharedMemory& object = *list.pop_front();
      list.push_back(object);
      object.swap_out(out, wanted);
    }
  }

  Result<void> bring_in(unsigned device) override {
    base::RefPtr<SharedMemory> at;
    for (;;) {
      base::RefPtr<SharedMemory> next;
      {
        MutexGuard guard{mutex};
        // swap_out() may turn the list meanwhile: what it moves is met again, or in the next pass.
        base::ListHook* hook = at ? at->listed.next : nullptr;
        for (SharedMemory& object : list) {
          if (hook && &object.listed != hook) continue;
          hook = nullptr;
          if ((next = base::RefPtr<SharedMemory>::try_acquire(&object))) break;
        }
      }
      if (!next) return {};
      TRY(next->bring_in(device));
      at = std::move(next);
    }
  }

 private:
  Mutex mutex{"shared memories"};
  List list GUARDED_BY(mutex);
  bool registered GUARDED_BY(mutex) = false;
};
[[clang::no_destroy]] constinit SharedMemories shared_memories;

SharedMemory::SharedMemory(std::uint64_t pages) : pages_(pages) {
  while (levels_ < 4 && capacity() < pages) ++levels_;
  shared_memories.add(*this);
}
SharedMemory::~SharedMemory() {
  shared_memories.remove(*this);
  free_level(root_, levels_);
  uncharge_commit(pages_);
}

class FixedPages final : public MemoryObject {
 public:
  static constexpr std::uint32_t most_pages = 16;
  FixedPages(Page* const* pages, std::uint32_t count) : count_(count) {
    for (std::uint32_t i = 0; i < count; ++i) pages_[i] = PageRef::share(*pages[i]);
  }
  Result<PageRef> page_for(std::uint64_t index, FaultAccess) override {
    if (index >= count_) return error(Errno::enxio);
    return pages_[index].clone();
  }
  bool is_special() const override { return true; }
  Result<Frame> frame_for(std::uint64_t index) override {
    if (index >= count_) return error(Errno::enxio);
    return Frame{.address = physical_of(*pages_[index])};
  }

 private:
  PageRef pages_[most_pages];
  std::uint32_t count_;
};

}  // namespace

Result<base::RefPtr<MemoryObject>> create_shared_memory(std::uint64_t size_bytes) {
  std::uint64_t pages = pages_for(size_bytes);
  TRY(charge_commit(pages));
  auto object = base::try_make_ref<SharedMemory>(pages);
  if (!object) {
    uncharge_commit(pages);
    return error(object.error());
  }
  return base::RefPtr<MemoryObject>(std::move(*object));
}

Result<base::RefPtr<MemoryObject>> create_fixed_pages(Page* const* pages, std::uint32_t count) {
  if (count > FixedPages::most_pages) return error(Errno::einval);
  return base::RefPtr<MemoryObject>(TRY(base::try_make_ref<FixedPages>(pages, count)));
}

}  // namespace core
