// Where faults come in, and everything that behaves like one: stack growth, populating, pinning, remote
// access.
#include <arch/upcalls.h>

#include <cstring>

#include "core/memory/kernel_map.h"
#include "core/memory/oom.h"
#include "core/sync/blocking.h"
#include "mapper.h"
#include "reclaim.h"

namespace core {
namespace {

bool permits(const Area& area, FaultAccess access) {
  switch (access) {
    case FaultAccess::write:
      return includes(area.protection(), Protection::write);
    case FaultAccess::execute:
      return includes(area.protection(), Protection::execute);
    // Whatever can be executed or written can be read: no CPU of ours separates them.
    case FaultAccess::read:
      return area.protection() != Protection::none;
  }
  return false;
}

}  // namespace

FaultOutcome AddressSpace::fault_area(Area& area, std::uintptr_t address, FaultAccess access, bool force) {
  if (!force && !permits(area, access)) return FaultOutcome::no_access;
  return Mapper::fault_in(*this, area, base::align_down(address, page_size), access, force);
}

AddressSpace::AskedMonitor AddressSpace::asked_monitor_locked(Area& area, std::uintptr_t address,
                                                              FaultAccess access) {
  EntryPlace place = Mapper::find(*this, address);
  Entry seen = place ? arch::read_entry(place.entry) : Entry{};
  return {area.monitor(), Mapper::monitored(area, seen, address, access)};
}

FaultOutcome AddressSpace::handle_fault(UserAddress where, FaultAccess access, FaultOrigin origin) {
  std::uintptr_t address = where.value();
  count_memory(MemoryCounter::faults, 1);
  if (address >= layout_.highest) return FaultOutcome::no_mapping;
  if (dying_.load(std::memory_order_relaxed)) return FaultOutcome::interrupted;
  unsigned vain = 0;
  for (bool grown = false;;) {
    AskedMonitor asked;
    bool no_memory = false;
    {
      ReadGuard guard{lock_};
      if (Area* area = areas_.find(address)) {
        FaultOutcome outcome = fault_area(*area, address, access, false);
        no_memory = outcome == FaultOutcome::out_of_memory;
        if (!no_memory && outcome != FaultOutcome::monitored) return outcome;
        if (!no_memory) asked = asked_monitor_locked(*area, address, access);
      } else {
        Area* above = areas_.find_from(address);
        if (grown || !above || !above->has(AreaFlag::grows_down)) return FaultOutcome::no_mapping;
      }
    }
    if (no_memory) {
      if (!make_room_for_program(vain)) return FaultOutcome::out_of_memory;
      if (dying_.load(std::memory_order_relaxed)) return FaultOutcome::interrupted;
      continue;
    }
    if (asked.monitor) {
      if (asked.kind == MonitoredFault::none) return FaultOutcome::resolved;
      auto from = origin == FaultOrigin::user ? FaultMonitor::Origin::user : FaultMonitor::Origin::kernel;
      return asked.monitor->wait(*this, where, access, asked.kind, from);
    }
    if (!grow_stack(address)) return FaultOutcome::no_mapping;
    grown = true;
  }
}

bool AddressSpace::grow_stack(std::uintptr_t address) {
  address = base::align_down(address, page_size);
  WriteGuard guard{lock_};
  Area* area = areas_.find_from(address);
  if (!area) return false;
  if (area->start_ <= address) return true;  // another thread grew it
  if (!area->has(AreaFlag::grows_down) || address < layout_.lowest) return false;
  std::uint64_t more = (area->start_ - address) >> page_shift;
  if (area->end_ - address > limit_stack_.load(std::memory_order_relaxed)) return false;
  if (total_pages_ + more > limit_address_space_.load(std::memory_order_relaxed) >> page_shift) return false;
  if (area->has(AreaFlag::locked) && !check_lock_limit_locked(more)) return false;
  if (Area* below = areas_.previous(*area)) {
    std::uintptr_t gap = std::uintptr_t{stack_guard_gap_pages} << page_shift;
    bool keeps_distance = below->has(AreaFlag::grows_down) || below->protection_ == Protection::none;
    if (below->end_ > address || (!keeps_distance && address - below->end_ < gap)) return false;
  }
  if (area->has(AreaFlag::accounted) && !charge_commit(more)) return false;
  areas_.set_bounds(*area, address, area->end_);
  account_locked(*area, more, +1);
  return true;
}

Result<void> AddressSpace::populate(std::uintptr_t start, std::uintptr_t end) {
  bool no_memory = false;
  unsigned vain = 0;
  for (std::uintptr_t at = start; at < end;) {
    if (interruption_pending(WaitMode::killable)) return error(Errno::eintr);
    if (no_memory && !make_room_for_program(vain)) return error(Errno::eagain);
    no_memory = false;
    ReadGuard guard{lock_};
    Area* area = areas_.find(at);
    if (!area) return error(Errno::enomem);
    if (area->protection_ == Protection::none || area->has(AreaFlag::locked_on_fault)) {
      at += page_size;
      continue;
    }
    bool write = includes(area->protection_, Protection::write) && !area->is_shared();
    switch (fault_area(*area, at, write ? FaultAccess::write : FaultAccess::read, false)) {
      case FaultOutcome::resolved:
        at += page_size;
        vain = 0;
        break;
      case FaultOutcome::out_of_memory:
        no_memory = true;
        break;
      case FaultOutcome::interrupted:
        return error(Errno::eintr);
      default:
        return error(Errno::enomem);
    }
  }
  return {};
}

Result<PageRef> AddressSpace::pin(std::uintptr_t address, FaultAccess access, bool force) {
  if (address >= layout_.highest) return error(Errno::efault);
  AskedMonitor asked;
  unsigned vain = 0;
  for (bool no_memory = false;;) {
    if (no_memory && !make_room_for_program(vain)) return error(Errno::enomem);
    no_memory = false;
    if (asked.kind != MonitoredFault::none) {
      auto outcome =
          asked.monitor->wait(*this, UserAddress(address), access, asked.kind, FaultMonitor::Origin::kernel);
      if (outcome != FaultOutcome::resolved)
        return error(outcome == FaultOutcome::interrupted ? Errno::eintr : Errno::efault);
      asked = {};
    }
    ReadGuard guard{lock_};
    Area* area = areas_.find(address);
    if (!area) return error(Errno::efault);
    bool permitted = permits(*area, access);
    if (!permitted &&
        !(force && includes(area->maximum_protection_,
                            access == FaultAccess::write ? Protection::write : Protection::read)))
      return error(Errno::efault);
    // Forced writing goes to a private copy only.
    if (!permitted && access == FaultAccess::write && area->is_shared()) return error(Errno::efault);
    if (EntryPlace place = Mapper::find(*this, address)) {
      TableLock lock(*place.table);
      Entry entry = arch::read_entry(place.entry);
      if (entry.is_present()) {
        bool zero = is_special(entry) && frame_of(entry) == physical_of(*zero_page);
        if (is_special(entry) && !zero) return error(Errno::efault);
        Page& page = page_of_entry(entry);
        bool private_copy = page.has(PageFlag::anonymous) && page.reference_count() == 1;
        if (access != FaultAccess::write || entry.writable() || (!permitted && private_copy))
          return PageRef::share(page);
      }
    }
    switch (fault_area(*area, address, access, force)) {
      case FaultOutcome::resolved:
        break;
      case FaultOutcome::monitored:
        asked = asked_monitor_locked(*area, address, access);
        break;
      case FaultOutcome::out_of_memory:
        no_memory = true;
        break;
      case FaultOutcome::interrupted:
        return error(Errno::eintr);
      default:
        return error(Errno::efault);
    }
  }
}

Result<PageRef> AddressSpace::pin_page(UserAddress address, FaultAccess access) {
  return pin(address.value(), access, false);
}

// Memory without descriptors, within one page: the vDSO.
bool AddressSpace::read_special(std::uintptr_t address, std::span<std::byte> to) {
  ReadGuard guard{lock_};
  Area* area = areas_.find(address);
  if (!area || !area->object_ || !area->object_->is_plain_memory() || !permits(*area, FaultAccess::read))
    return false;
  auto frame = area->object_->frame_for(area->index_of(address));
  if (!frame) return false;
  std::memcpy(to.data(), to_virtual<std::byte>(frame->address) + (address & (page_size - 1)), to.size());
  return true;
}

std::size_t AddressSpace::read_remote(UserAddress address, std::span<std::byte> to, RemoteAccess mode) {
  std::size_t done = 0;
  while (done < to.size()) {
    std::uintptr_t at = address.value() + done;
    std::size_t offset = at & (page_size - 1), piece = page_size - offset;
    if (piece > to.size() - done) piece = to.size() - done;
    if (auto page = pin(at, FaultAccess::read, mode == RemoteAccess::force))
      std::memcpy(to.data() + done, page->data() + offset, piece);
    else if (!read_special(at, to.subspan(done, piece)))
      break;
    done += piece;
  }
  return done;
}

std::size_t AddressSpace::write_remote(UserAddress address, std::span<const std::byte> from,
                                       RemoteAccess mode) {
  std::size_t done = 0;
  while (done < from.size()) {
    std::uintptr_t at = address.value() + done;
    auto page = pin(at, FaultAccess::write, mode == RemoteAccess::force);
    if (!page) break;
    std::size_t offset = at & (page_size - 1), piece = page_size - offset;
    if (piece > from.size() - done) piece = from.size() - done;
    std::memcpy(page->data() + offset, from.data() + done, piece);
    if (!page->get()->has(PageFlag::anonymous)) page->get()->head()->set(PageFlag::dirty);
    arch::synchronize_instruction_fetch(page->data() + offset, piece);
    done += piece;
  }
  return done;
}

Result<AddressSpace::Location> AddressSpace::locate(UserAddress address) {
  ReadGuard guard{lock_};
  Area* area = areas_.find(address.value());
  if (!area) return error(Errno::efault);
  Location location;
  if (area->is_shared() && area->object_) {
    location.object = area->object_;
    location.offset = (area->index_of(address.value()) << page_shift) + (address.value() & (page_size - 1));
  }
  return location;
}

// --- arch/upcalls.h

bool handle_kernel_fault_on_user_address(std::uintptr_t address, arch::Access access) {
  AddressSpace* space = current_address_space();
  if (!space) return false;
  auto kind = access == arch::Access::write ? FaultAccess::write : FaultAccess::read;
  return space->handle_fault(UserAddress(address), kind, AddressSpace::FaultOrigin::kernel) ==
         FaultOutcome::resolved;
}

const char* describe_kernel_address(std::uintptr_t address) {
  return is_stack_guard(address) ? "the guard page of a kernel stack: stack overflow" : nullptr;
}

}  // namespace core
