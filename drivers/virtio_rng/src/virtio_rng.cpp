// The virtio entropy device (virtio 1.2, section 5.4): one queue of buffers that the device fills.
//
// At start it stirs the kernel's generator once and then every few minutes, without anyone waiting for it.
// Programs read its bytes through /dev/hwrng: one request at a time, which is what the device is for.
#include <algorithm>

#include "core/dma/dma_memory.h"
#include "core/init/init_step.h"
#include "core/log/log.h"
#include "core/memory/io_buffer.h"
#include "core/random/random.h"
#include "core/sched/work_queue.h"
#include "core/sync/completion.h"
#include "core/sync/mutex.h"
#include "core/time/clock.h"
#include "sysfs/sysfs.h"
#include "vfs/device.h"
#include "vfs/file.h"
#include "virtio/device.h"

namespace virtio_rng {
namespace {

using base::Errno;
using base::RefPtr;
using base::Result;

constexpr std::size_t request_size = 64;
constexpr std::uint64_t stir_interval_ns = 300 * core::ns_per_second,
                        answer_limit_ns = 10 * core::ns_per_second;
constexpr vfs::DeviceNumber hwrng_number{10, 183};

class Source final : public virtio::QueueHandler {
 public:
  explicit Source(virtio::Device& device) : device_(device) {}
  Result<void> start();
  // Bytes that the host gave, at most request_size; waits for them. EINTR, EIO when the device is broken.
  Result<std::size_t> read(std::span<std::byte> out) EXCLUDES(request_lock_);

 private:
  void queue_interrupt(unsigned queue) override;
  static void stir(core::Work& work);

  virtio::Device& device_;
  core::Mutex request_lock_{"virtio-rng request"};  // one request at a time
  core::DmaMemory memory_ GUARDED_BY(request_lock_);
  bool outstanding_ GUARDED_BY(request_lock_) = false;  // its reader was interrupted: the answer will come
  core::Mutex queue_lock_{"virtio-rng queue"};
  virtio::Queue queue_ GUARDED_BY(queue_lock_);
  std::uint32_t filled_ GUARDED_BY(queue_lock_) = 0;
  core::Completion answered_;
  core::DelayedWork stir_{&Source::stir};
  virtio::Connection connection_;
};

constinit Source* the_source = nullptr;

Result<void> Source::start() {
  TRY(device_.negotiate(0));
  {
    core::MutexGuard request{request_lock_};
    memory_ = TRY(core::DmaMemory::allocate(request_size));
  }
  connection_ = TRY(device_.connect(*this, 1));
  {
    core::MutexGuard guard{queue_lock_};
    queue_ = TRY(device_.start_queue(0, {.largest_size = 8}));
  }
  device_.ready();
  stir_.post_after(core::WorkQueue::long_running(), 0);
  return {};
}

void Source::queue_interrupt(unsigned) {
  core::MutexGuard guard{queue_lock_};
  do {
    while (auto used = queue_.ring.take()) {
      filled_ = used->written;
      answered_.complete();
    }
  } while (!queue_.ring.enable_interrupts() && !queue_.ring.is_broken());
}

Result<std::size_t> Source::read(std::span<std::byte> out) {
  core::MutexGuard request{request_lock_};
  if (!outstanding_) {
    core::MutexGuard guard{queue_lock_};
    virtio::Segment segment{memory_.device_address(), request_size};
    TRY(queue_.ring.add({}, {&segment, 1}, this));
    if (queue_.ring.publish()) queue_.notify();
    outstanding_ = true;
  }
  auto waited = answered_.wait(core::WaitMode::interruptible, core::Deadline::after(answer_limit_ns));
  if (!waited) return base::error(waited.error() == Errno::etimedout ? Errno::eio : waited.error());
  outstanding_ = false;
  core::MutexGuard guard{queue_lock_};
  std::size_t count = std::min<std::size_t>({filled_, request_size, out.size()});
  std::span<std::byte> bytes = memory_.bytes().first(count);
  std::copy(bytes.begin(), bytes.end(), out.begin());
  std::fill(bytes.begin(), bytes.end(), std::byte{});
  return count;
}

void Source::stir(core::Work& work) {
  Source& self = *base::container_of(base::container_of(&work, &core::DelayedWork::work), &Source::stir_);
  std::byte bytes[request_size];
  auto count = self.read(bytes);
  if (count && *count) core::add_randomness(std::span(bytes).first(*count));
  self.stir_.post_after(core::WorkQueue::long_running(), stir_interval_ns);
}

// ---- /dev/hwrng ----

class RandomFile final : public vfs::File {
 public:
  RandomFile() : File(0) {}
  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags) override {
    std::size_t done = 0;
    while (!buffer.empty()) {
      std::byte bytes[request_size];
      auto count = the_source->read(std::span(bytes).first(std::min(buffer.remaining(), request_size)));
      if (!count) return done ? Result<std::size_t>(done) : base::error(count.error());
      if (*count == 0) break;
      std::size_t copied = buffer.copy_out(std::span<const std::byte>(bytes).first(*count));
      done += copied;
      if (copied < *count) break;
    }
    if (done == 0 && buffer.faulted()) return base::error(Errno::efault);
    return done;
  }
};

class HardwareRandom final : public vfs::DeviceOperations {
 public:
  Result<RefPtr<vfs::File>> open(vfs::DeviceNumber, const vfs::OpenRequest&) override {
    return RefPtr<vfs::File>(TRY(base::try_make_ref<RandomFile>()));
  }
};
constinit HardwareRandom hardware_random;

Result<void> show_source(base::TextSink& out) {
  out.put("virtio_rng.0\n");
  return {};
}

Result<void> add_node() {
  if (!the_source) return {};
  TRY(vfs::register_devices(vfs::DeviceKind::character, hwrng_number, 1, hardware_random, "misc"));
  TRY(vfs::create_device_node("hwrng", vfs::mode_character | 0600, hwrng_number));
  auto directory = TRY(sysfs::add_device({.subsystem = "misc", .name = "hw_random", .number = hwrng_number}));
  TRY(directory->add("rng_current", TRY(pseudo_fs::make_text(0444, show_source))));
  return directory->add("rng_available", TRY(pseudo_fs::make_text(0444, show_source)));
}

class RngDriver final : public virtio::Driver {
 public:
  constexpr RngDriver() : Driver("virtio_rng", virtio::type_entropy) {}
  Result<void> start(virtio::Device& device) override {
    if (the_source) return base::error(Errno::ebusy);  // one is enough
    auto source = TRY(base::try_make_unique<Source>(device));
    TRY(source->start());
    the_source = source.release();  // for ever
    return {};
  }
};
constinit RngDriver driver;

Result<void> start_driver() {
  virtio::register_driver(driver);
  return {};
}
INIT_STEP rng_step{"drivers.virtio_rng", {"virtio"}, start_driver, {"drivers"}};
INIT_STEP rng_node_step{"virtio_rng.node", {"drivers", "sysfs"}, add_node, {"vfs"}};

}  // namespace
}  // namespace virtio_rng
