// Structures of the system-call interface that belong to no larger subject. Layouts are Linux's, common to
// the 64-bit architectures; what differs between them comes from <arch/linux_*.h>.
#pragma once

#include <cstdint>

#include "linux_abi/abi/time.h"

namespace linux_abi {

struct Iovec {
  std::uint64_t base = 0;
  std::uint64_t length = 0;
};
inline constexpr unsigned iov_max = 1024;
// The most one read or write moves.
inline constexpr std::uint64_t max_transfer = 0x7ffff000;

struct Utsname {
  char system_name[65], node_name[65], release[65], version[65], machine[65], domain_name[65];
};

struct Rlimit {
  std::uint64_t current = 0;
  std::uint64_t maximum = 0;
};
inline constexpr std::uint64_t rlim_infinity = ~std::uint64_t{0};
enum class Resource : std::uint32_t {
  cpu = 0,
  fsize = 1,
  data = 2,
  stack = 3,
  core = 4,
  rss = 5,
  nproc = 6,
  nofile = 7,
  memlock = 8,
  as = 9,
  locks = 10,
  sigpending = 11,
  msgqueue = 12,
  nice = 13,
  rtprio = 14,
  rttime = 15,
};
inline constexpr unsigned resource_count = 16;

struct Rusage {
  Timeval user_time, system_time;
  std::int64_t max_rss_kib = 0, shared_rss = 0, unshared_data = 0, unshared_stack = 0, minor_faults = 0,
               major_faults = 0, swaps = 0, blocks_in = 0, blocks_out = 0, messages_sent = 0,
               messages_received = 0, signals = 0, voluntary_switches = 0, involuntary_switches = 0;
};
enum class RusageWho : std::int32_t { self = 0, children = -1, thread = 1 };

struct Sysinfo {
  std::int64_t uptime_seconds = 0;
  std::uint64_t loads[3] = {};  // fixed point, 16 bits of fraction
  std::uint64_t total_ram = 0, free_ram = 0, shared_ram = 0, buffer_ram = 0, total_swap = 0, free_swap = 0;
  std::uint16_t processes = 0, pad = 0;
  std::uint32_t pad2 = 0;
  std::uint64_t total_high = 0, free_high = 0;
  std::uint32_t memory_unit = 1, pad3 = 0;
};

struct Ucred {
  std::int32_t pid = 0;
  std::uint32_t uid = 0, gid = 0;
};

// capget, capset: two of these in version 3.
struct CapabilityHeader {
  std::uint32_t version = 0;
  std::int32_t pid = 0;
};
struct CapabilityData {
  std::uint32_t effective = 0, permitted = 0, inheritable = 0;
};
inline constexpr std::uint32_t capability_version_1 = 0x19980330, capability_version_2 = 0x20071026,
                               capability_version_3 = 0x20080522;

struct RobustListHead {
  std::uint64_t first = 0;
  std::int64_t futex_offset = 0;
  std::uint64_t pending = 0;
};

struct CloneArguments {
  std::uint64_t flags = 0, pidfd = 0, child_tid = 0, parent_tid = 0, exit_signal = 0, stack = 0,
                stack_size = 0, tls = 0, set_tid = 0, set_tid_size = 0, cgroup = 0;
};

struct SchedulingParameter {
  std::int32_t priority = 0;
};
struct SchedulingAttributes {
  std::uint32_t size = 0, policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0, deadline = 0, period = 0;
  std::uint32_t util_min = 0, util_max = 0;
};

struct FutexWaitv {
  std::uint64_t value = 0, address = 0;
  std::uint32_t flags = 0, reserved = 0;
};

struct FileHandleHeader {
  std::uint32_t bytes = 0;
  std::int32_t type = 0;
};

struct OpenHow {
  std::uint64_t flags = 0, mode = 0, resolve = 0;
};

struct Flock {
  std::int16_t type = 0, whence = 0;
  std::int32_t pad = 0;
  std::int64_t start = 0, length = 0;
  std::int32_t pid = 0, pad2 = 0;
};
struct FileOwner {
  std::int32_t type = 0, pid = 0;
};

struct Pollfd {
  std::int32_t fd = -1;
  std::int16_t events = 0, returned = 0;
};

struct Utimbuf {
  std::int64_t access_seconds = 0, modification_seconds = 0;
};

}  // namespace linux_abi
