// The memory of one process: a set of areas, the page tables that make them real, and the rules of mmap.
//
//   auto space = TRY(AddressSpace::create(layout));
//   UserAddress where = TRY(space->map({.length = 4096, .protection = Protection::read |
//   Protection::write})); auto child = TRY(space->fork());
//
// Nothing is mapped until it is touched: handle_fault() finds the area, gets the page (zeroes, a copy, or one
// of the object's) and writes the entry. Private memory is shared after fork() and copied by the first write.
//
// Locking, outermost first:
//   lock_                     RwMutex. Writing: the set of areas changes. Reading: faults, walks,
//   MADV_DONTNEED. MemoryObject::mappings_lock_  list of the areas that map an object page-table lock a spin
//   bit per table page: entries change. Held for one table (512 entries) at most.
// A fault may sleep in MemoryObject::page_for() with lock_ held for reading. User memory is never touched
// with lock_ held for writing.
//
// TLBs: entries are taken away first, then the CPUs in active_cpus_ are told in one batch, then the pages are
// freed.
//
// Context: threads that may sleep, unless a function says otherwise. Every function works on any address
// space, not only on the current one.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "base/format.h"
#include "base/function_ref.h"
#include "base/ref.h"
#include "base/result.h"
#include "core/memory/area.h"
#include "core/memory/area_set.h"
#include "core/memory/memory_object.h"
#include "core/memory/protection.h"
#include "core/sync/cpu_mask.h"
#include "core/sync/rw_mutex.h"

namespace core {

// Where things go in a new address space (exec computes it, with its random offsets).
struct AddressSpaceLayout {
  std::uintptr_t lowest = 0x10000;  // mmap_min_addr
  std::uintptr_t highest = 0;       // one past the last usable address; 0 = all the CPU offers
  std::uintptr_t map_base = 0;      // mmap() searches downwards from here; 0 = below `highest`
  bool bottom_up = false;           // legacy layout: upwards from map_base
};

// Limits in bytes, as of setrlimit; the personality stores them with set_limits() whenever they change.
struct MemoryLimits {
  std::uint64_t address_space = ~std::uint64_t{0};
  std::uint64_t data = ~std::uint64_t{0};
  std::uint64_t stack = 8 << 20;
  std::uint64_t locked = 8 << 20;
  bool may_lock_without_limit = true;  // CAP_IPC_LOCK
};

struct MapRequest {
  UserAddress address{};   // a hint, unless MapFlags::fixed
  std::size_t length = 0;  // rounded up to pages
  Protection protection = Protection::none;
  Protection maximum_protection = Protection::all;  // what mprotect may later allow
  MapFlags flags = MapFlags::none;
  base::RefPtr<MemoryObject> object{};  // null: anonymous
  std::uint64_t offset = 0;             // bytes into the object, page aligned
  MappedFile* file = nullptr;           // referenced by the area
  const char* name = nullptr;           // static text for maps, e.g. "[vdso]"
  std::size_t alignment = 0;            // wanted for the address found; 0 = a page
};

enum class Advice : std::uint8_t {
  normal,
  random,
  sequential,
  will_need,
  dont_need,
  free,
  remove,
  dont_fork,
  do_fork,
  mergeable,
  unmergeable,
  huge_page,
  no_huge_page,
  dont_dump,
  do_dump,
  wipe_on_fork,
  keep_on_fork,
  cold,
  page_out,
  populate_read,
  populate_write,
  dont_need_locked,
  collapse,
};

struct RemapFlags {
  bool may_move = false, fixed = false, dont_unmap = false;
};

// Counters in pages; consistent with each other only loosely.
struct AddressSpaceUsage {
  std::uint64_t total, total_peak, resident_peak, anonymous, file, shared_memory, locked, data, stack,
      executable, page_tables, pinned, swapped;
  std::uint64_t resident() const { return anonymous + file + shared_memory; }
};

// What a program consists of, for /proc/PID/stat, cmdline and environ. Written by exec and prctl(PR_SET_MM).
struct ProgramLayout {
  std::uintptr_t code_start = 0, code_end = 0, data_start = 0, data_end = 0, break_start = 0, stack_start = 0,
                 arguments_start = 0, arguments_end = 0, environment_start = 0, environment_end = 0;
  std::uint64_t auxiliary[64] = {};
  std::uint32_t auxiliary_words = 0;
};

// What one page is, for pagemap, smaps and mincore.
struct PageState {
  bool present = false, swapped = false, anonymous = false, dirty = false, accessed = false, writable = false,
       zero_page = false;
  PhysicalAddress address;
  std::uint32_t map_count = 0;
  std::uint64_t swap_value = 0;  // of a SwapEntry (core/memory/swap.h), if swapped
};
struct AreaUsage {  // bytes, as smaps prints them
  std::uint64_t resident = 0, proportional = 0, shared_clean = 0, shared_dirty = 0, private_clean = 0,
                private_dirty = 0, referenced = 0, anonymous = 0, locked = 0, swap = 0, swap_proportional = 0;
};

class Evictor;
enum class Iteration : std::uint8_t { proceed, stop };

class AddressSpace : public base::RefCounted<AddressSpace> {
 public:
  static Result<base::RefPtr<AddressSpace>> create(const AddressSpaceLayout& layout = {});
  // A copy with the same areas; private pages are shared until written.
  Result<base::RefPtr<AddressSpace>> fork();
  ~AddressSpace();

  // Errors are those of the man pages mmap(2), munmap(2), mprotect(2), mremap(2), madvise(2), mlock(2),
  // brk(2).
  Result<UserAddress> map(const MapRequest& request);
  Result<void> unmap(UserAddress address, std::size_t length);
  enum class ProtectEdge : std::uint8_t { exact, grows_down };
  Result<void> protect(UserAddress address, std::size_t length, Protection protection,
                       ProtectEdge edge = ProtectEdge::exact);
  Result<UserAddress> remap(UserAddress address, std::size_t old_length, std::size_t new_length,
                            RemapFlags flags, UserAddress new_address);
  Result<void> advise(UserAddress address, std::size_t length, Advice advice);
  // The current break afterwards, as the system call returns it (unchanged on failure).
  UserAddress set_break(UserAddress wanted);
  void initialize_break(UserAddress start);
  UserAddress current_break() const { return UserAddress(break_); }
  enum class LockMode : std::uint8_t { populate, on_fault };
  Result<void> lock_range(UserAddress address, std::size_t length, LockMode mode);
  Result<void> unlock_range(UserAddress address, std::size_t length);
  struct LockAll {
    bool current = false, future = false;
    LockMode mode = LockMode::populate;
  };
  Result<void> lock_all(LockAll what);  // all false = munlockall
  enum class SyncMode : std::uint8_t { asynchronous, synchronous };
  Result<void> synchronise(UserAddress address, std::size_t length, SyncMode mode, bool invalidate);
  // mseal(): the areas stay as they are and where they are. ENOMEM: gaps.
  Result<void> seal(UserAddress address, std::size_t length);
  // mbind(): Area::policy() of the range. EFAULT: gaps.
  Result<void> set_policy(UserAddress address, std::size_t length, std::uint32_t policy);
  // mincore(): one byte per page.
  Result<void> residency(UserAddress address, std::span<unsigned char> pages);
  // exec: a new stack area moves to its random place, etc. is done with map() before the first instruction.
  // Drops every area (exit, so that the memory is back before the process is reaped).
  void unmap_all();

  // Resolves a page fault. `from_user` false: a user copy in the kernel.
  enum class FaultOrigin : std::uint8_t { user, kernel };
  FaultOutcome handle_fault(UserAddress address, FaultAccess access, FaultOrigin origin);

  // --- Monitored ranges (fault_monitor.h, userfaultfd(2)); addresses and lengths in whole pages.
  struct MonitoredKinds {
    bool missing = false, write = false, minor = false;
  };
  // EINVAL: a gap, or memory that cannot be monitored that way; EBUSY: another monitor has a part of it.
  Result<void> monitor(UserAddress address, std::size_t length, base::RefPtr<FaultMonitor> monitor,
                       MonitoredKinds kinds);
  Result<void> end_monitoring(UserAddress address, std::size_t length);
  void end_monitoring_by(FaultMonitor& monitor);
  MonitoredFault fault_is_monitored(UserAddress address, FaultAccess access);
  enum class WriteProtected : std::uint8_t { no, yes };
  // One page for an address of the monitor's that has none. EEXIST: it has; ENOENT: not the monitor's range.
  Result<void> place_copy(UserAddress address, FaultMonitor& monitor, PageRef page,
                          WriteProtected protection);
  Result<void> place_zero(UserAddress address, FaultMonitor& monitor);
  // The object's own page (minor faults). EFAULT: it has none.
  Result<void> place_object_page(UserAddress address, FaultMonitor& monitor, WriteProtected protection);
  Result<void> write_protect(UserAddress address, std::size_t length, FaultMonitor& monitor,
                             WriteProtected protection);

  // The page behind an address with a reference, faulted in for `access` (futex, process_vm_readv, direct
  // I/O).
  Result<PageRef> pin_page(UserAddress address, FaultAccess access);
  // Another process' memory (ptrace, /proc/PID/mem): bytes done, short at the first unmapped page. `force`
  // ignores the protection (a private copy is made to write into read-only memory).
  enum class RemoteAccess : std::uint8_t { obey_protection, force };
  std::size_t read_remote(UserAddress address, std::span<std::byte> to, RemoteAccess mode);
  std::size_t write_remote(UserAddress address, std::span<const std::byte> from, RemoteAccess mode);
  // The identity of a word for shared futexes: the object and byte offset for shared mappings, else no
  // object.
  struct Location {
    base::RefPtr<MemoryObject> object;
    std::uint64_t offset = 0;
  };
  Result<Location> locate(UserAddress address);

  // Walks the areas in order from the first one that ends above `from`. lock_ is held for reading: `visit`
  // must neither touch user memory nor call other functions of this class.
  void for_each_area(UserAddress from, base::FunctionRef<Iteration(const Area&)> visit);
  // Inside for_each_area():
  AreaUsage area_usage(const Area& area);
  void page_states(UserAddress first, std::span<PageState> states);
  void clear_references(bool soft_dirty_only);

  AddressSpaceUsage usage() const;
  void set_limits(const MemoryLimits& limits);
  void reset_resident_peak();
  ProgramLayout& program() { return program_; }
  std::size_t area_count() const { return area_count_; }
  const AddressSpaceLayout& layout() const { return layout_; }

  // What arch needs to make it current; see switch_address_space().
  PhysicalAddress root() const { return root_; }
  std::uint64_t context_id() const { return context_id_; }
  std::uint64_t tlb_generation() const { return tlb_generation_.load(std::memory_order_acquire); }

  // Brings every page that lies on a swap device home, in all address spaces; each is looked at once for a
  // `pass`. ENOMEM, EINTR, EIO.
  static Result<void> bring_in_all(unsigned device, std::uint32_t pass);

  // OOM: a killed process' memory is of no further use; faults fail with `interrupted` from now on.
  void mark_dying() { dying_.store(true, std::memory_order_relaxed); }
  // The private pages of a process that is dying and slow at it go now; nothing faults in again.
  void reap();
  // User data of the layer above (its Process), for the victim callback.
  void* owner = nullptr;

 private:
  friend struct Mapper;          // page tables: core/memory/kernel/src/mapper*.cpp
  friend struct ObjectMappings;  // reverse mapping
  friend struct AddressSpaces;   // evict.cpp
  friend class Evictor;
  friend struct SwapFault;
  friend class TlbBatch;
  friend class MemoryObject;
  friend std::uint64_t evict_unused(std::uint64_t wanted, struct EvictKinds kinds, std::uint64_t& unmapped);
  friend void switch_address_space(AddressSpace* next);

  explicit AddressSpace(const AddressSpaceLayout& layout) : layout_(layout) {}

  // --- areas.cpp: the set of areas
  Area* join_around_locked(Area& area) REQUIRES(lock_);
  Result<void> split_locked(Area& area, std::uintptr_t at) REQUIRES(lock_);
  // Makes area edges at `start` and `end`, so that [start, end) consists of whole areas.
  Result<void> cut_locked(std::uintptr_t start, std::uintptr_t end) REQUIRES(lock_);
  void insert_locked(Area& area) REQUIRES(lock_);
  void account_locked(const Area& area, std::uint64_t pages, int sign) REQUIRES(lock_);
  void set_flags_locked(Area& area, std::uint32_t set, std::uint32_t clear) REQUIRES(lock_);
  Result<void> unmap_locked(std::uintptr_t start, std::uintptr_t end) REQUIRES(lock_);
  void remove_areas_locked(std::uintptr_t start, std::uintptr_t end) REQUIRES(lock_);
  std::uint64_t mapped_pages_locked(std::uintptr_t start, std::uintptr_t end) const REQUIRES_SHARED(lock_);

  // --- map.cpp
  Result<std::uintptr_t> find_place_locked(const MapRequest& request, std::size_t size) REQUIRES(lock_);
  Result<void> check_limits_locked(const MapRequest& request, std::uint64_t pages, std::uint64_t replaced)
      REQUIRES(lock_);
  Result<UserAddress> map_locked(const MapRequest& request, std::size_t size) REQUIRES(lock_);
  bool try_extend_locked(const MapRequest& request, std::uint32_t flags, std::uintptr_t start,
                         std::uintptr_t end) REQUIRES(lock_);
  Result<void> check_lock_limit_locked(std::uint64_t more_pages) const REQUIRES(lock_);
  // Faults in what is not there; stops quietly at the first failure, as MAP_POPULATE does, or reports it.
  Result<void> populate(std::uintptr_t start, std::uintptr_t end);

  // --- remap.cpp
  struct RemapWork;
  Result<UserAddress> remap_locked(RemapWork& work) REQUIRES(lock_);
  Result<UserAddress> move_locked(RemapWork& work, Area& area) REQUIRES(lock_);

  // --- advise.cpp
  Result<void> advise_zap(std::uintptr_t start, std::uintptr_t end, Advice advice);
  Result<void> advise_flags(std::uintptr_t start, std::uintptr_t end, Advice advice);
  Result<void> advise_object(std::uintptr_t start, std::uintptr_t end, Advice advice);
  Result<void> advise_populate(std::uintptr_t start, std::uintptr_t end, FaultAccess access);

  // --- evict.cpp: what was not used for a while leaves
  void join_spaces();
  void leave_spaces();
  void evict_areas(Evictor& evictor);
  bool try_evict(Evictor& evictor);
  bool eviction_is_at_start() const { return evict_hand_ == 0; }
  void age_locked(Area& area, std::uintptr_t start, std::uintptr_t end) REQUIRES_SHARED(lock_);
  Result<void> page_out(std::uintptr_t start, std::uintptr_t end);
  Result<void> bring_in_swapped(unsigned device);
  void read_swapped(std::uintptr_t start, std::uintptr_t end);

  bool grow_stack(std::uintptr_t address);
  void note_resident_peak() const;
  Result<void> copy_areas_to_locked(AddressSpace& child) REQUIRES(lock_, child.lock_);
  FaultOutcome fault_area(Area& area, std::uintptr_t address, FaultAccess access, bool force)
      REQUIRES_SHARED(lock_);
  bool has_sealed_locked(std::uintptr_t start, std::uintptr_t end) const REQUIRES_SHARED(lock_);
  void set_monitor_locked(Area& area, base::RefPtr<FaultMonitor> monitor, std::uint32_t kinds)
      REQUIRES(lock_);
  // A fault for the area's monitor, so that it can be asked when lock_ is free again.
  struct AskedMonitor {
    base::RefPtr<FaultMonitor> monitor;
    MonitoredFault kind = MonitoredFault::none;
  };
  AskedMonitor asked_monitor_locked(Area& area, std::uintptr_t address, FaultAccess access)
      REQUIRES_SHARED(lock_);
  bool read_special(std::uintptr_t address, std::span<std::byte> to);
  Result<PageRef> pin(std::uintptr_t address, FaultAccess access, bool force);

  const AddressSpaceLayout layout_;
  PhysicalAddress root_;
  std::uint64_t context_id_ = 0;  // never reused: what CPUs remember about their TLB
  std::atomic<std::uint64_t> tlb_generation_{1};
  std::atomic<std::uint64_t> active_cpus_[CpuMask::capacity / 64] = {};  // CPUs whose TLB may hold entries

  mutable RwMutex lock_;
  AreaSet<Area> areas_ GUARDED_BY(lock_);
  std::size_t area_count_ = 0;
  // Pages; written with lock_ held for writing.
  std::uint64_t total_pages_ = 0, total_peak_ = 0, locked_pages_ = 0, data_pages_ = 0, stack_pages_ = 0,
                executable_pages_ = 0;
  std::uint64_t committed_pages_ = 0;  // charged in Committed_AS for this space
  bool any_sealed_ = false;            // some area is, or was
  bool lock_future_ = false;
  LockMode lock_future_mode_ = LockMode::populate;
  std::uintptr_t break_start_ = 0;
  std::uintptr_t break_ = 0;  // written with lock_ held

  // Pages, by kind; changed by faults on any CPU.
  std::atomic<long> resident_[3] = {};  // anonymous, file, shared memory
  mutable std::atomic<long> resident_peak_{0};
  std::atomic<long> table_pages_{0};
  std::atomic<long> swapped_{0};  // entries that name a slot of a swap device
  // The list of all spaces, where the clock of reclaim stands in this one, and the last swapoff that saw it.
  base::ListHook spaces_hook_;
  std::uintptr_t evict_hand_ = 0;
  std::uint32_t swapoff_pass_ = 0;
  std::atomic<bool> dying_{false};

  std::atomic<std::uint64_t> limit_address_space_{~std::uint64_t{0}}, limit_data_{~std::uint64_t{0}},
      limit_stack_{8 << 20}, limit_locked_{8 << 20};
  std::atomic<bool> may_lock_without_limit_{true};
  ProgramLayout program_;
};

// Loads `next` on this CPU, or, for null (a kernel thread), keeps what is loaded until something else needs
// the CPU's page tables. Called by the scheduler with interrupts off at every switch between threads of
// different spaces.
void switch_address_space(AddressSpace* next);
// The space of the running thread; null in kernel threads.
AddressSpace* current_address_space();

}  // namespace core
