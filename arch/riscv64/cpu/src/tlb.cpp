// Address spaces and the translation cache.
//
// With address space identifiers a CPU keeps the translations of the last few address spaces it ran. Each
// slot remembers which address space it holds and the flush generation up to which it is clean. Identifiers
// are each hart's own matter, so slots need no agreement between CPUs.
#include <arch/cpu.h>
#include <arch/page_table.h>
#include <arch/smp.h>

#include "riscv64/features.h"
#include "riscv64/registers.h"
#include "riscv64/sbi.h"
#include "riscv64/tlb.h"

namespace arch {

constinit Paging paging{};
constinit std::uintptr_t user_address_limit = std::uintptr_t{1} << 38;

namespace {

constexpr unsigned slot_count = 7, identifier_shift = 44, mode_shift = 60;
constexpr unsigned bits_needed = 3;  // for the slots and 0, which is the kernel's
// Beyond this many pages dropping everything is cheaper than one by one.
constexpr std::size_t most_single_flushes = 32;

struct Slot {
  std::uint64_t id = ~std::uint64_t{0};
  std::uint64_t generation = 0;
};

struct alignas(cache_line_size) TlbState {
  Slot slots[slot_count];  // slot i has identifier i + 1
  unsigned active = 0;
  unsigned next_victim = 0;
};
constinit TlbState states[max_cpus];
constinit std::uintptr_t root_of_kernel = 0;

TlbState& local_state() { return states[cpu_index()]; }

// SAFETY (this file): privileged instructions that only drop cached translations.
void invalidate_page(std::uintptr_t address) { asm volatile("sfence.vma %0" ::"r"(address) : "memory"); }
void invalidate_everything() { asm volatile("sfence.vma" ::: "memory"); }
// All but global translations.
void invalidate_identifier(std::uint64_t identifier) {
  asm volatile("sfence.vma zero, %0" ::"r"(identifier) : "memory");
}

}  // namespace

std::uintptr_t kernel_root() { return root_of_kernel; }
void set_kernel_root(std::uintptr_t root) { root_of_kernel = root; }

std::uint64_t satp_for(std::uintptr_t root) {
  // 8: Sv39, 9: Sv48, 10: Sv57.
  return std::uint64_t{levels() + 5} << mode_shift | root >> page_shift;
}

unsigned count_address_space_bits() {
  InterruptsOff off;
  std::uint64_t before = read_satp();
  constexpr std::uint64_t every_bit = std::uint64_t{0xffff} << identifier_shift;
  write_satp(before | every_bit);
  std::uint64_t kept = read_satp() & every_bit;
  write_satp(before);
  invalidate_everything();
  return static_cast<unsigned>(__builtin_popcountll(kept));
}

void activate_address_space(std::uintptr_t root, std::uint64_t id, std::uint64_t generation) {
  TlbState& state = local_state();
  std::uint64_t satp = satp_for(root);
  if (cpu_features().address_space_bits < bits_needed) {
    state.active = 0;
    state.slots[0] = {id, generation};
    write_satp(satp);
    invalidate_everything();
    return;
  }
  unsigned index = 0;
  while (index < slot_count && state.slots[index].id != id) ++index;
  bool clean = index < slot_count && state.slots[index].generation == generation;
  if (index == slot_count) {
    index = state.next_victim;
    state.next_victim = (index + 1) % slot_count;
  }
  state.slots[index] = {id, generation};
  state.active = index;
  write_satp(satp | std::uint64_t{index + 1} << identifier_shift);
  if (!clean) invalidate_identifier(index + 1);
}

void flush_tlb_user_local(std::uint64_t id, std::uint64_t generation, std::uintptr_t start,
                          std::uintptr_t end) {
  TlbState& state = local_state();
  Slot& slot = state.slots[state.active];
  if (slot.id != id || slot.generation >= generation) return;
  bool missed_one = slot.generation + 1 != generation;
  slot.generation = generation;
  if (missed_one || (end - start) >> page_shift > most_single_flushes) {
    if (cpu_features().address_space_bits < bits_needed)
      invalidate_everything();
    else
      invalidate_identifier(state.active + 1);
    return;
  }
  for (std::uintptr_t at = start; at < end; at += page_size) invalidate_page(at);
}

void flush_tlb_kernel_local(std::uintptr_t start, std::uintptr_t end) {
  if ((end - start) >> page_shift > most_single_flushes) return invalidate_everything();
  for (std::uintptr_t at = start; at < end; at += page_size) invalidate_page(at);
}

void flush_tlb_all_local() { invalidate_everything(); }

void flush_tlb_kernel(std::uintptr_t start, std::uintptr_t end) {
  // The firmware reaches every hart, and at once also one that has interrupts off.
  if (cpu_count() > 1 && !fence_remote_translations(start, end - start))
    return call_on_all_cpus([start, end] { flush_tlb_kernel_local(start, end); });
  flush_tlb_kernel_local(start, end);
}

}  // namespace arch
