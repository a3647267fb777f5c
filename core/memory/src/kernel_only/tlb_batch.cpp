#include "tlb_batch.h"

#include <arch/cpu.h>
#include <arch/page_table.h>
#include <arch/smp.h>

#include <cstring>

#include "core/sync/preempt.h"

namespace core {

void TlbBatch::flush_range(AddressSpace& space, std::uintptr_t start, std::uintptr_t end) {
  // Full barrier: the entries' changes are visible before the mask is read. A CPU that switches to the space
  // sets its bit before it reads the generation, so it is either told or sees the new generation.
  std::uint64_t generation = space.tlb_generation_.fetch_add(1) + 1;
  auto flush_here = [&] { arch::flush_tlb_user_local(space.context_id_, generation, start, end); };
  CpuMask mask;
  for (std::size_t i = 0; i < mask.words().size(); ++i) mask.words()[i] = space.active_cpus_[i].load();
  PreemptOff pinned;
  unsigned self = arch::cpu_index();
  bool here = mask.test(self);
  mask.clear(self);
  if (here) {
    arch::InterruptsOff off;
    flush_here();
  }
  if (mask.any()) arch::call_on_cpus(mask.words(), flush_here);
}

void TlbBatch::flush() {
  if (start_ < end_) flush_range(space_, start_, end_);
  start_ = ~std::uintptr_t{0};
  end_ = 0;
  for (std::uint32_t i = 0; i < count_; ++i) release_page(*pages_[i]);
  // A batch that filled up once gets more room for the rest.
  if (count_ == capacity_ && !overflow_) {
    if (auto page = allocate_page(AllocationFlags::no_reclaim | AllocationFlags::no_injection)) {
      overflow_ = std::move(*page);
      pages_ = overflow_.data<Page*>();
      capacity_ = page_size / sizeof(Page*);
    }
  }
  count_ = 0;
}

TlbBatch::~TlbBatch() { flush(); }

}  // namespace core
