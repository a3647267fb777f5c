// Accessed and dirty on processors that do not set them (before FEAT_HAFDBS, ARM DDI 0487, D8.4.6).
#include <arch/cpu.h>
#include <arch/page_table.h>

#include "aarch64/registers.h"
#include "aarch64/tlb.h"
#include "core/memory/address.h"
#include "trap_frame.h"

namespace arch {
namespace {

// Interrupts are off, so the tables stay: who frees one waits for every CPU that may be walking it (the flush
// of the translation caches is a call to this CPU).
PageTableEntry* find_leaf(std::uintptr_t address) {
  // SAFETY: page tables of ours lie in the direct map.
  std::uintptr_t root = address >= kernel_address_start ? kernel_root() : active_user_root();
  for (unsigned level = levels() - 1;; --level) {
    auto* entry = core::to_virtual<PageTableEntry>(core::PhysicalAddress(root)) + table_index(address, level);
    PageTableEntry value = read_entry(entry);
    if (!value.is_present() || !value.readable()) return nullptr;
    if (value.is_leaf(level)) return entry;
    root = value.physical(level);
  }
}

}  // namespace

void synchronize_code_page(std::uintptr_t physical) {
  // SAFETY: CTR_EL0.IDC and DIC: instruction fetch sees stores by itself.
  constexpr std::uint64_t coherent = std::uint64_t{3} << 28;
  if ((NOS_READ_REGISTER("ctr_el0") & coherent) == coherent) return;
  synchronize_instruction_fetch(core::to_virtual<const std::byte>(core::PhysicalAddress(physical)),
                                page_size);
}

bool mend_access_and_dirty(std::uintptr_t address, std::uint64_t syndrome) {
  if (!is_translation_fault(syndrome)) return false;
  FaultStatus status = fault_status(syndrome);
  bool write = access_of(syndrome) == Access::write;
  if (status != FaultStatus::access_flag && !(status == FaultStatus::permission && write)) return false;
  bool user_code = class_of(syndrome) == TrapClass::data_abort_user ||
                   class_of(syndrome) == TrapClass::instruction_abort_user;
  PageTableEntry* entry = find_leaf(address);
  if (!entry) return false;
  for (PageTableEntry old = read_entry(entry);;) {
    if (!old.readable() || (write && !old.writable()) || (user_code && !old.is_user())) return false;
    PageTableEntry desired = old.after_access(write);
    if (desired == old && status == FaultStatus::permission) return false;  // refused for another reason
    if (desired == old || compare_exchange_entry(entry, old, desired)) break;
  }
  // The refusal itself may be cached.
  flush_tlb_address(address);
  return true;
}

}  // namespace arch
