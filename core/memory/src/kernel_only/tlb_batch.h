// What was taken out of an address space and may be reused only when no TLB knows it any more.
//
//   TlbBatch batch(space);
//   ... batch.note(start, end); batch.add(page); ...       // entries already gone from the tables
//   batch.flush();                                          // or the destructor: tells the CPUs, then
//   releases the pages
#pragma once

#include <cstdint>

#include "core/memory/address_space.h"
#include "core/memory/page_allocator.h"

namespace core {

class TlbBatch {
 public:
  explicit TlbBatch(AddressSpace& space) : space_(space) {}
  ~TlbBatch();
  TlbBatch(const TlbBatch&) = delete;
  TlbBatch& operator=(const TlbBatch&) = delete;

  // Translations of [start, end) may be stale.
  void note(std::uintptr_t start, std::uintptr_t end) {
    if (start < start_) start_ = start;
    if (end > end_) end_ = end;
  }
  // Takes over one reference. Callable under a table lock as long as !full(): who fills it flushes outside.
  void add(Page& page) { pages_[count_++] = &page; }
  bool full() const { return count_ == capacity_; }
  std::uint32_t room() const { return capacity_ - count_; }
  void flush();

  // Tells all CPUs that run `space` now.
  static void flush_range(AddressSpace& space, std::uintptr_t start, std::uintptr_t end);

 private:
  static constexpr std::uint32_t inline_capacity = 32;

  AddressSpace& space_;
  std::uintptr_t start_ = ~std::uintptr_t{0}, end_ = 0;
  std::uint32_t count_ = 0, capacity_ = inline_capacity;
  Page** pages_ = inline_pages_;
  PageRef overflow_;  // a page full of pointers, for large batches
  Page* inline_pages_[inline_capacity];
};

}  // namespace core
