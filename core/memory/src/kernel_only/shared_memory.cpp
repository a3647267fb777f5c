// Objects of this module's own: shared anonymous memory, and fixed pages of the kernel.
#include <new>

#include "core/memory/memory_object.h"
#include "core/memory/oom.h"
#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"

namespace core {
namespace {

// Pages by index in a tree of tables of 512 slots each. Slots go from empty to a table or page by
// compare-exchange, and back only in remove_range() (pages) or the destructor. Readers take no lock: a page
// found is acquired, then looked up again, because it may have been on its way out.
class SharedMemory final : public MemoryObject {
 public:
  explicit SharedMemory(std::uint64_t pages) : pages_(pages) {
    while (levels_ < 4 && capacity() < pages) ++levels_;
  }
  ~SharedMemory() override {
    free_level(root_, levels_);
    uncharge_commit(pages_);
  }

  Result<PageRef> page_for(std::uint64_t index, FaultAccess) override {
    if (index >= pages_) return error(Errno::enxio);
    std::atomic<void*>* slot = TRY(make_slot(index));
    for (;;) {
      if (PageRef page = acquire(*slot)) return page;
      PageRef fresh = TRY(allocate_page(AllocationFlags::zero | AllocationFlags::user));
      fresh->mapped = {this, index};
      fresh->reset_flags(static_cast<std::uint32_t>(PageFlag::swap_backed) |
                             static_cast<std::uint32_t>(PageFlag::up_to_date),
                         0);
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
    return slot && slot->load();
  }
  bool is_shared_memory() const override { return true; }
  Result<void> remove_range(std::uint64_t first_byte, std::uint64_t last_byte) override {
    std::uint64_t first = first_byte >> page_shift, last = last_byte >> page_shift;
    for (std::uint64_t index = first; index <= last && index < pages_; ++index) {
      std::atomic<void*>* slot = find_slot(index);
      if (!slot) continue;
      auto* page = static_cast<Page*>(slot->exchange(nullptr));
      if (!page) continue;
      unmap_range(index, index, PrivateCopies::keep);
      count(-1);
      release_page(*page);
    }
    return {};
  }

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

  static PageRef acquire(std::atomic<void*>& slot) {
    for (;;) {
      auto* page = static_cast<Page*>(slot.load());
      if (!page) return {};
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
      count(-1);
      return release_page(*static_cast<Page*>(content));
    }
    for (auto& below : static_cast<Table*>(content)->slot) free_level(below, level - 1);
    kernel_free(content);
  }

  const std::uint64_t pages_;
  unsigned levels_ = 1;
  std::atomic<void*> root_{nullptr};
};

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
