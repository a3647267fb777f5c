// The clusters of a file in their order, as far as they were looked at: runs of neighbours.
//
// Not locked: the inode's chain_mutex_.
#pragma once

#include "base/vector.h"
#include "file_system.h"

namespace vfat {

class Chain {
 public:
  explicit Chain(VfatFileSystem& file_system) : file_system_(file_system) {}
  void start_at(std::uint32_t cluster) { start_ = cluster; }
  std::uint32_t start() const { return start_; }

  // The cluster with this number in the file, and how many follow it side by side. count 0: behind the end.
  struct Mapping {
    std::uint32_t cluster = 0, count = 0;
  };
  Result<Mapping> map(std::uint32_t index);
  Result<std::uint32_t> length();  // EIO for a chain that bites its tail
  Result<void> append();           // ENOSPC
  Result<void> truncate(std::uint32_t length);

 private:
  struct Run {
    std::uint32_t index, cluster, count;
  };
  Result<void> note(std::uint32_t cluster);
  Result<void> load_to(std::uint32_t index);

  VfatFileSystem& file_system_;
  std::uint32_t start_ = 0;  // 0: no clusters
  base::Vector<Run> runs_;
  std::uint32_t known_ = 0;  // clusters in runs_
  bool is_complete_ = false;
};

}  // namespace vfat
