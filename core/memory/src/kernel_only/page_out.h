// Sending pages away: one round of reclaim, or of MADV_PAGEOUT, at a time.
//
//   ReclaimTurn turn(ReclaimTurn::Wait::no);  if (!turn) return 0;
//   PageOut out;                               // borrows the memory of the turn
//   out.prepare();                             // finds free slots, which takes its time: with no raw lock
//   ... walks tables; out.add(page, entry) / out.take(page) until out.is_full() ...; TLBs are told
//   freed += out.write();
//
// A page that was added is under writeback in the swap cache, so its slot stays whoever lets go of it; it
// must not be written through any TLB any more when write() begins.
#pragma once

#include <cstdint>

#include "core/memory/address_space.h"
#include "core/memory/swap.h"
#include "swap_map.h"

namespace core {

// One thread at a time reclaims. Whoever comes second waits for it, rather than go on to look for a victim.
class ReclaimTurn {
 public:
  enum class Wait : std::uint8_t { no, briefly, until_free };
  explicit ReclaimTurn(Wait wait);
  ~ReclaimTurn();
  ReclaimTurn(const ReclaimTurn&) = delete;
  explicit operator bool() const { return held_; }
  static bool is_mine();

 private:
  bool held_ = false;
};

class PageOut final : public SwapOut {
 public:
  static constexpr unsigned capacity = 128;
  PageOut() = default;
  ~PageOut();
  PageOut(const PageOut&) = delete;

  // Slots for as many pages as there is room for. May sleep. False: there are none.
  bool prepare();
  bool is_full() const override { return count_ == capacity || next_slot_ == slots_; }
  SwapEntry take(Page& page) override;
  // For a page with an entry that goes, under the lock of its table: the slot it has, or a new one. Counts
  // the entry. Empty: it cannot go.
  SwapEntry add(Page& page);
  // The pages freed. Sleeps.
  std::uint64_t write();

 private:
  void append(SwapEntry entry, Page& page);
  std::uint64_t written(unsigned index, bool good);

  unsigned count_ = 0;
  unsigned next_slot_ = 0, slots_ = 0;  // of those that prepare() found
};

// Clean pages of the swap cache that nobody uses, up to `wanted`; how many. In a turn.
std::uint64_t drop_clean_swap_pages(std::uint64_t wanted);

// What the walk over address spaces may take away.
struct EvictKinds {
  bool anonymous = false;  // to a swap device
  bool mapped = false;     // entries to pages of objects, which their owners can then free
};
// Goes on where the last call ended, through all address spaces, taking what was not used since it last came
// by. Pages freed. In a turn.
std::uint64_t evict_unused(std::uint64_t wanted, EvictKinds kinds, std::uint64_t& unmapped);
// Nothing was found, but not everything could be looked at. Reset by who reads it, in his turn.
extern std::atomic<bool> reclaim_was_contended;

}  // namespace core
