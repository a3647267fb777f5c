// The page tables of an address space: finding, making and changing entries. Everything here works on one
// Area and needs AddressSpace::lock_ for reading at least (or, from the object's side,
// MemoryObject::mappings_lock_, which keeps the tables of listed areas alive); entries change under the
// table's lock.
//
// A present entry refers to one of:
//   a counted page      holds one reference; map_count counts entries to pages of objects and anonymous ones
//   alike a special frame     software bit 0: the zero page, device memory, the vDSO; not counted anywhere
// Software bit 1: a write is for the area's monitor to hear of.
#pragma once

#include <arch/page_table.h>

#include <cstdint>

#include "core/memory/address_space.h"
#include "core/memory/page_allocator.h"
#include "table_lock.h"
#include "tlb_batch.h"

namespace core {

using Entry = arch::PageTableEntry;
inline constexpr unsigned special_bit = 0, guarded_bit = 1;

inline bool is_special(Entry entry) { return entry.software_bit(special_bit); }
// Write-protected by the area's monitor; the bit means nothing in areas without one.
inline bool is_guarded(const Area& area, Entry entry) {
  return area.has(AreaFlag::monitor_write) && entry.software_bit(guarded_bit);
}
inline PhysicalAddress frame_of(Entry entry) { return PhysicalAddress(entry.physical(0)); }
inline Page& page_of_entry(Entry entry) { return page_of(frame_of(entry)); }

inline FaultOutcome outcome_of(base::Errno error) {
  if (error == Errno::enomem) return FaultOutcome::out_of_memory;
  if (error == Errno::eintr) return FaultOutcome::interrupted;
  return FaultOutcome::bus_error;
}

// A place in a last-level table.
struct EntryPlace {
  Entry* entry = nullptr;
  Page* table = nullptr;
  explicit operator bool() const { return entry; }
};

struct Mapper {
  enum class Kind : std::uint8_t { anonymous, file, shared_memory };  // indices of resident_

  static Entry* table_of(PhysicalAddress address) { return to_virtual<Entry>(address); }
  // Null where no last-level table exists.
  static EntryPlace find(const AddressSpace& space, std::uintptr_t address);
  static Result<EntryPlace> make(AddressSpace& space, std::uintptr_t address);
  // Calls visit(place, address, count) for each run of entries in existing last-level tables of [start, end).
  template <typename Visit>
  static void for_each_run(const AddressSpace& space, std::uintptr_t start, std::uintptr_t end,
                           Visit&& visit);

  static Entry make_entry(const Area& area, PhysicalAddress frame, bool writable);
  static arch::PageAttributes attributes(Protection protection, bool writable);
  static Kind kind_of(const Page& page, const Area& area);
  // A counted page goes into (comes out of) an entry: the entry's reference is the caller's business.
  static void account_mapped(AddressSpace& space, Page& page, Kind kind);
  static void account_unmapped(AddressSpace& space, Page& page, Kind kind);
  static void add_resident(AddressSpace& space, Kind kind, long pages);

  // --- fault.cpp
  // `out_of_memory`: nothing was reclaimed for private pages, because the caller holds the address space's
  // lock, which keeps reclaim out of it. He lets go of it, calls make_room_for_program(), and tries again.
  static FaultOutcome fault_in(AddressSpace& space, Area& area, std::uintptr_t address, FaultAccess access,
                               bool force);

  // Whether the area's monitor is to be asked about a fault that found this entry.
  static MonitoredFault monitored(const Area& area, Entry seen, std::uintptr_t address, FaultAccess access);
  static FaultOutcome fault_object(AddressSpace& space, Area& area, const EntryPlace& place,
                                   std::uintptr_t address, FaultAccess access);

  // --- zap.cpp
  // Takes away the entries of [start, end), for objects only those to its own pages if `keep_private`.
  enum class ZapSide : std::uint8_t { address_space, object };
  static void zap(AddressSpace& space, Area& area, std::uintptr_t start, std::uintptr_t end, TlbBatch& batch,
                  MemoryObject::PrivateCopies copies = MemoryObject::PrivateCopies::remove,
                  ZapSide side = ZapSide::address_space);
  // Frees tables that only served [start, end); nothing is mapped in [floor, ceiling) around it.
  static void free_tables(AddressSpace& space, std::uintptr_t start, std::uintptr_t end, std::uintptr_t floor,
                          std::uintptr_t ceiling, TlbBatch& batch);

  // --- change.cpp
  static void change_protection(AddressSpace& space, Area& area, std::uintptr_t start, std::uintptr_t end);
  static Result<void> copy_for_fork(AddressSpace& parent, AddressSpace& child, Area& from, Area& to,
                                    TlbBatch& batch);
  static Result<void> move_entries(AddressSpace& space, std::uintptr_t from, std::uintptr_t to,
                                   std::size_t size);
};

// Entries handled under one hold of a table's lock.
inline constexpr unsigned entries_per_hold = 32;

template <typename Visit>
void Mapper::for_each_run(const AddressSpace& space, std::uintptr_t start, std::uintptr_t end,
                          Visit&& visit) {
  constexpr std::uintptr_t table_span = std::uintptr_t{arch::entries_per_table} << arch::page_shift;
  while (start < end) {
    PhysicalAddress table = space.root_;
    unsigned level = arch::levels() - 1;
    for (; level > 0; --level) {
      Entry value = arch::read_entry(table_of(table) + arch::table_index(start, level));
      if (value.is_empty()) break;
      table = PhysicalAddress(value.physical(level));
    }
    if (level > 0) {
      // Nothing below this entry: on to what the next one covers.
      std::uintptr_t span = std::uintptr_t{1} << (arch::page_shift + arch::bits_per_level * level);
      start = base::align_down(start, span) + span;
      continue;
    }
    std::uintptr_t run_end = base::align_down(start, table_span) + table_span;
    if (run_end > end) run_end = end;
    EntryPlace place{table_of(table) + arch::table_index(start, 0), &page_of(table)};
    visit(place, start, static_cast<unsigned>((run_end - start) >> arch::page_shift));
    start = run_end;
  }
}

extern Page* zero_page;  // filled with zeroes, mapped read-only wherever untouched memory is read

// The lists of areas in objects.
struct ObjectMappings {
  static void add(Area& area);
  static void remove(Area& area);
};

}  // namespace core
