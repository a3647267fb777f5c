#include "machine.h"

#include <arch/cpu.h>
#include <arch/smp.h>
#include <arch/upcalls.h>
#include <sys/mman.h>

#include <boot/boot_info.h>

#include "core/memory/memory_init.h"
#include "kernel_only/mapper.h"

namespace {
constexpr std::size_t ram = 96 << 20;
std::byte* arena = nullptr;
constexpr std::uintptr_t kernel_root_physical = 0x10000;
}  // namespace

namespace arch {
std::uintptr_t kernel_root() { return kernel_root_physical; }
void activate_address_space(std::uintptr_t, std::uint64_t id, std::uint64_t) {
  core::Machine::instance().activate(id);
}
void flush_tlb_user_local(std::uint64_t id, std::uint64_t, std::uintptr_t start, std::uintptr_t end) {
  core::Machine::instance().flush(id, start, end);
}
void flush_tlb_kernel_local(std::uintptr_t, std::uintptr_t) {}
void flush_tlb_all_local() {}
void flush_tlb_kernel(std::uintptr_t, std::uintptr_t) {}
void call_on_cpus(std::span<const std::uint64_t>, base::FunctionRef<void()> function) {
  InterruptsOff off;
  function();
}
}  // namespace arch

namespace core {

Machine& Machine::instance() {
  static Machine* machine = nullptr;
  if (!machine) {
    machine = new Machine;
  }
  return *machine;
}

Machine::Machine() {
  auto reserve = [](std::size_t size) {
    return static_cast<std::byte*>(
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  };
  arena = reserve(ram);
  static boot::BootInfo info;
  info.memory[0] = {0, 0x100000, boot::MemoryKind::boot_tables};
  info.memory[1] = {0x100000, 40 << 20, boot::MemoryKind::usable};
  info.memory[2] = {0x100000 + (44 << 20), ram - 0x100000 - (44 << 20), boot::MemoryKind::usable};
  info.memory_count = 3;
  info.direct_map_base = reinterpret_cast<std::uintptr_t>(arena);
  std::size_t descriptors = ram / 4096 * 32 + 4096;
  info.page_array_base = reinterpret_cast<std::uintptr_t>(reserve(descriptors));
  info.page_array_end = info.page_array_base + descriptors;
  info.dynamic_map_start = reinterpret_cast<std::uintptr_t>(reserve(64 << 20));
  info.dynamic_map_end = info.dynamic_map_start + (64 << 20);
  initialize_memory(info);
}

void Machine::run(AddressSpace* space) {
  arch::InterruptsOff off;
  running_ = space;
  if (space) switch_address_space(space);
}

void Machine::activate(std::uint64_t id) {
  active_id_ = id;
  tlb_.clear();
}

void Machine::flush(std::uint64_t id, std::uintptr_t start, std::uintptr_t end) {
  if (id != active_id_) return;
  tlb_.erase(tlb_.lower_bound(start & ~std::uintptr_t{4095}), tlb_.lower_bound(end));
}

namespace {
bool permits(arch::PageTableEntry entry, FaultAccess access) {
  if (!entry.is_present() || !entry.is_user()) return false;
  switch (access) {
    case FaultAccess::read:
      return entry.readable();
    case FaultAccess::write:
      return entry.writable();
    case FaultAccess::execute:
      return entry.executable();
  }
  return false;
}
}  // namespace

std::byte* Machine::access(std::uintptr_t address, FaultAccess access, FaultOutcome& outcome) {
  std::uintptr_t page = address & ~std::uintptr_t{4095};
  for (int attempt = 0; attempt < 8; ++attempt) {
    auto cached = tlb_.find(page);
    bool need_dirty = access == FaultAccess::write;
    if (cached == tlb_.end() || !permits(cached->second, access) || (need_dirty && !cached->second.dirty())) {
      if (cached != tlb_.end()) tlb_.erase(cached);
      EntryPlace place = Mapper::find(*running_, page);
      arch::PageTableEntry entry = place ? arch::read_entry(place.entry) : arch::PageTableEntry{};
      if (!permits(entry, access)) {
        outcome = running_->handle_fault(UserAddress(address), access, AddressSpace::FaultOrigin::user);
        if (outcome != FaultOutcome::resolved) return nullptr;
        continue;
      }
      entry = entry.with_accessed(true).with_dirty(entry.dirty() || need_dirty);
      arch::write_entry(place.entry, entry);
      cached = tlb_.emplace(page, entry).first;
    }
    outcome = FaultOutcome::resolved;
    return arena + cached->second.physical(0) + (address & 4095);
  }
  outcome = FaultOutcome::out_of_memory;
  return nullptr;
}

std::uintptr_t Machine::stale_translation() const {
  for (auto& [page, cached] : tlb_) {
    EntryPlace place = Mapper::find(*running_, page);
    arch::PageTableEntry entry = place ? arch::read_entry(place.entry) : arch::PageTableEntry{};
    bool good = entry.is_present() && entry.physical(0) == cached.physical(0) &&
                (!cached.readable() || entry.readable()) && (!cached.writable() || entry.writable()) &&
                (!cached.executable() || entry.executable()) && (!cached.dirty() || entry.dirty());
    if (!good) return page;
  }
  return 0;
}

}  // namespace core
