// A machine for host tests of core/memory: an arena plays physical memory, and one CPU with a TLB that
// forgets nothing unless told to.
#pragma once

#include <arch/page_table.h>

#include <cstddef>
#include <cstdint>
#include <map>

#include "core/memory/address_space.h"

namespace core {

class Machine {
 public:
  // Built and initialised on first use; one for the whole program, as the kernel's memory is.
  static Machine& instance();

  void run(AddressSpace* space);
  AddressSpace* running() const { return running_; }
  // What a program's access does: TLB, page tables, page fault. The byte's place in memory, or null with the
  // outcome.
  std::byte* access(std::uintptr_t address, FaultAccess access, FaultOutcome& outcome);
  // Every cached translation must agree with the page tables: anything else is a missing flush. The first bad
  // address, or 0.
  std::uintptr_t stale_translation() const;

  void flush(std::uint64_t id, std::uintptr_t start, std::uintptr_t end);
  void activate(std::uint64_t id);

 private:
  Machine();
  AddressSpace* running_ = nullptr;
  std::uint64_t active_id_ = 0;
  std::map<std::uintptr_t, arch::PageTableEntry> tlb_;
};

}  // namespace core
