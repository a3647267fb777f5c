// Memory of processes on a disk: pages that nobody used for a while leave, and come back when they are
// touched.
//
// A service that has room for pages (a partition, a file) offers it:
//
//   unsigned device = TRY(add_swap_device(storage, {.slots = n, .priority = -2}));    // slot 0 is the header
//   TRY(remove_swap_device(device));                        // brings everything home first
//
// A slot's life (one word for each slot, swap_map.h):
//
//   free ──a page goes out──> in the swap cache, being written ──> in the swap cache, clean ──> on the disk
//    ^                                                                │          ^                │
//    └── nobody refers to it any more ────────────────────────────────┴── read ──┴────────────────┘
//
// While a page is in the swap cache, the cache holds one reference on it, its `mapped` words are {null, value
// of its SwapEntry}, and no page-table entry to it is writable: so what is in the slot is what is in memory,
// once it is written. Who wants to write takes the page out of the cache, or a copy.
//
// Who refers to a slot: page-table entries of private memory (copied by fork), and slots of shared memory and
// files of tmpfs. The objects of the latter register a SwapSource.
//
// Context: threads that may sleep, unless a function says otherwise.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "base/function_ref.h"
#include "base/result.h"
#include "core/memory/page.h"

namespace core {

using base::Result;

// Where a page is that left memory. Never zero; 56 bits.
class SwapEntry {
 public:
  static constexpr unsigned device_bits = 5, devices_max = 1u << device_bits;
  constexpr SwapEntry() = default;
  constexpr SwapEntry(unsigned device, std::uint64_t slot) : value_(slot << device_bits | device) {}
  static constexpr SwapEntry from_value(std::uint64_t value) {
    SwapEntry entry;
    entry.value_ = value;
    return entry;
  }
  constexpr std::uint64_t value() const { return value_; }
  constexpr unsigned device() const { return value_ & (devices_max - 1); }
  constexpr std::uint64_t slot() const { return value_ >> device_bits; }
  constexpr bool operator==(const SwapEntry&) const = default;

 private:
  std::uint64_t value_ = 0;
};

// Implemented by whoever has the room. Consecutive slots; both wait for the device.
class SwapStorage {
 public:
  virtual Result<void> read_pages(std::uint64_t first, std::span<Page* const> pages) = 0;
  virtual Result<void> write_pages(std::uint64_t first, std::span<Page* const> pages) = 0;
  // Nothing refers to these slots any more.
  virtual void discard_slots(std::uint64_t first, std::uint64_t count) {}

 protected:
  ~SwapStorage() = default;
};

struct SwapDeviceSettings {
  std::uint64_t slots = 0;  // with the header
  int priority = 0;         // higher ones are filled first, equal ones in turn
  bool discard_freed = false;
  std::span<const std::uint32_t> bad_slots{};
};
// EPERM: there are as many as can be (as Linux says). ENOMEM.
Result<unsigned> add_swap_device(SwapStorage& storage, const SwapDeviceSettings& settings);
// Everything comes home. ENOMEM: there is no room for it; EINTR: a signal came. The device is in use as
// before then.
Result<void> remove_swap_device(unsigned device);

struct SwapDeviceState {
  std::uint64_t total_pages = 0, used_pages = 0;
  int priority = 0;
};
SwapDeviceState swap_device_state(unsigned device);

struct SwapStatistics {
  std::uint64_t total_pages, free_pages, cached_pages, pages_in, pages_out;
};
SwapStatistics swap_statistics();
// vm.swappiness, 0 to 200: how dear pages of files are compared with those of programs.
extern std::atomic<std::uint32_t> swappiness;
// vm.page-cluster: 2^n pages are read at once.
extern std::atomic<std::uint32_t> swap_read_ahead_order;

// ---- For objects whose pages are swapped: shared memory, tmpfs ----

// The pages of one round of reclaim that are on their way out.
class SwapOut {
 public:
  // Room for no more in this round, or no free slot.
  virtual bool is_full() const = 0;
  // The caller's only reference goes to the swap cache, and the entry returned stands for it from now on.
  // Nobody else may be able to find the page. An empty entry: there was no slot, nothing has changed.
  virtual SwapEntry take(Page& page) = 0;

 protected:
  ~SwapOut() = default;
};

class SwapSource {
 public:
  // Gives up to `wanted` pages that only the object itself refers to. Try-locks only, no allocation.
  virtual void swap_out(SwapOut& out, std::uint64_t wanted) = 0;
  // Takes back what lies on the device.
  virtual Result<void> bring_in(unsigned device) = 0;

 protected:
  ~SwapSource() = default;

 private:
  friend struct SwapSources;
  SwapSource* next_ = nullptr;
};
// At start-up; never unregistered.
void register_swap_source(SwapSource& source);

// The page of an entry that the caller's object refers to, read if need be, with a reference. EAGAIN: the
// entry stands for nothing any more (the object has changed meanwhile: look again). EIO and others: the
// device's.
Result<PageRef> swap_in(SwapEntry entry);
// The object takes the page as its own again: the entry and the swap cache's reference are gone when it is
// `true`. `false`: it is being written, copy it and release the entry instead.
bool take_from_swap(SwapEntry entry, Page& page);
// An entry that an object, or a page-table entry under its lock, referred to is gone. Does not sleep.
void release_swap(SwapEntry entry);
// Whether the page is in memory all the same.
bool is_in_swap_cache(SwapEntry entry);

}  // namespace core
