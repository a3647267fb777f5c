// AArch64: page tables with 4 KiB pages, 48-bit addresses and four levels (ARM DDI 0487, chapter D8).
//
// User and kernel addresses have roots of their own (TTBR0 and TTBR1), so the root of an address space holds
// nothing of the kernel.
//
// Accessed and dirty: where the processor does not keep them itself (before FEAT_HAFDBS), the trap handler
// does, on the fault that it raises instead (cpu/src/translation_faults.cpp). So core/memory sees hardware
// that sets both. A page that may be written and is clean has DBM set and is read-only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <arch/page_attributes.h>
#include <arch/page_table.h>

namespace arch {

inline constexpr unsigned page_shift = 12;
inline constexpr std::size_t page_size = std::size_t{1} << page_shift;
inline constexpr unsigned bits_per_level = 9;
inline constexpr unsigned entries_per_table = 512;
constexpr unsigned levels() { return 4; }
inline constexpr bool hardware_sets_accessed_and_dirty = true;
inline constexpr std::uintptr_t user_address_limit = 0x0001000000000000;
inline constexpr std::uintptr_t user_address_minimum = 0x10000;
inline constexpr std::uintptr_t kernel_address_start = 0xffff000000000000;

inline bool is_leaf_level_supported(unsigned level) { return level <= 2; }

constexpr unsigned table_index(std::uintptr_t address, unsigned level) {
  return (address >> (page_shift + bits_per_level * level)) & (entries_per_table - 1);
}
// None: see above.
constexpr unsigned kernel_root_first_index() { return entries_per_table; }

class PageTableEntry {
 public:
  constexpr PageTableEntry() = default;
  static constexpr PageTableEntry from_raw(std::uint64_t raw) { return PageTableEntry(raw); }
  constexpr std::uint64_t raw() const { return raw_; }

  static constexpr PageTableEntry make_leaf(std::uintptr_t physical, PageAttributes attributes,
                                            unsigned level) {
    PageTableEntry entry((physical & address_mask) | bits_of(attributes, level));
    if (!attributes.user) return entry.with_accessed(true).with_dirty(attributes.write);
    return entry;
  }
  // Permissions are decided in the leaves; the tables above allow everything.
  static constexpr PageTableEntry make_table(std::uintptr_t physical) {
    return PageTableEntry((physical & address_mask) | table_type);
  }
  static constexpr PageTableEntry make_software(std::uint64_t payload) {
    return PageTableEntry((payload << 2) | software_type);
  }

  constexpr bool is_empty() const { return raw_ == 0; }
  // A page that may not be accessed at all keeps its address with an invalid type and `none` set.
  constexpr bool is_present() const { return (raw_ & valid) || (!(raw_ & type_mask) && (raw_ & none_mark)); }
  constexpr bool is_software() const { return (raw_ & type_mask) == software_type; }
  constexpr bool is_leaf(unsigned level) const {
    return level == 0 || (raw_ != 0 && (raw_ & type_mask) != table_type);
  }
  constexpr std::uintptr_t physical(unsigned) const { return raw_ & address_mask; }
  constexpr std::uint64_t software_payload() const { return raw_ >> 2; }

  constexpr bool accessed() const { return raw_ & accessed_bit; }
  constexpr bool dirty() const { return (raw_ & was_dirty) || ((raw_ & may_write) && !(raw_ & read_only)); }
  constexpr bool writable() const { return raw_ & may_write; }
  constexpr bool executable() const { return !(raw_ & (is_user() ? user_no_execute : kernel_no_execute)); }
  constexpr bool is_user() const { return raw_ & user; }
  constexpr bool readable() const { return raw_ & valid; }
  constexpr PageAttributes attributes(unsigned) const {
    PageAttributes result;
    result.read = readable();
    result.write = writable();
    result.execute = executable();
    result.user = is_user();
    result.global = !(raw_ & not_global);
    result.guarded = raw_ & guarded;
    switch (raw_ >> cache_shift & 7) {
      case 1:
        result.cache = CacheType::uncached;
        break;
      case 2:
        result.cache = CacheType::write_combining;
        break;
      case 3:
        result.cache = CacheType::write_through;
        break;
      default:
        break;
    }
    return result;
  }
  constexpr PageTableEntry with_accessed(bool on) const { return with(accessed_bit, on); }
  constexpr PageTableEntry with_dirty(bool on) const {
    PageTableEntry result = with(was_dirty, on);
    if (raw_ & may_write) result = result.with(read_only, !on);
    return result;
  }
  constexpr PageTableEntry with_write(bool on) const {
    bool is_dirty = dirty();
    return with(may_write, on).with(was_dirty, is_dirty).with(read_only, !on || !is_dirty);
  }
  // Leaves of level 0 and large leaves alike: address, accessed, dirty and software bits stay.
  constexpr PageTableEntry with_attributes(PageAttributes attributes, unsigned level = 0) const {
    constexpr std::uint64_t kept = address_mask | accessed_bit | software_bits;
    return PageTableEntry((raw_ & kept) | bits_of(attributes, level)).with_dirty(dirty());
  }
  constexpr bool software_bit(unsigned n) const { return raw_ & (std::uint64_t{1} << (55 + n)); }
  constexpr PageTableEntry with_software_bit(unsigned n, bool on) const {
    return with(std::uint64_t{1} << (55 + n), on);
  }
  // What the trap handler does for processors that do not: see above.
  constexpr PageTableEntry after_access(bool write) const {
    PageTableEntry result = with_accessed(true);
    return write ? result.with_dirty(true) : result;
  }
  constexpr bool operator==(const PageTableEntry&) const = default;

 private:
  explicit constexpr PageTableEntry(std::uint64_t raw) : raw_(raw) {}
  constexpr PageTableEntry with(std::uint64_t bit, bool on) const {
    return PageTableEntry(on ? raw_ | bit : raw_ & ~bit);
  }
  // MAIR_EL1 is set up (cpu/include/aarch64/registers.h) as: 0 write-back, 1 device, 2 not cached, 3
  // write-through.
  static constexpr std::uint64_t bits_of(PageAttributes a, unsigned level) {
    std::uint64_t bits = !(a.read || a.write || a.execute) ? none_mark : level == 0 ? page_type : block_type;
    bits |= inner_shareable | read_only;  // clean
    if (a.write) bits |= may_write;
    if (!a.execute || !a.user) bits |= user_no_execute;
    if (!a.execute || a.user) bits |= kernel_no_execute;
    if (a.user) bits |= user;
    if (a.guarded) bits |= guarded;
    if (!a.global) bits |= not_global;
    std::uint64_t cache = a.cache == CacheType::write_back        ? 0
                          : a.cache == CacheType::uncached        ? 1
                          : a.cache == CacheType::write_combining ? 2
                                                                  : 3;
    return bits | cache << cache_shift;
  }

  static constexpr std::uint64_t valid = 1, type_mask = 3, block_type = 1, software_type = 2, page_type = 3,
                                 table_type = 3, user = 1 << 6, read_only = 1 << 7, inner_shareable = 3 << 8,
                                 accessed_bit = 1 << 10, not_global = 1 << 11;
  static constexpr unsigned cache_shift = 2;
  static constexpr std::uint64_t guarded = std::uint64_t{1} << 50,  // GP
      may_write = std::uint64_t{1} << 51,                           // DBM
      kernel_no_execute = std::uint64_t{1} << 53, user_no_execute = std::uint64_t{1} << 54,
                                 software_bits = std::uint64_t{7} << 55;
  // Bits 55 to 58 are for software; all are while the entry is invalid.
  static constexpr std::uint64_t was_dirty = std::uint64_t{1} << 58, none_mark = std::uint64_t{1} << 59;
  static constexpr std::uint64_t address_mask = 0x0000fffffffff000;

  std::uint64_t raw_ = 0;
};
static_assert(sizeof(PageTableEntry) == 8);

inline PageTableEntry read_entry(const PageTableEntry* entry) {
  // SAFETY: PageTableEntry is one 64-bit word; acquire pairs with write_entry, so a table is seen filled.
  return PageTableEntry::from_raw(
      __atomic_load_n(reinterpret_cast<const std::uint64_t*>(entry), __ATOMIC_ACQUIRE));
}

// Makes what was written to a page visible to instruction fetch, where the processor does not do it itself.
void synchronize_code_page(std::uintptr_t physical);

// A walk of the tables may begin before an earlier store is seen. A fault that comes of it is repeated for
// user code and finds the entry in place; kernel code must not fault, so it waits.
inline void publish_entry(PageTableEntry value) {
  if (!value.is_user()) asm volatile("dsb ishst\n isb" ::: "memory");  // SAFETY: barriers
}

// Code is made visible before it can run.
inline void prepare_entry(PageTableEntry value) {
  if (value.is_user() && value.executable() && value.readable()) synchronize_code_page(value.physical(0));
}

inline void write_entry(PageTableEntry* entry, PageTableEntry value) {
  prepare_entry(value);
  __atomic_store_n(reinterpret_cast<std::uint64_t*>(entry), value.raw(),
                   __ATOMIC_RELEASE);  // SAFETY: as above
  publish_entry(value);
}
inline PageTableEntry exchange_entry(PageTableEntry* entry, PageTableEntry value) {
  prepare_entry(value);
  // SAFETY: as above
  auto old = PageTableEntry::from_raw(
      __atomic_exchange_n(reinterpret_cast<std::uint64_t*>(entry), value.raw(), __ATOMIC_ACQ_REL));
  publish_entry(value);
  return old;
}
inline bool compare_exchange_entry(PageTableEntry* entry, PageTableEntry& expected, PageTableEntry desired) {
  prepare_entry(desired);
  std::uint64_t raw = expected.raw();
  bool done = __atomic_compare_exchange_n(reinterpret_cast<std::uint64_t*>(entry), &raw, desired.raw(), false,
                                          __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);  // SAFETY: as above
  expected = PageTableEntry::from_raw(raw);
  if (done) publish_entry(desired);
  return done;
}

}  // namespace arch
