// What /proc/diskstats and /sys/block/*/stat show of a volume.
#pragma once

#include <atomic>
#include <cstdint>

namespace block {

struct Statistics {
  struct Kind {
    std::atomic<std::uint64_t> operations{0}, merged{0}, sectors{0}, nanoseconds{0};
  };
  Kind reads, writes, discards, flushes;
  std::atomic<std::uint32_t> in_flight{0};
  std::atomic<std::uint64_t> busy_ns{0};        // time with something in flight
  std::atomic<std::uint64_t> busy_since_ns{0};  // while in_flight is not 0
};

}  // namespace block
