// The virtio block device (virtio 1.2, section 5.2): disks of the host, /dev/vda and so on.
//
// Each request of the block layer becomes one chain: a header that the device reads, the pages, a status byte
// that it writes. Header and status have their place by the request's tag in memory of the queue, so nothing
// is allocated to do I/O. As many queues as there are CPUs, if the device has them.
#include <arch/cpu.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "base/vector.h"
#include "block/disk.h"
#include "core/dma/dma_memory.h"
#include "core/init/init_step.h"
#include "core/sched/work_queue.h"
#include "core/sync/mutex.h"
#include "virtio/device.h"

namespace virtio_blk {
namespace {

using base::Errno;
using base::RefPtr;
using base::Result;

// Feature bits and places in the configuration.
constexpr std::uint64_t has_segments_max = virtio::feature(2), is_read_only = virtio::feature(5),
                        has_block_size = virtio::feature(6), can_flush = virtio::feature(9),
                        has_topology = virtio::feature(10), has_queues = virtio::feature(12),
                        can_discard = virtio::feature(13), can_write_zeroes = virtio::feature(14);
enum Place : unsigned {
  capacity_at = 0,
  segments_max_at = 12,
  block_size_at = 20,
  physical_exponent_at = 24,
  queues_at = 34,
  discard_sectors_at = 36,
  write_zeroes_sectors_at = 48
};

constexpr std::uint32_t type_read = 0, type_write = 1, type_flush = 4, type_discard = 11,
                        type_write_zeroes = 13;
constexpr std::uint8_t status_ok = 0, status_unsupported = 2, status_none = 0xff;

// What the device reads and writes besides the data.
struct Control {
  std::uint32_t type, reserved;
  std::uint64_t sector;
  // discard, write_zeroes
  std::uint64_t range_sector;
  std::uint32_t range_sectors, range_flags;
  std::uint8_t status;
  std::uint8_t padding[31];
};
static_assert(sizeof(Control) == 64);
constexpr std::uint32_t header_size = 16, range_size = 16, range_offset = 16, status_offset = 32;

constexpr unsigned queues_max = 8, queue_depth = 64, segments_limit = 126;
constexpr std::uint32_t major_number = 254, minors = 16;

class BlockDevice final : public virtio::QueueHandler, public block::DiskDriver {
 public:
  explicit BlockDevice(virtio::Device& device)
      : device_(device),
        end_([](core::Work& work) { base::container_of(&work, &BlockDevice::end_)->end(); }) {}
  Result<void> start(unsigned index);
  block::Disk& disk() { return *disk_; }

  block::QueueResult queue(block::Request& request) override;
  void kick(unsigned queue_index) override;

 private:
  struct Path {
    core::Mutex lock{"virtio-blk queue"};
    virtio::Queue queue GUARDED_BY(lock);
    core::DmaMemory controls GUARDED_BY(lock);
    // Of the request that is being put into the ring: header, pages, status.
    std::array<virtio::Segment, segments_limit + 3> segments GUARDED_BY(lock);
  };
  void queue_interrupt(unsigned queue_index) override;
  void config_changed() override;
  block::DiskLimits read_limits();
  void end();
  static Control& control_of(Path& path, unsigned tag) REQUIRES(path.lock) {
    return *static_cast<Control*>(static_cast<void*>(path.controls.bytes().data() + tag * sizeof(Control)));
  }
  static Errno outcome(std::uint8_t status) {
    return status == status_ok ? Errno{0} : status == status_unsupported ? Errno::eopnotsupp : Errno::eio;
  }

  virtio::Device& device_;
  Path paths_[queues_max];
  unsigned path_count_ = 1, smallest_ring_ = 256;
  RefPtr<block::Disk> disk_;
  // The device broke the rules: it is reset, and everything fails from then on.
  std::atomic<bool> is_dead_{false};
  core::Work end_;
  virtio::Connection connection_;
};

block::DiskLimits BlockDevice::read_limits() {
  block::DiskLimits limits;
  limits.hardware_queues = path_count_;
  limits.queue_depth = queue_depth;
  limits.segments_max = segments_limit;
  if (device_.has(has_segments_max))
    limits.segments_max = std::clamp(device_.config32(segments_max_at), 1u, segments_limit);
  if (!device_.has(virtio::feature_indirect))
    limits.segments_max = std::min(limits.segments_max, smallest_ring_ - 3);
  if (device_.has(has_block_size)) {
    std::uint32_t size = device_.config32(block_size_at);
    if (size >= 512 && size <= 4096 && (size & (size - 1)) == 0) limits.logical_block = size;
  }
  limits.physical_block = limits.logical_block;
  if (device_.has(has_topology)) {
    unsigned exponent = device_.config8(physical_exponent_at);
    if (exponent < 8) limits.physical_block = limits.logical_block << exponent;
  }
  limits.volatile_cache = device_.has(can_flush);
  limits.read_only = device_.has(is_read_only);
  if (device_.has(can_discard)) limits.discard_sectors_max = device_.config32(discard_sectors_at);
  if (device_.has(can_write_zeroes))
    limits.write_zeroes_sectors_max = device_.config32(write_zeroes_sectors_at);
  return limits;
}

Result<void> BlockDevice::start(unsigned index) {
  TRY(device_.negotiate(has_segments_max | is_read_only | has_block_size | can_flush | has_topology |
                        has_queues | can_discard | can_write_zeroes));
  if (device_.has(has_queues))
    path_count_ =
        std::clamp<unsigned>(device_.config16(queues_at), 1, std::min(queues_max, arch::cpu_count()));
  connection_ = TRY(device_.connect(*this, path_count_));
  for (unsigned i = 0; i < path_count_; ++i) {
    core::MutexGuard guard{paths_[i].lock};
    paths_[i].controls = TRY(core::DmaMemory::allocate(queue_depth * sizeof(Control)));
    paths_[i].queue =
        TRY(device_.start_queue(i, {.largest_size = 256, .indirect_length = segments_limit + 3}));
    smallest_ring_ = std::min(smallest_ring_, paths_[i].queue.ring.size());
    if (smallest_ring_ < 4) return base::error(Errno::enodev);
  }
  device_.ready();
  char memory[16];
  block::DiskDescription description;
  description.name = block::disk_name("vd", index, memory);
  description.major = major_number;
  description.first_minor = index * minors;
  description.minors = minors;
  description.sectors = device_.config64(capacity_at);
  description.limits = read_limits();
  disk_ = TRY(block::Disk::create(description, *this));
  return {};
}

block::QueueResult BlockDevice::queue(block::Request& request) {
  Path& path = paths_[request.queue_index()];
  core::MutexGuard guard{path.lock};
  if (is_dead_.load(std::memory_order_acquire)) {
    core::MutexUnguard open{guard};
    request.complete(Errno::eio);
    return block::QueueResult::taken;
  }
  Control& control = control_of(path, request.tag());
  std::uint64_t address = path.controls.device_address(request.tag() * sizeof(Control));
  virtio::Segment* const segments = path.segments.data();
  std::size_t readable = 0, total = 0;
  control = {};
  control.status = status_none;
  control.sector = request.sector();
  segments[total++] = {address, header_size};
  bool writes = false;
  switch (request.operation()) {
    case block::Operation::read:
      control.type = type_read;
      break;
    case block::Operation::write:
      control.type = type_write;
      writes = true;
      break;
    case block::Operation::flush:
      control.type = type_flush;
      control.sector = 0;
      break;
    case block::Operation::discard:
    case block::Operation::write_zeroes:
      control.type = request.operation() == block::Operation::discard ? type_discard : type_write_zeroes;
      control.sector = 0;
      control.range_sector = request.sector();
      control.range_sectors = static_cast<std::uint32_t>(request.length() >> block::sector_shift);
      segments[total++] = {address + range_offset, range_size};
      break;
  }
  if (!writes) readable = total;
  request.for_each_segment([&](const block::Segment& segment) {
    segments[total++] = {segment.address().value(), segment.length};
  });
  if (writes) readable = total;
  segments[total++] = {address + status_offset, 1};
  std::span<const virtio::Segment> all{segments, total};
  auto added = path.queue.ring.add(all.first(readable), all.subspan(readable), &request);
  return added ? block::QueueResult::taken : block::QueueResult::busy;
}

void BlockDevice::kick(unsigned queue_index) {
  Path& path = paths_[queue_index];
  core::MutexGuard guard{path.lock};
  if (path.queue.ring.publish()) path.queue.notify();
}

void BlockDevice::queue_interrupt(unsigned queue_index) {
  Path& path = paths_[queue_index];
  struct Done {
    block::Request* request;
    Errno status;
  };
  for (;;) {
    // Finished without the lock: what waits is offered to us at once.
    std::array<Done, 16> done;
    std::size_t count = 0;
    {
      core::MutexGuard guard{path.lock};
      while (count < done.size()) {
        auto used = path.queue.ring.take();
        if (!used) break;
        auto* request = static_cast<block::Request*>(used->token);
        done[count++] = {request, outcome(control_of(path, request->tag()).status)};
      }
      if (count == 0 && path.queue.ring.is_broken()) {
        if (!is_dead_.exchange(true, std::memory_order_acq_rel)) core::WorkQueue::system().post(end_);
        return;
      }
      if (count == 0 && path.queue.ring.enable_interrupts()) return;
    }
    for (std::size_t i = 0; i < count; ++i) done[i].request->complete(done[i].status);
  }
}

// Apart from the interrupt's thread, which the end of the connection waits for. After the reset the device
// writes to no memory any more, so that what it held can be given back.
void BlockDevice::end() {
  device_.give_up("it broke its ring");
  connection_ = {};
  for (unsigned i = 0; i < path_count_; ++i) {
    for (;;) {
      block::Request* request;
      {
        core::MutexGuard guard{paths_[i].lock};
        request = static_cast<block::Request*>(paths_[i].queue.ring.take_back());
      }
      if (!request) break;
      request->complete(Errno::eio);
    }
  }
}

void BlockDevice::config_changed() {
  if (disk_) disk_->set_sectors(device_.config64(capacity_at));
}

// ---- The driver ----

constexpr unsigned devices_max = 26;
constinit BlockDevice* devices[devices_max] = {};
constinit unsigned device_count = 0;  // the init steps run one after the other

class BlockDriver final : public virtio::Driver {
 public:
  constexpr BlockDriver() : Driver("virtio_blk", virtio::type_block) {}
  Result<void> start(virtio::Device& device) override {
    if (device_count == devices_max) return base::error(Errno::enospc);
    auto block_device = TRY(base::try_make_unique<BlockDevice>(device));
    TRY(block_device->start(device_count));
    devices[device_count++] = block_device.release();  // for ever
    return {};
  }
};
constinit BlockDriver driver;

Result<void> start_driver() {
  virtio::register_driver(driver);
  return {};
}
// The names need /sys and /dev, which come later than drivers.
Result<void> announce_disks() {
  for (unsigned i = 0; i < device_count; ++i) TRY(devices[i]->disk().announce());
  return {};
}
INIT_STEP block_step{"drivers.virtio_blk", {"virtio"}, start_driver, {"drivers"}};
INIT_STEP announce_step{"virtio_blk.disks", {"drivers", "block"}, announce_disks, {"vfs"}};

}  // namespace
}  // namespace virtio_blk
