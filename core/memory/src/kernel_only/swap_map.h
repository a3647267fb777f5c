// Which slot of which swap device holds what: one atomic word for each slot.
//
//   bit 0..39    number of the page in the swap cache, plus one; 0: the page is not in memory
//   bit 40..61   how many entries (of page tables and objects) refer to the slot
//   bit 62       the page is being written: it stays in the cache until that is done
//   bit 63       not usable
//
// A slot is free when its word is zero, so no state is kept twice. Slots come in clusters of 64; each CPU
// takes from one of its own, so that what goes out together lies together.
//
// The words of a device may be touched while something refers to one of its slots (an entry in a page table
// whose lock is held, an object's entry under its lock, the round of reclaim), or inside a DeviceUse.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/memory/page_allocator.h"
#include "core/memory/swap.h"

namespace core {

struct SlotWord {
  static constexpr std::uint64_t page_mask = (std::uint64_t{1} << 40) - 1;
  static constexpr std::uint64_t one_reference = std::uint64_t{1} << 40;
  static constexpr std::uint64_t count_mask = ((std::uint64_t{1} << 22) - 1) << 40;
  static constexpr std::uint64_t writeback = std::uint64_t{1} << 62, bad = std::uint64_t{1} << 63;

  static std::uint64_t of_page(const Page& page) { return number_of(page) + 1; }
  static bool is_of(std::uint64_t word, const Page& page) { return (word & page_mask) == of_page(page); }
  static Page* page(std::uint64_t word) {
    return word & page_mask ? &memory_map[(word & page_mask) - 1] : nullptr;
  }
  static bool has_references(std::uint64_t word) { return word & count_mask; }
};

// Set on pages in the swap cache (their owner is null). Changes under PageFlag::locked only.
inline constexpr PageFlag in_swap_cache = PageFlag::private_1;

struct SwapDevice {
  static constexpr unsigned cluster_bits = 6, cluster_slots = 1u << cluster_bits;
  static constexpr unsigned cpu_places = 64;
  struct Cluster {
    std::atomic<std::uint16_t> used, cached;
  };

  // Constant while `open`.
  SwapStorage* storage = nullptr;
  std::uint64_t slots = 0, clusters_count = 0, usable = 0;
  int priority = 0;
  bool discard_freed = false;
  std::atomic<std::uint64_t>* words = nullptr;
  Cluster* clusters = nullptr;

  std::atomic<bool> open{false}, accepts{false};
  std::atomic<std::uint32_t> users{0};
  std::atomic<std::uint64_t> used{0}, cached{0};
  std::atomic<std::uint64_t> turns{0};         // how often a slot was taken: devices of one priority in turn
  std::atomic<std::uint64_t> next_cluster{0};  // where the search goes on
  std::atomic<std::uint64_t> place[cpu_places] = {};  // the next slot to try, by CPU; 0: none
  std::uint64_t clean_hand = 0;                       // of the round of reclaim

  std::atomic<std::uint64_t>& word(std::uint64_t slot) { return words[slot]; }
  Cluster& cluster_of(std::uint64_t slot) { return clusters[slot >> cluster_bits]; }
  // A free slot becomes a bad one. 0: there is none.
  std::uint64_t take_slot();
  // After the word became zero.
  void slot_freed(std::uint64_t slot);
  void page_cached(std::uint64_t slot);
  void page_uncached(std::uint64_t slot);

 private:
  std::uint64_t take_in_cluster(std::uint64_t from);
};

SwapDevice& swap_device(unsigned index);
inline SwapDevice& device_of(SwapEntry entry) { return swap_device(entry.device()); }
inline std::atomic<std::uint64_t>& word_of(SwapEntry entry) { return device_of(entry).word(entry.slot()); }

// Keeps a device's words while nothing refers to them.
class DeviceUse {
 public:
  explicit DeviceUse(unsigned index) : device_(swap_device(index)) {
    device_.users.fetch_add(1);
    usable_ = device_.open.load();
  }
  ~DeviceUse() { device_.users.fetch_sub(1); }
  DeviceUse(const DeviceUse&) = delete;
  explicit operator bool() const { return usable_; }

 private:
  SwapDevice& device_;
  bool usable_;
};

// A slot for a page that is on its way out, on the device of the highest priority that has one; until it is
// used or given back it counts as bad. In a turn of reclaim; may sleep (a device may be told that a cluster
// is free).
SwapEntry reserve_swap_slot();
void cancel_swap_slot(SwapEntry entry);
// The page enters the cache, under writeback, with one entry that refers to it.
void use_swap_slot(SwapEntry entry, const Page& page);
bool any_swap_free();
// One more entry refers to the slot. False: there are too many.
bool duplicate_swap(SwapEntry entry);
// How many entries refer to the slot; one of them is the caller's, under its lock.
std::uint32_t swap_references(SwapEntry entry);
// Takes the page out of the cache and frees its slot, if the word of the slot is `expected`; the cache's
// reference is the caller's then. False: it is another, or somebody else looks at the page right now.
bool leave_swap_cache(SwapEntry entry, Page& page, std::uint64_t expected);
// Takes a page out of the cache whose slot nothing refers to; the slot is free then. False: it is not so
// (any more), or somebody else looks at the page right now: the next look at the cache finds it.
bool try_forget(SwapEntry entry, Page& page);
// The last page-table entry to a page may be gone (its reference not yet): the slot goes with it.
void swap_page_unmapped(Page& page);
// The only entry to the page wants to write: the page leaves the cache, if that can be.
bool leave_swap_cache(Page& page);
// For a page in the cache; zero if it is in none.
SwapEntry cached_entry(const Page& page);

// As swap_in(), with these flags for the page's allocation; `read` becomes true if the device was asked.
Result<PageRef> find_or_read_swap(SwapEntry entry, AllocationFlags flags, bool* read);

void close_swap_device(SwapDevice& device);

// For swap_statistics().
extern std::atomic<std::uint64_t> swap_pages_in, swap_pages_out;

}  // namespace core
