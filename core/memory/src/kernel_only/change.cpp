// Changing entries in bulk: mprotect, fork, mremap.
#include "mapper.h"
#include "swap_map.h"

namespace core {
namespace {

// Atomic against the hardware's accessed and dirty bits.
template <typename Change>
void modify(Entry* entry, Entry seen, Change&& change) {
  while (!arch::compare_exchange_entry(entry, seen, change(seen))) {
  }
}

}  // namespace

void Mapper::change_protection(AddressSpace& space, Area& area, std::uintptr_t start, std::uintptr_t end) {
  TlbBatch batch(space);
  bool shared_write = area.is_shared() && area.object() && !area.object()->tracks_writes();
  for_each_run(space, start, end, [&](EntryPlace place, std::uintptr_t address, unsigned count) {
    for (unsigned done = 0; done < count;) {
      TableLock guard(*place.table);
      for (unsigned held = 0; done < count && held < entries_per_hold; ++done, ++held) {
        Entry* entry = place.entry + done;
        Entry old = arch::read_entry(entry);
        if (!old.is_present()) continue;
        // Write permission is given at once where no fault would do anything but that.
        bool writable = (old.writable() || shared_write) && !is_guarded(area, old);
        if (!writable && !is_guarded(area, old) && !area.is_shared() && !is_special(old)) {
          Page& page = page_of_entry(old);
          writable = page.has(PageFlag::anonymous) && page.reference_count() == 1;
        }
        arch::PageAttributes wanted = attributes(area.protection(), writable);
        wanted.cache = old.attributes(0).cache;
        modify(entry, old, [&](Entry at) { return at.with_attributes(wanted); });
        std::uintptr_t at = address + (std::uintptr_t{done} << page_shift);
        batch.note(at, at + page_size);
      }
    }
  });
}

Result<void> Mapper::copy_for_fork(AddressSpace& parent, AddressSpace& child, Area& from, Area& to,
                                   TlbBatch& batch) {
  Result<void> result{};
  for_each_run(
      parent, from.start(), from.end(), [&](EntryPlace place, std::uintptr_t address, unsigned count) {
        EntryPlace target;
        long anonymous = 0, file = 0;
        for (unsigned done = 0; done < count && result;) {
          if (!target) {
            // Only tables with something in them are copied.
            while (done < count && arch::read_entry(place.entry + done).is_empty()) ++done;
            if (done == count) break;
            auto made = make(child, address);
            if (!made) {
              result = error(Errno::enomem);
              break;
            }
            target = *made;
          }
          TableLock parent_guard(*place.table);
          TableLock child_guard(*target.table);
          for (unsigned held = 0; done < count && held < entries_per_hold; ++done, ++held) {
            Entry entry = arch::read_entry(place.entry + done);
            if (entry.is_software()) {
              if (!duplicate_swap(SwapEntry::from_value(entry.software_payload()))) {
                result = error(Errno::enomem);
                break;
              }
              child.swapped_.fetch_add(1, std::memory_order_relaxed);
              arch::write_entry(target.entry + done, entry);
              continue;
            }
            if (!entry.is_present()) continue;
            if (!is_special(entry)) {
              Page& page = page_of_entry(entry);
              Page& head = *page.head();
              head.acquire();
              head.map_count.fetch_add(1, std::memory_order_relaxed);
              ++(page.has(PageFlag::anonymous) ? anonymous : file);
              if (entry.writable()) {
                std::uintptr_t at = address + (std::uintptr_t{done} << page_shift);
                batch.note(at, at + page_size);
                modify(place.entry + done, entry,
                       [&](Entry value) { return entry = value.with_write(false); });
              }
            }
            arch::write_entry(target.entry + done, entry);
          }
        }
        if (anonymous) add_resident(child, Kind::anonymous, anonymous);
        if (file)
          add_resident(child,
                       from.object() && from.object()->is_shared_memory() ? Kind::shared_memory : Kind::file,
                       file);
      });
  return result;
}

Result<void> Mapper::move_entries(AddressSpace& space, std::uintptr_t from, std::uintptr_t to,
                                  std::size_t size) {
  // Tables first, so that the moving itself cannot fail half-way.
  Result<void> result{};
  for_each_run(space, from, from + size, [&](EntryPlace place, std::uintptr_t address, unsigned count) {
    for (unsigned i = 0; i < count && result; ++i) {
      if (arch::read_entry(place.entry + i).is_empty()) continue;
      std::uintptr_t target = to + (address - from) + (std::uintptr_t{i} << page_shift);
      if (auto made = make(space, target); !made) result = error(Errno::enomem);
      // The rest of the target's table comes with it.
      std::uintptr_t span = std::uintptr_t{arch::entries_per_table} << page_shift;
      i += static_cast<unsigned>((base::align_down(target, span) + span - target) >> page_shift) - 1;
    }
  });
  TRY(result);
  TlbBatch batch(space);
  for_each_run(space, from, from + size, [&](EntryPlace place, std::uintptr_t address, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      if (arch::read_entry(place.entry + i).is_empty()) continue;
      std::uintptr_t source = address + (std::uintptr_t{i} << page_shift);
      EntryPlace target = find(space, to + (source - from));
      // The address space is locked for writing: the object's side is the only other one that could come, and
      // it takes the lock of the table it finds an entry in.
      Entry moved;
      {
        TableLock guard(*place.table);
        moved = arch::exchange_entry(place.entry + i, Entry{});
      }
      batch.note(source, source + page_size);
      TableLock guard(*target.table);
      arch::write_entry(target.entry, moved);
    }
  });
  return {};
}

}  // namespace core
