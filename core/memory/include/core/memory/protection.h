// What may be done with memory of a program, and how a mapping behaves. The bits are our own; the personality
// translates.
#pragma once

#include <cstdint>

namespace core {

// `guarded`: indirect branches into it may only go to instructions that are marked as targets, where the
// processor can check that. It allows nothing by itself and may always be added and dropped.
enum class Protection : std::uint8_t { none = 0, read = 1, write = 2, execute = 4, all = 7, guarded = 8 };
constexpr Protection operator|(Protection a, Protection b) {
  return static_cast<Protection>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr Protection operator&(Protection a, Protection b) {
  return static_cast<Protection>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}
constexpr bool includes(Protection set, Protection wanted) { return (set & wanted) == wanted; }

enum class MapFlags : std::uint32_t {
  none = 0,
  shared = 1u << 0,        // else private: writes stay with this address space
  fixed = 1u << 1,         // exactly at the address, whatever is there goes
  no_replace = 1u << 2,    // with fixed: EEXIST rather than replace
  grows_down = 1u << 3,    // extends downwards on a fault just below it
  populate = 1u << 4,      // fault everything in now
  non_blocking = 1u << 5,  // with populate: do not read from disk
  locked = 1u << 6,        // never paged out; counts against the lock limit
  no_reserve = 1u << 7,    // not counted against the commit limit (mode 0 and 1)
  stack = 1u << 8,
  below_4g = 1u << 9,  // MAP_32BIT
  special = 1u << 10,  // the kernel's own mapping in a program (vDSO): no mremap growth, no mlock, not dumped
  no_access_accounting = 1u << 11,
};
constexpr MapFlags operator|(MapFlags a, MapFlags b) {
  return static_cast<MapFlags>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr MapFlags& operator|=(MapFlags& a, MapFlags b) { return a = a | b; }
constexpr bool has(MapFlags set, MapFlags flag) {
  return static_cast<std::uint32_t>(set) & static_cast<std::uint32_t>(flag);
}

// What an access wanted to do.
enum class FaultAccess : std::uint8_t { read, write, execute };

// How handle_fault() ended.
enum class FaultOutcome : std::uint8_t {
  resolved,       // try again, it will work (or fault anew)
  no_mapping,     // SIGSEGV, SEGV_MAPERR
  no_access,      // SIGSEGV, SEGV_ACCERR
  bus_error,      // SIGBUS, BUS_ADRERR: past the end of the file, I/O error
  out_of_memory,  // nothing left after reclaim and the victim callback
  interrupted,    // a fatal signal is pending
  monitored,      // within the memory core only: the area's monitor is to be asked
};

}  // namespace core
