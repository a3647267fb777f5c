// The lock of one page table: a spin bit in the descriptor of the page that holds it, so that it costs no
// memory. Protects the 512 entries against each other's changes (the hardware sets accessed and dirty
// regardless). Held for a few entries' worth of work, with preemption off. Two are only ever nested by fork,
// parent first, and by mremap, whose address space nobody else can change at the time.
#pragma once

#include <arch/cpu.h>

#include "core/memory/page.h"
#include "core/sync/preempt.h"

namespace core {

class [[nodiscard]] TableLock {
 public:
  explicit TableLock(Page& table) : table_(table) {
    // acquire: what the last holder wrote into the table is visible.
    while (table_.detail.exchange(1, std::memory_order_acquire))
      while (table_.detail.load(std::memory_order_relaxed)) arch::relax();
  }
  ~TableLock() { table_.detail.store(0, std::memory_order_release); }
  TableLock(const TableLock&) = delete;
  TableLock& operator=(const TableLock&) = delete;

 private:
  PreemptOff pinned_;
  Page& table_;
};

}  // namespace core
