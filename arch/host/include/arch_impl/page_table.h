// The host: page tables in a format of its own (three levels, software walks), so that the generic code of
// core/memory runs under test against a machine that no real one resembles. The test supplies what a CPU
// would do with them.
#pragma once

#include <arch/page_attributes.h>
#include <arch/page_table.h>

#include <cstddef>
#include <cstdint>

namespace arch {

inline constexpr unsigned page_shift = 12;
inline constexpr std::size_t page_size = std::size_t{1} << page_shift;
inline constexpr unsigned bits_per_level = 9;
inline constexpr unsigned entries_per_table = 512;
constexpr unsigned levels() { return 3; }
inline constexpr bool hardware_sets_accessed_and_dirty = true;
inline constexpr std::uintptr_t user_address_limit = std::uintptr_t{1} << 38;
inline constexpr std::uintptr_t user_address_minimum = 0x10000;
inline constexpr std::uintptr_t kernel_address_start = ~std::uintptr_t{0} << 38;
inline bool is_leaf_level_supported(unsigned level) { return level <= 1; }

constexpr unsigned table_index(std::uintptr_t address, unsigned level) {
  return (address >> (page_shift + bits_per_level * level)) & (entries_per_table - 1);
}
constexpr unsigned kernel_root_first_index() { return entries_per_table / 2; }

class PageTableEntry {
 public:
  constexpr PageTableEntry() = default;
  static constexpr PageTableEntry from_raw(std::uint64_t raw) { return PageTableEntry(raw); }
  constexpr std::uint64_t raw() const { return raw_; }
  static constexpr PageTableEntry make_leaf(std::uintptr_t physical, PageAttributes attributes, unsigned) {
    return PageTableEntry((physical & address_mask) | valid | leaf | bits_of(attributes));
  }
  static constexpr PageTableEntry make_table(std::uintptr_t physical) {
    return PageTableEntry((physical & address_mask) | valid);
  }
  static constexpr PageTableEntry make_software(std::uint64_t payload) {
    return PageTableEntry(payload << 2 | leaf);
  }
  constexpr bool is_empty() const { return raw_ == 0; }
  constexpr bool is_present() const { return raw_ & valid; }
  constexpr bool is_software() const { return !(raw_ & valid) && (raw_ & leaf); }
  constexpr bool is_leaf(unsigned) const { return raw_ & leaf; }
  constexpr std::uintptr_t physical(unsigned) const { return raw_ & address_mask; }
  constexpr std::uint64_t software_payload() const { return raw_ >> 2; }
  constexpr bool accessed() const { return raw_ & accessed_bit; }
  constexpr bool dirty() const { return raw_ & dirty_bit; }
  constexpr bool readable() const { return raw_ & read; }
  constexpr bool writable() const { return raw_ & write; }
  constexpr bool executable() const { return raw_ & execute; }
  constexpr bool is_user() const { return raw_ & user; }
  constexpr PageAttributes attributes(unsigned) const {
    return {.read = readable(),
            .write = writable(),
            .execute = executable(),
            .user = is_user(),
            .global = (raw_ & global) != 0,
            .cache = static_cast<CacheType>(raw_ >> 60 & 3)};
  }
  constexpr PageTableEntry with_accessed(bool on) const { return with(accessed_bit, on); }
  constexpr PageTableEntry with_dirty(bool on) const { return with(dirty_bit, on); }
  constexpr PageTableEntry with_write(bool on) const { return with(write, on); }
  constexpr PageTableEntry with_attributes(PageAttributes attributes, unsigned = 0) const {
    constexpr std::uint64_t kept = address_mask | valid | leaf | accessed_bit | dirty_bit | software_bits;
    return PageTableEntry((raw_ & kept) | bits_of(attributes));
  }
  constexpr bool software_bit(unsigned n) const { return raw_ & (std::uint64_t{1} << (56 + n)); }
  constexpr PageTableEntry with_software_bit(unsigned n, bool on) const {
    return with(std::uint64_t{1} << (56 + n), on);
  }
  constexpr bool operator==(const PageTableEntry&) const = default;

 private:
  explicit constexpr PageTableEntry(std::uint64_t raw) : raw_(raw) {}
  constexpr PageTableEntry with(std::uint64_t bit, bool on) const {
    return PageTableEntry(on ? raw_ | bit : raw_ & ~bit);
  }
  static constexpr std::uint64_t bits_of(PageAttributes a) {
    return (a.read ? read : 0) | (a.write ? write : 0) | (a.execute ? execute : 0) | (a.user ? user : 0) |
           (a.global ? global : 0) | static_cast<std::uint64_t>(a.cache) << 60;
  }
  static constexpr std::uint64_t valid = 1, leaf = 2, read = 4, write = 8, execute = 16, user = 32,
                                 accessed_bit = 64, dirty_bit = 128, global = 256,
                                 software_bits = std::uint64_t{7} << 56;
  static constexpr std::uint64_t address_mask = 0x000ffffffffff000;

  std::uint64_t raw_ = 0;
};

// SAFETY (below): an entry is one 64-bit word.
inline PageTableEntry read_entry(const PageTableEntry* entry) {
  return PageTableEntry::from_raw(
      __atomic_load_n(reinterpret_cast<const std::uint64_t*>(entry), __ATOMIC_ACQUIRE));
}
inline void write_entry(PageTableEntry* entry, PageTableEntry value) {
  __atomic_store_n(reinterpret_cast<std::uint64_t*>(entry), value.raw(), __ATOMIC_RELEASE);
}
inline PageTableEntry exchange_entry(PageTableEntry* entry, PageTableEntry value) {
  return PageTableEntry::from_raw(
      __atomic_exchange_n(reinterpret_cast<std::uint64_t*>(entry), value.raw(), __ATOMIC_ACQ_REL));
}
inline bool compare_exchange_entry(PageTableEntry* entry, PageTableEntry& expected, PageTableEntry desired) {
  std::uint64_t raw = expected.raw();
  bool done = __atomic_compare_exchange_n(reinterpret_cast<std::uint64_t*>(entry), &raw, desired.raw(), false,
                                          __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
  expected = PageTableEntry::from_raw(raw);
  return done;
}

}  // namespace arch
