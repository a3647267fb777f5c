// Page tables: the format of an entry, and the translation cache.
//
// core/memory walks and changes page tables through this interface. A table is one page of entries_per_table
// entries of 64 bits; level 0 is the last (4 KiB pages), level 1 its parent (2 MiB), up to levels() - 1, the
// root. Tables are written while other CPUs translate through them: each store of an entry is atomic, and a
// table is published after it is filled.
//
// The root of every address space shares the kernel half: the entries from kernel_root_first_index() on are
// copied from kernel_root() when it is made and never change afterwards (the kernel's second-level tables are
// all allocated at boot: prepare_kernel_root()).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <arch/page_attributes.h>

namespace arch {

// Complete in arch_impl/page_table.h:
//   page_shift, page_size, entries_per_table, bits_per_level, levels(), is_leaf_level_supported(level)
//   user_address_limit     first address that user space cannot have
//   user_address_minimum   lowest address ever handed to user space
//   kernel_address_start   lowest address of the kernel half
//   class PageTableEntry {
//     static make_leaf(physical, PageAttributes, level), make_table(physical), make_software(payload) (not
//     present; payload
//       of up to 62 bits, e.g. a swap slot; never equal to the empty entry)
//     bool is_empty(), is_present(), is_leaf(level), is_software(); physical(level); software_payload();
//     bool accessed(), dirty(), writable(), executable(), is_user(); PageAttributes attributes(level);
//     with_accessed(bool), with_dirty(bool), with_write(bool), with_attributes(PageAttributes)
//     bool software_bit(n) / with_software_bit(n, bool), n = 0..1: free for core/memory
//     std::uint64_t raw(); static from_raw()
//   }
// An architecture whose hardware sets accessed and dirty says so in hardware_sets_accessed_and_dirty.
class PageTableEntry;

// One place in a table. The reader sees either the old or the new value; release: what the entry points to is
// visible before.
inline PageTableEntry read_entry(const PageTableEntry* entry);
inline void write_entry(PageTableEntry* entry, PageTableEntry value);
// Atomic against the hardware's setting of accessed and dirty.
inline PageTableEntry exchange_entry(PageTableEntry* entry, PageTableEntry value);
inline bool compare_exchange_entry(PageTableEntry* entry, PageTableEntry& expected, PageTableEntry desired);

// Index into the table of `level` for an address.
constexpr unsigned table_index(std::uintptr_t address, unsigned level);

// The page table that boot built: physical address of its root.
std::uintptr_t kernel_root();
// First entry of a root table that belongs to the kernel.
constexpr unsigned kernel_root_first_index();

// Makes this CPU translate through `root`. `id` is unique for the life of the machine (never reused; 0 is the
// kernel's own address space), `generation` the number of flushes the address space has seen: a translation
// cached under the same id by an older generation is dropped. Interrupts off.
void activate_address_space(std::uintptr_t root, std::uint64_t id, std::uint64_t generation);

// On this CPU, for the address space `id`: drop translations of [start, end), which is what flush number
// `generation` asks for. A CPU that has missed an earlier flush drops all of them. Does nothing when the
// address space is not active here: its next activation compares generations. Interrupts off.
void flush_tlb_user_local(std::uint64_t id, std::uint64_t generation, std::uintptr_t start,
                          std::uintptr_t end);
// Kernel translations of [start, end) on this CPU.
void flush_tlb_kernel_local(std::uintptr_t start, std::uintptr_t end);
void flush_tlb_all_local();

// The same for every CPU, for kernel addresses (unmapping of the kernel's own mappings). May be called in any
// context in which call_on_cpus() may.
void flush_tlb_kernel(std::uintptr_t start, std::uintptr_t end);

}  // namespace arch

#include <arch_impl/page_table.h>
