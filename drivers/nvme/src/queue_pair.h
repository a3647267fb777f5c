// A submission queue and its completion queue, and the requests of the block layer that are under way in
// them.
//
//   TRY(pair.create(registers, number, doorbell_stride));      // memory; the controller is told elsewhere
//   pair.submit(request, disk)       // by DiskDriver::queue()
//   pair.ring()                      // by DiskDriver::kick()
//   pair.take_completions()          // by the interrupt: finishes requests
//
// Data is described by pages (PRP): between the first and the last piece there are whole pages only. A
// request whose memory is not like that becomes several commands, and is done when all are.
//
// The controller is not trusted: completions of nothing are ignored, and what the driver knows of a command
// is not in memory that the controller writes.
#pragma once

#include <array>
#include <cstdint>

#include "block/disk.h"
#include "commands.h"
#include "core/device/register_block.h"
#include "core/dma/dma_memory.h"
#include "core/sync/mutex.h"

namespace nvme {

using base::Errno;
using base::Result;

// What a command needs to know of its namespace.
struct NamespaceFormat {
  std::uint32_t identifier = 0;
  unsigned block_shift = 9;
};

class QueuePair {
 public:
  static constexpr unsigned entries = 256, requests_max = 64, segments_max = 64;
  static constexpr std::uint32_t bytes_max = 256 << 10;

  Result<void> create(core::MemoryRegisters& registers, unsigned number, unsigned doorbell_stride);
  std::uint64_t submission_address() const { return submissions_.device_address(); }
  std::uint64_t completion_address() const { return completions_.device_address(); }

  block::QueueResult submit(block::Request& request, const NamespaceFormat& format);
  void ring();
  // True: there was something.
  bool take_completions();
  // Since the last call a request found no room: the disks may offer theirs again. Disks share the queue, so
  // that one may wait for the other's completions.
  bool take_refusal();
  // The controller is stopped and touches no memory any more: everything under way fails, and what comes
  // later.
  void fail_all(Errno code);

 private:
  // What a run of memory is that one command can describe.
  struct Run {
    std::uint64_t pages[bytes_max / 4096 + 2];
    unsigned count = 0;
    std::uint64_t next_address = 0;  // right behind it
    std::uint32_t length = 0;
    bool add(std::uint64_t address, std::uint32_t length);
  };
  struct Slot {
    block::Request* request = nullptr;
    std::uint16_t next_free = 0;
  };
  struct Progress {
    unsigned commands_left = 0;
    Errno status = Errno{0};
  };
  static constexpr std::size_t list_bytes = 1024;
  static constexpr unsigned list_entries = list_bytes / 8;

  void put_run(block::Request& request, const NamespaceFormat& format, std::uint64_t& sector) REQUIRES(lock_);
  void put(block::Request& request, Command command) REQUIRES(lock_);
  unsigned commands_for(block::Request& request) REQUIRES(lock_);
  std::uint16_t next_slot() const REQUIRES(lock_) { return free_; }
  std::uint64_t* list_of(unsigned slot) REQUIRES(lock_) {
    return static_cast<std::uint64_t*>(static_cast<void*>(lists_.bytes().data() + slot * list_bytes));
  }

  core::MemoryRegisters* registers_ = nullptr;
  unsigned submission_doorbell_ = 0, completion_doorbell_ = 0;
  core::Mutex lock_{"nvme queue"};
  core::DmaMemory submissions_, completions_, lists_;
  Run run_ GUARDED_BY(lock_);
  std::array<Slot, entries> slots_ GUARDED_BY(lock_) = {};
  std::array<Progress, requests_max> progress_ GUARDED_BY(lock_) = {};
  std::uint16_t free_ GUARDED_BY(lock_) = 0;  // first free slot
  unsigned free_count_ GUARDED_BY(lock_) = 0;
  unsigned tail_ GUARDED_BY(lock_) = 0, rung_ GUARDED_BY(lock_) = 0, head_ GUARDED_BY(lock_) = 0;
  std::uint16_t phase_ GUARDED_BY(lock_) = 1;
  bool has_refused_ GUARDED_BY(lock_) = false;
  Errno dead_ GUARDED_BY(lock_) = Errno{0};
};

}  // namespace nvme
