// x86-64: four-level page tables.
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
// The last page below 2^47 stays unused: SYSCALL there would leave a return address that SYSRET cannot take.
inline constexpr std::uintptr_t user_address_limit = 0x00007ffffffff000;
inline constexpr std::uintptr_t user_address_minimum = 0x10000;
inline constexpr std::uintptr_t kernel_address_start = 0xffff800000000000;

// 1 GiB leaves depend on the processor.
bool gigabyte_pages_supported();
inline bool is_leaf_level_supported(unsigned level) {
  return level <= 1 || (level == 2 && gigabyte_pages_supported());
}

constexpr unsigned table_index(std::uintptr_t address, unsigned level) {
  return (address >> (page_shift + bits_per_level * level)) & (entries_per_table - 1);
}
constexpr unsigned kernel_root_first_index() { return entries_per_table / 2; }

class PageTableEntry {
 public:
  constexpr PageTableEntry() = default;
  static constexpr PageTableEntry from_raw(std::uint64_t raw) { return PageTableEntry(raw); }
  constexpr std::uint64_t raw() const { return raw_; }

  static constexpr PageTableEntry make_leaf(std::uintptr_t physical, PageAttributes attributes,
                                            unsigned level) {
    return PageTableEntry((physical & address_mask) | bits_of(attributes, level));
  }
  // Permissions are decided in the leaves; the tables above allow everything.
  static constexpr PageTableEntry make_table(std::uintptr_t physical) {
    return PageTableEntry((physical & address_mask) | present | write | user | accessed_bit);
  }
  static constexpr PageTableEntry make_software(std::uint64_t payload) {
    return PageTableEntry((payload << 2) | software_mark);
  }

  constexpr bool is_empty() const { return raw_ == 0; }
  // A page that may not be accessed at all keeps its address with `present` off and `none` set.
  constexpr bool is_present() const { return raw_ & (present | none_mark); }
  constexpr bool is_software() const { return !is_present() && (raw_ & software_mark); }
  constexpr bool is_leaf(unsigned level) const { return level == 0 || (raw_ & large); }
  constexpr std::uintptr_t physical(unsigned level) const {
    std::uint64_t mask = address_mask;
    if (level > 0 && (raw_ & large)) mask &= ~std::uint64_t{large_pat};
    return raw_ & mask;
  }
  constexpr std::uint64_t software_payload() const { return raw_ >> 2; }

  constexpr bool accessed() const { return raw_ & accessed_bit; }
  constexpr bool dirty() const { return raw_ & dirty_bit; }
  constexpr bool writable() const { return raw_ & write; }
  constexpr bool executable() const { return !(raw_ & no_execute); }
  constexpr bool is_user() const { return raw_ & user; }
  constexpr bool readable() const { return raw_ & present; }
  constexpr PageAttributes attributes(unsigned level) const {
    PageAttributes result;
    result.read = readable();
    result.write = writable();
    result.execute = executable();
    result.user = is_user();
    result.global = raw_ & global;
    bool pat_bit = raw_ & (level == 0 ? large : large_pat);
    unsigned index = (raw_ & write_through ? 1 : 0) | (raw_ & cache_disable ? 2 : 0) | (pat_bit ? 4 : 0);
    result.cache = index == 1   ? CacheType::write_combining
                   : index == 3 ? CacheType::uncached
                   : index == 7 ? CacheType::write_through
                                : CacheType::write_back;
    return result;
  }
  constexpr PageTableEntry with_accessed(bool on) const { return with(accessed_bit, on); }
  constexpr PageTableEntry with_dirty(bool on) const { return with(dirty_bit, on); }
  constexpr PageTableEntry with_write(bool on) const { return with(write, on); }
  // Leaves of level 0 and large leaves alike: address, accessed, dirty and software bits stay.
  constexpr PageTableEntry with_attributes(PageAttributes attributes, unsigned level = 0) const {
    std::uint64_t kept = address_mask | accessed_bit | dirty_bit | software_bits;
    if (level > 0) kept &= ~std::uint64_t{large_pat};
    return PageTableEntry((raw_ & kept) | (bits_of(attributes, level) & ~(accessed_bit | dirty_bit)));
  }
  constexpr bool software_bit(unsigned n) const { return raw_ & (std::uint64_t{1} << (9 + n)); }
  constexpr PageTableEntry with_software_bit(unsigned n, bool on) const {
    return with(std::uint64_t{1} << (9 + n), on);
  }
  constexpr bool operator==(const PageTableEntry&) const = default;

 private:
  explicit constexpr PageTableEntry(std::uint64_t raw) : raw_(raw) {}
  constexpr PageTableEntry with(std::uint64_t bit, bool on) const {
    return PageTableEntry(on ? raw_ | bit : raw_ & ~bit);
  }
  // The page attribute table is set up (cpu/features) as: 0 write-back, 1 write-combining, 2 uncached-, 3
  // uncached, 7 write-through.
  static constexpr std::uint64_t bits_of(PageAttributes a, unsigned level) {
    std::uint64_t pat_bit = level == 0 ? large : large_pat;
    std::uint64_t bits = a.read || a.write || a.execute ? present : none_mark;
    if (level > 0) bits |= large;
    if (a.write) bits |= write;
    if (!a.execute) bits |= no_execute;
    if (a.user) bits |= user;
    if (a.global) bits |= global;
    switch (a.cache) {
      case CacheType::write_back:
        break;
      case CacheType::write_combining:
        bits |= write_through;
        break;
      case CacheType::uncached:
        bits |= write_through | cache_disable;
        break;
      case CacheType::write_through:
        bits |= write_through | cache_disable | pat_bit;
        break;
    }
    return bits;
  }

  static constexpr std::uint64_t present = 1, write = 2, user = 4, write_through = 8, cache_disable = 16,
                                 accessed_bit = 32, dirty_bit = 64, large = 128, global = 256,
                                 software_bits = 7 << 9, large_pat = 1 << 12,
                                 no_execute = std::uint64_t{1} << 63;
  // Free when `present` is off; bit 58 and 1 are ignored by the hardware then.
  static constexpr std::uint64_t none_mark = std::uint64_t{1} << 58, software_mark = 2;
  static constexpr std::uint64_t address_mask = 0x000ffffffffff000;

  std::uint64_t raw_ = 0;
};
static_assert(sizeof(PageTableEntry) == 8);

inline PageTableEntry read_entry(const PageTableEntry* entry) {
  // SAFETY: PageTableEntry is one 64-bit word; acquire pairs with write_entry, so a table is seen filled.
  return PageTableEntry::from_raw(
      __atomic_load_n(reinterpret_cast<const std::uint64_t*>(entry), __ATOMIC_ACQUIRE));
}
inline void write_entry(PageTableEntry* entry, PageTableEntry value) {
  __atomic_store_n(reinterpret_cast<std::uint64_t*>(entry), value.raw(),
                   __ATOMIC_RELEASE);  // SAFETY: as above
}
inline PageTableEntry exchange_entry(PageTableEntry* entry, PageTableEntry value) {
  // SAFETY: as above
  return PageTableEntry::from_raw(
      __atomic_exchange_n(reinterpret_cast<std::uint64_t*>(entry), value.raw(), __ATOMIC_ACQ_REL));
}
inline bool compare_exchange_entry(PageTableEntry* entry, PageTableEntry& expected, PageTableEntry desired) {
  std::uint64_t raw = expected.raw();
  bool done = __atomic_compare_exchange_n(reinterpret_cast<std::uint64_t*>(entry), &raw, desired.raw(), false,
                                          __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);  // SAFETY: as above
  expected = PageTableEntry::from_raw(raw);
  return done;
}

}  // namespace arch
