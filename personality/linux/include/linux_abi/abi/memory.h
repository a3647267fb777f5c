// Memory-management flags of the system-call interface.
#pragma once

namespace linux_abi {

inline constexpr unsigned prot_none = 0, prot_read = 1, prot_write = 2, prot_exec = 4, prot_sem = 8,
                          prot_growsdown = 0x01000000, prot_growsup = 0x02000000;
inline constexpr unsigned map_shared = 1, map_private = 2, map_shared_validate = 3, map_type = 0xf,
                          map_fixed = 0x10, map_anonymous = 0x20, map_32bit = 0x40, map_growsdown = 0x100,
                          map_denywrite = 0x800, map_executable = 0x1000, map_locked = 0x2000,
                          map_noreserve = 0x4000, map_populate = 0x8000, map_nonblock = 0x10000,
                          map_stack = 0x20000, map_hugetlb = 0x40000, map_sync = 0x80000,
                          map_fixed_noreplace = 0x100000, map_uninitialized = 0x4000000, map_droppable = 8;
inline constexpr unsigned mremap_maymove = 1, mremap_fixed = 2, mremap_dontunmap = 4;
inline constexpr unsigned ms_async = 1, ms_invalidate = 2, ms_sync = 4;
inline constexpr unsigned mcl_current = 1, mcl_future = 2, mcl_onfault = 4;
inline constexpr unsigned mlock_onfault = 1;

}  // namespace linux_abi
