// Address spaces and the translation cache.
//
// A CPU keeps the translations of the last few address spaces it ran, under identifiers (ASID) of its own:
// CPUs do not share translations (CnP is off) and flush only their own, so identifiers need not agree. Each
// slot remembers which address space it holds and the flush generation up to which it is clean.
#include "aarch64/tlb.h"

#include <arch/cpu.h>
#include <arch/page_table.h>
#include <arch/smp.h>

#include "aarch64/registers.h"

namespace arch {
namespace {

constexpr unsigned slot_count = 15;
constexpr unsigned identifier_shift = 48;
constexpr std::uint64_t root_mask = 0x0000fffffffff000;
// Beyond this many pages dropping everything is cheaper than one by one.
constexpr std::size_t most_single_flushes = 64;

struct Slot {
  std::uint64_t id = ~std::uint64_t{0};
  std::uint64_t generation = 0;
};

struct alignas(cache_line_size) TlbState {
  Slot slots[slot_count];  // slot i has identifier i + 1; 0 is for no address space
  unsigned active = 0;
  unsigned next_victim = 0;
};
constinit TlbState states[max_cpus];
constinit std::uintptr_t root_of_kernel = 0, root_of_nothing = 0;

// SAFETY (this file): privileged instructions that only drop cached translations or choose the user's root.
// Stores to tables are seen by walks before the drop, and the drop is over before what follows.
void begin_flush() { asm volatile("dsb ishst" ::: "memory"); }
void end_flush() { asm volatile("dsb nsh\n isb" ::: "memory"); }

std::uint64_t operand(std::uintptr_t address, std::uint64_t identifier) {
  return (address >> page_shift & 0xfffffffffff) | identifier << identifier_shift;
}

void drop_identifier(std::uint64_t identifier) {
  begin_flush();
  asm volatile("tlbi aside1, %0" ::"r"(identifier << identifier_shift) : "memory");
  end_flush();
}

void set_user_root(std::uintptr_t root, std::uint64_t identifier) {
  NOS_WRITE_REGISTER("ttbr0_el1", root | identifier << identifier_shift);
  instruction_barrier();
}

}  // namespace

std::uintptr_t kernel_root() { return root_of_kernel; }
void set_kernel_root(std::uintptr_t root, std::uintptr_t empty_root) {
  root_of_kernel = root;
  root_of_nothing = empty_root;
}
void clear_user_root() {
  set_user_root(root_of_nothing, 0);
  flush_tlb_all_local();
}
std::uintptr_t active_user_root() { return NOS_READ_REGISTER("ttbr0_el1") & root_mask; }

void activate_address_space(std::uintptr_t root, std::uint64_t id, std::uint64_t generation) {
  begin_flush();  // the tables are seen by this CPU's walks
  if (id == 0) return set_user_root(root_of_nothing, 0);
  TlbState& state = states[cpu_index()];
  for (unsigned i = 0; i < slot_count; ++i) {
    Slot& slot = state.slots[i];
    if (slot.id != id) continue;
    bool clean = slot.generation == generation;
    slot.generation = generation;
    state.active = i;
    set_user_root(root, i + 1);
    if (!clean) drop_identifier(i + 1);
    return;
  }
  unsigned victim = state.next_victim;
  state.next_victim = (victim + 1) % slot_count;
  state.slots[victim] = {id, generation};
  state.active = victim;
  set_user_root(root, victim + 1);
  drop_identifier(victim + 1);
}

void flush_tlb_user_local(std::uint64_t id, std::uint64_t generation, std::uintptr_t start,
                          std::uintptr_t end) {
  TlbState& state = states[cpu_index()];
  Slot& slot = state.slots[state.active];
  if (slot.id != id || slot.generation >= generation) return;
  bool missed_one = slot.generation + 1 != generation;
  slot.generation = generation;
  std::uint64_t identifier = state.active + 1;
  if (missed_one || (end - start) >> page_shift > most_single_flushes) return drop_identifier(identifier);
  begin_flush();
  for (std::uintptr_t at = start; at < end; at += page_size)
    asm volatile("tlbi vae1, %0" ::"r"(operand(at, identifier)) : "memory");
  end_flush();
}

void flush_tlb_address(std::uintptr_t address) {
  begin_flush();
  asm volatile("tlbi vaae1, %0" ::"r"(operand(address, 0)) : "memory");
  end_flush();
}

void flush_tlb_kernel_local(std::uintptr_t start, std::uintptr_t end) {
  if ((end - start) >> page_shift > most_single_flushes) return flush_tlb_all_local();
  begin_flush();
  for (std::uintptr_t at = start; at < end; at += page_size)
    asm volatile("tlbi vaae1, %0" ::"r"(operand(at, 0)) : "memory");
  end_flush();
}

void flush_tlb_all_local() {
  begin_flush();
  asm volatile("tlbi vmalle1" ::: "memory");
  end_flush();
}

// The hardware tells the other CPUs.
void flush_tlb_kernel(std::uintptr_t start, std::uintptr_t end) {
  begin_flush();
  if ((end - start) >> page_shift > most_single_flushes) {
    asm volatile("tlbi vmalle1is" ::: "memory");
  } else {
    for (std::uintptr_t at = start; at < end; at += page_size)
      asm volatile("tlbi vaae1is, %0" ::"r"(operand(at, 0)) : "memory");
  }
  asm volatile("dsb ish\n isb" ::: "memory");
}

}  // namespace arch
