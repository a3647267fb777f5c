// The descriptor of one 4 KiB page of RAM: 32 bytes, in one array indexed by page number (mapped where RAM
// is).
//
// What a page is used for decides which part of the union is alive:
//
//   free, head of a block     link: the buddy's list of its order; order says how large the block is
//   slab                      slab: see slab.h; `detail` holds the free list head and the count in use
//   page cache (file, tmpfs)  mapped: owner (the MemoryObject) and index (in pages); map_count = page-table
//   entries anonymous                 mapped: owner null; map_count as above page table `detail` is the lock
//   of the entries in it tail of a compound page   head_page: the descriptor that holds the reference count
//   of all
//
// A reference (PageRef) keeps the page from being freed; every page-table entry holds one. Flags change by
// atomic read-modify-write and may be read at any time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/check.h"
#include "base/intrusive_list.h"
#include "core/memory/address.h"

namespace core {

enum class PageFlag : std::uint32_t {
  reserved = 1u << 0,  // never belongs to the allocator: firmware, kernel image, holes
  buddy = 1u << 1,     // head of a free block
  slab = 1u << 2,
  compound_head = 1u << 3,
  compound_tail = 1u << 4,
  anonymous = 1u << 5,    // private memory of processes
  swap_backed = 1u << 6,  // anonymous or tmpfs: not reclaimable by dropping
  up_to_date = 1u << 7,   // page cache: content is valid
  dirty = 1u << 8,        // page cache: newer than its backing store
  writeback = 1u << 9,
  referenced = 1u << 10,
  locked = 1u << 11,  // page cache: under I/O or truncation
  table = 1u << 12,   // holds page-table entries
  large = 1u << 13,   // kernel_allocate() beyond the size classes
  mlocked = 1u << 14,
  private_1 = 1u << 15,  // for the owner's use
  private_2 = 1u << 16,
};

struct Page {
  struct Mapped {
    void* owner;
    std::uint64_t index;
  };

  // Bits 27..31 of flags: the order of a free block, compound page or slab.
  static constexpr unsigned order_shift = 27;

  std::atomic<std::uint32_t> references;
  std::atomic<std::uint32_t> flags;
  union {
    struct {
      base::ListHook* next;
      base::ListHook* previous;
    } link_words;
    Mapped mapped;
    Page* head_page;
    std::uint64_t words[2];
  };
  std::atomic<std::int32_t> map_count;
  std::atomic<std::uint32_t> detail;

  // relaxed throughout: a flag alone publishes nothing; who needs order takes the lock of the owner.
  bool has(PageFlag flag) const {
    return flags.load(std::memory_order_relaxed) & static_cast<std::uint32_t>(flag);
  }
  void set(PageFlag flag) { flags.fetch_or(static_cast<std::uint32_t>(flag), std::memory_order_relaxed); }
  void clear(PageFlag flag) { flags.fetch_and(~static_cast<std::uint32_t>(flag), std::memory_order_relaxed); }
  // Says whether this call changed it: of two callers one wins. acquire/release: the winner may touch what it
  // guards.
  bool test_and_set(PageFlag flag) {
    return flags.fetch_or(static_cast<std::uint32_t>(flag), std::memory_order_acq_rel) &
           static_cast<std::uint32_t>(flag);
  }
  bool test_and_clear(PageFlag flag) {
    return flags.fetch_and(~static_cast<std::uint32_t>(flag), std::memory_order_acq_rel) &
           static_cast<std::uint32_t>(flag);
  }
  unsigned order() const { return flags.load(std::memory_order_relaxed) >> order_shift; }
  // Only while the page has one user (allocation, free): plain store of all flags.
  void reset_flags(std::uint32_t bits, unsigned order) {
    flags.store(bits | (order << order_shift), std::memory_order_relaxed);
  }
  Page* head() { return has(PageFlag::compound_tail) ? head_page : this; }

  void acquire() {
    [[maybe_unused]] auto old = references.fetch_add(1, std::memory_order_relaxed);
    base::debug_verify(old != 0, "reference taken on a free page");
  }
  // For lookups under RCU: fails when the page is on its way out.
  [[nodiscard]] bool try_acquire() {
    auto old = references.load(std::memory_order_relaxed);
    do {
      if (old == 0) return false;
    } while (!references.compare_exchange_weak(old, old + 1, std::memory_order_acquire,
                                               std::memory_order_relaxed));
    return true;
  }
  std::uint32_t reference_count() const { return references.load(std::memory_order_relaxed); }
};
static_assert(sizeof(Page) == 32);

// The array of descriptors, indexed by page number; present only where there is RAM (see page_exists()).
extern Page* memory_map;
extern std::uint64_t memory_map_end;  // one past the highest page number with a descriptor

inline Page& page_of(PhysicalAddress address) { return memory_map[page_number(address)]; }
inline Page& page_of_data(const void* direct_map_address) { return page_of(to_physical(direct_map_address)); }
inline std::uint64_t number_of(const Page& page) { return static_cast<std::uint64_t>(&page - memory_map); }
inline PhysicalAddress physical_of(const Page& page) { return page_address(number_of(page)); }
template <typename T = void>
T* data_of(const Page& page) {
  return to_virtual<T>(physical_of(page));
}
// Whether `address` is RAM with a descriptor (device memory has none).
bool page_exists(PhysicalAddress address);

// Gives one reference back; the last one frees the page (or the whole compound page). Any context but hard
// interrupts.
void release_page(Page& page);

// Owns one reference to a page.
class PageRef {
 public:
  constexpr PageRef() = default;
  PageRef(PageRef&& other) noexcept : page_(std::exchange(other.page_, nullptr)) {}
  PageRef& operator=(PageRef&& other) noexcept {
    std::swap(page_, other.page_);
    return *this;
  }
  ~PageRef() {
    if (page_) release_page(*page_);
  }

  // Takes over a reference that the caller owned.
  static PageRef adopt(Page* page) {
    PageRef result;
    result.page_ = page;
    return result;
  }
  static PageRef share(Page& page) {
    page.head()->acquire();
    return adopt(&page);
  }
  PageRef clone() const { return page_ ? share(*page_) : PageRef(); }
  [[nodiscard]] Page* leak() { return std::exchange(page_, nullptr); }

  Page* get() const { return page_; }
  Page& operator*() const { return *page_; }
  Page* operator->() const { return page_; }
  explicit operator bool() const { return page_; }
  template <typename T = std::byte>
  T* data() const {
    return data_of<T>(*page_);
  }

 private:
  Page* page_ = nullptr;
};

}  // namespace core
