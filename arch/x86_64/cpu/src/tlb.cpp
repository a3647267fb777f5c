// Address spaces and the translation cache.
//
// With process context identifiers a CPU keeps the translations of the last few address spaces it ran. Each
// slot remembers which address space it holds and the flush generation up to which it is clean.
#include <arch/cpu.h>
#include <arch/page_table.h>
#include <arch/smp.h>

#include "base/check.h"
#include "x86_64/cpu_area.h"
#include "x86_64/features.h"
#include "x86_64/registers.h"
#include "x86_64/tlb.h"

namespace arch {
namespace {

constexpr unsigned slot_count = 7;
constexpr std::uint64_t keep_translations = std::uint64_t{1} << 63;
// Beyond this many pages dropping everything is cheaper than one by one.
constexpr std::size_t most_single_flushes = 32;

struct Slot {
  std::uint64_t id = ~std::uint64_t{0};
  std::uint64_t generation = 0;
};

struct alignas(cache_line_size) TlbState {
  Slot slots[slot_count];  // slot i has process context identifier i + 1; 0 is for boot
  unsigned active = 0;
  unsigned next_victim = 0;
};
constinit TlbState states[max_cpus];
constinit std::uintptr_t root_of_kernel = 0;
constinit bool use_identifiers = false;

TlbState& local_state() { return states[cpu_index()]; }

// SAFETY (this file): privileged instructions that only drop cached translations.
void invalidate_page(std::uintptr_t address) { asm volatile("invlpg (%0)" ::"r"(address) : "memory"); }

void reload_active() { write_cr3(read_cr3() & ~keep_translations); }

}  // namespace

std::uintptr_t kernel_root() { return root_of_kernel; }
void set_kernel_root(std::uintptr_t root) { root_of_kernel = root; }

void enable_address_space_identifiers() {
  if (!cpu_features().pcid || !cpu_features().invpcid) return;
  write_cr4(read_cr4() | cr4_pcid);  // CR3 has identifier 0 here
  use_identifiers = true;
}

bool gigabyte_pages_supported() { return cpu_features().gigabyte_pages; }

void activate_address_space(std::uintptr_t root, std::uint64_t id, std::uint64_t generation) {
  TlbState& state = local_state();
  if (!use_identifiers) {
    state.active = 0;
    state.slots[0] = {id, generation};
    write_cr3(root);
    return;
  }
  for (unsigned i = 0; i < slot_count; ++i) {
    Slot& slot = state.slots[i];
    if (slot.id != id) continue;
    bool clean = slot.generation == generation;
    slot.generation = generation;
    state.active = i;
    write_cr3(root | (i + 1) | (clean ? keep_translations : 0));
    return;
  }
  unsigned victim = state.next_victim;
  state.next_victim = (victim + 1) % slot_count;
  state.slots[victim] = {id, generation};
  state.active = victim;
  write_cr3(root | (victim + 1));
}

void flush_tlb_user_local(std::uint64_t id, std::uint64_t generation, std::uintptr_t start,
                          std::uintptr_t end) {
  TlbState& state = local_state();
  Slot& slot = state.slots[state.active];
  if (slot.id != id || slot.generation >= generation) return;
  bool missed_one = slot.generation + 1 != generation;
  slot.generation = generation;
  if (missed_one || (end - start) >> page_shift > most_single_flushes) {
    reload_active();
    return;
  }
  for (std::uintptr_t at = start; at < end; at += page_size) invalidate_page(at);
}

void flush_tlb_kernel_local(std::uintptr_t start, std::uintptr_t end) {
  if ((end - start) >> page_shift > most_single_flushes) return flush_tlb_all_local();
  // Drops global translations whatever the identifier; those cached under other identifiers are global too.
  for (std::uintptr_t at = start; at < end; at += page_size) invalidate_page(at);
}

void flush_tlb_all_local() {
  InterruptsOff off;
  // Changing CR4.PGE drops everything, global translations and all identifiers (SDM 3A 4.10.4.1).
  std::uint64_t cr4 = read_cr4();
  write_cr4(cr4 & ~cr4_global_pages);
  write_cr4(cr4);
}

void flush_tlb_kernel(std::uintptr_t start, std::uintptr_t end) {
  call_on_all_cpus([start, end] { flush_tlb_kernel_local(start, end); });
}

}  // namespace arch
