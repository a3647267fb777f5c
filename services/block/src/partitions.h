// Partition tables: GPT (with its backup), MBR with extended partitions. What a table says is outside data:
// entries that overlap the table, leave the disk, or are empty are left out, and chains end after
// max_partitions.
#pragma once

#include "base/string.h"
#include "base/vector.h"
#include "block/disk.h"

namespace block {

struct PartitionEntry {
  unsigned number = 0;  // from 1
  std::uint64_t first_sector = 0, sectors = 0;
  base::String uuid, label;
};

inline constexpr unsigned max_partitions = 128;

// The entries of whatever table there is; none at all for a disk without one. EIO: the disk could not be
// read.
Result<void> scan_partitions(Volume& disk, base::Vector<PartitionEntry>& entries);

}  // namespace block
