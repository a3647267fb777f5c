// RISC-V: three, four or five levels of page tables (Sv39, Sv48, Sv57), chosen at boot.
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

// Set once, before the kernel's page tables are built.
struct Paging {
  unsigned levels = 3;
  bool memory_types = false;  // Svpbmt: entries may say what kind of memory they map
};
extern Paging paging;
inline unsigned levels() { return paging.levels; }

// A, D: hardware may set them (Svadu) or trap; core's fault handling does it then.
inline constexpr bool hardware_sets_accessed_and_dirty = false;

// First address above the user's half. Set with `paging`; read-only for everybody else.
extern std::uintptr_t user_address_limit;
inline constexpr std::uintptr_t user_address_minimum = 0x10000;
inline constexpr std::uintptr_t kernel_address_start = 0xff00000000000000;

inline bool is_leaf_level_supported(unsigned level) { return level < levels(); }

constexpr unsigned table_index(std::uintptr_t address, unsigned level) {
  return (address >> (page_shift + bits_per_level * level)) & (entries_per_table - 1);
}
constexpr unsigned kernel_root_first_index() { return entries_per_table / 2; }

class PageTableEntry {
 public:
  constexpr PageTableEntry() = default;
  static constexpr PageTableEntry from_raw(std::uint64_t raw) { return PageTableEntry(raw); }
  constexpr std::uint64_t raw() const { return raw_; }

  static PageTableEntry make_leaf(std::uintptr_t physical, PageAttributes attributes, unsigned) {
    return PageTableEntry(frame_bits(physical) | bits_of(attributes));
  }
  // An entry without any of the rights points to a table.
  static constexpr PageTableEntry make_table(std::uintptr_t physical) {
    return PageTableEntry(frame_bits(physical) | valid);
  }
  static constexpr PageTableEntry make_software(std::uint64_t payload) {
    return PageTableEntry((payload << 2) | software_mark);
  }

  constexpr bool is_empty() const { return raw_ == 0; }
  // A page that may not be accessed at all keeps its address with `valid` off and `none_mark` set.
  constexpr bool is_present() const {
    return (raw_ & valid) || (raw_ & (none_mark | software_mark)) == none_mark;
  }
  constexpr bool is_software() const { return !(raw_ & valid) && (raw_ & software_mark); }
  constexpr bool is_leaf(unsigned level) const { return level == 0 || (raw_ & (read | write | execute)); }
  constexpr std::uintptr_t physical(unsigned) const { return (raw_ & frame_mask) << 2; }
  constexpr std::uint64_t software_payload() const { return raw_ >> 2; }

  constexpr bool accessed() const { return raw_ & accessed_bit; }
  constexpr bool dirty() const { return raw_ & dirty_bit; }
  constexpr bool writable() const { return (raw_ & valid) && (raw_ & write); }
  constexpr bool executable() const { return (raw_ & valid) && (raw_ & execute); }
  constexpr bool is_user() const { return raw_ & user; }
  constexpr bool readable() const { return (raw_ & valid) && (raw_ & read); }
  // Without Svpbmt the kind of memory is a property of the physical address alone: always write_back here.
  constexpr PageAttributes attributes(unsigned) const {
    PageAttributes result;
    result.read = readable();
    result.write = writable();
    result.execute = executable();
    result.user = is_user();
    result.global = raw_ & global;
    std::uint64_t type = raw_ & type_mask;
    result.cache = type == type_non_cacheable ? CacheType::write_combining
                   : type == type_device      ? CacheType::uncached
                                              : CacheType::write_back;
    return result;
  }
  constexpr PageTableEntry with_accessed(bool on) const { return with(accessed_bit, on); }
  constexpr PageTableEntry with_dirty(bool on) const { return with(dirty_bit, on); }
  // A page that can be written can be read.
  constexpr PageTableEntry with_write(bool on) const {
    return PageTableEntry(on ? raw_ | write | read : raw_ & ~write);
  }
  // Leaves of any level: address, accessed, dirty and software bits stay.
  PageTableEntry with_attributes(PageAttributes attributes, unsigned = 0) const {
    std::uint64_t kept = frame_mask | accessed_bit | dirty_bit | software_bits;
    return PageTableEntry((raw_ & kept) | bits_of(attributes));
  }
  constexpr bool software_bit(unsigned n) const { return raw_ & software_bit_mask(n); }
  constexpr PageTableEntry with_software_bit(unsigned n, bool on) const {
    return with(software_bit_mask(n), on);
  }
  constexpr bool operator==(const PageTableEntry&) const = default;

 private:
  explicit constexpr PageTableEntry(std::uint64_t raw) : raw_(raw) {}
  constexpr PageTableEntry with(std::uint64_t bit, bool on) const {
    return PageTableEntry(on ? raw_ | bit : raw_ & ~bit);
  }
  static constexpr std::uint64_t frame_bits(std::uintptr_t physical) { return physical >> 2 & frame_mask; }
  static std::uint64_t bits_of(PageAttributes a) {
    std::uint64_t bits = a.user ? user : 0;
    if (a.global) bits |= global;
    if (a.read || a.write || a.execute)
      bits |= valid;
    else
      bits |= none_mark;
    if (a.read || a.write) bits |= read;  // a page that can be written can be read
    if (a.write) bits |= write;
    if (a.execute) bits |= execute;
    if (paging.memory_types) {
      if (a.cache == CacheType::uncached) bits |= type_device;
      if (a.cache == CacheType::write_combining) bits |= type_non_cacheable;
    }
    return bits;
  }
  // The hardware leaves bits 8 and 9 to software.
  static constexpr std::uint64_t software_bit_mask(unsigned n) { return std::uint64_t{0x100} << n; }

  static constexpr std::uint64_t valid = 1, read = 2, write = 4, execute = 8, user = 16, global = 32,
                                 accessed_bit = 64, dirty_bit = 128, software_bits = 0x300;
  static constexpr std::uint64_t type_mask = std::uint64_t{3} << 61,
                                 type_non_cacheable = std::uint64_t{1} << 61,
                                 type_device = std::uint64_t{2} << 61;
  // Meanings while `valid` is off, where the hardware looks at nothing else. A leaf that allows nothing has
  // no `read` and the bit of `write` as its mark; in software's own entries the bit of `read` is set.
  static constexpr std::uint64_t software_mark = 2, none_mark = 4;
  static constexpr std::uint64_t frame_mask = 0x003ffffffffffc00;

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
