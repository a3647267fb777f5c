// A disk in memory: /dev/ram0 …, and the disk of tests. Pages are made when they are first written; discard
// gives them back.
//
//   auto ram = TRY(RamDisk::create("ram0", {1, 0}, 16 << 20));      // announced
//
// It has a volatile cache only in name: flush does nothing and is counted.
#pragma once

#include "block/disk.h"
#include "page_cache/folio_tree.h"

namespace block {

class RamDisk final : public DiskDriver {
 public:
  // The disk lives until it is removed and nobody uses it; the driver ends with it.
  static Result<RefPtr<Disk>> create(std::string_view name, vfs::DeviceNumber first, unsigned minors,
                                     std::uint64_t bytes);
  QueueResult queue(Request& request) override;
  void released() override { delete this; }

 private:
  RamDisk() = default;
  ~RamDisk();
  Errno perform(Request& request);
  Result<void> copy(Request& request);
  void drop(std::uint64_t sector, std::uint64_t length, bool zero_parts);

  core::Mutex mutex_{"RAM disk"};
  page_cache::FolioTree pages_;  // under mutex_; holds the references
  std::uint64_t page_count_ = 0;
};

}  // namespace block
