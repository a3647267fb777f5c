#include "virtio/device.h"

#include <algorithm>
#include <bit>

#include "core/log/log.h"
#include "core/sync/mutex.h"

namespace virtio {

using base::Errno;
using base::Result;

namespace {

// Device status (virtio 1.2, section 2.1).
constexpr std::uint8_t status_acknowledge = 1, status_driver = 2, status_driver_ok = 4,
                       status_features_ok = 8, status_failed = 128;
constexpr unsigned most_drivers = 16;

}  // namespace

class DeviceList {
 public:
  Result<void> add(std::unique_ptr<Transport> transport) EXCLUDES(lock_) {
    core::MutexGuard guard{lock_};
    auto made = TRY(base::try_make_unique<Device>(std::move(transport), next_index_++));
    Device& device = *made.release();  // for ever, on the list
    devices_.push_back(device);
    for (unsigned i = 0; i < driver_count_ && !device.driver_; ++i) offer_locked(device, *drivers_[i]);
    return {};
  }

  void add(Driver& driver) EXCLUDES(lock_) {
    core::MutexGuard guard{lock_};
    base::verify(driver_count_ < most_drivers, "more virtio drivers than there is room for");
    drivers_[driver_count_++] = &driver;
    for (Device& device : devices_)
      if (!device.driver_) offer_locked(device, driver);
  }

  void for_each(base::FunctionRef<void(Device&)> visit) EXCLUDES(lock_) {
    core::MutexGuard guard{lock_};
    for (Device& device : devices_) visit(device);
  }

 private:
  void offer_locked(Device& device, Driver& driver) REQUIRES(lock_) {
    if (device.type() != driver.type()) return;
    device.driver_ = &driver;
    auto started = driver.start(device);
    if (started) {
      core::log(core::LogLevel::info, "virtio{}: {} drives {}", device.index(), driver.name(),
                device.place());
      return;
    }
    core::log(core::LogLevel::warning, "virtio{} at {}: {} does not start: error {}", device.index(),
              device.place(), driver.name(), static_cast<int>(started.error()));
    device.driver_ = nullptr;
  }

  core::Mutex lock_{"virtio devices"};
  base::IntrusiveList<Device, &Device::hook> devices_ GUARDED_BY(lock_);
  Driver* drivers_[most_drivers] GUARDED_BY(lock_) = {};
  unsigned driver_count_ GUARDED_BY(lock_) = 0;
  unsigned next_index_ GUARDED_BY(lock_) = 0;
};

namespace {
constinit DeviceList list;
}

void register_driver(Driver& driver) { list.add(driver); }
Result<void> add_device(std::unique_ptr<Transport> transport) { return list.add(std::move(transport)); }
void for_each_device(base::FunctionRef<void(Device&)> visit) { list.for_each(visit); }

void Queue::notify() { device->notify(index); }

const char* Device::driver_name() const { return driver_ ? driver_->name() : nullptr; }

Result<void> Device::negotiate(std::uint64_t wanted) {
  TRY(transport_->reset());
  transport_->set_status(status_acknowledge);
  transport_->set_status(status_acknowledge | status_driver);
  std::uint64_t offered = transport_->offered_features();
  if (!(offered & feature_version_1)) return base::error(Errno::enodev);
  features_ = offered &
              (wanted | feature_version_1 | feature_access_platform | feature_event_index | feature_indirect);
  transport_->accept_features(features_);
  transport_->set_status(status_acknowledge | status_driver | status_features_ok);
  if (!(transport_->status() & status_features_ok)) return base::error(Errno::enodev);
  return {};
}

Result<Connection> Device::connect(QueueHandler& handler, unsigned queues) {
  handler_ = &handler;
  Connection connection(*this);
  TRY(transport_->start_interrupts(*this, queues));
  return connection;
}

Connection::~Connection() {
  if (device_) device_->disconnect();
}

Result<Queue> Device::start_queue(unsigned queue, QueueOptions options) {
  unsigned size = transport_->queue_size(queue);
  if (size == 0) return base::error(Errno::enoent);
  size = std::bit_floor(std::min({size, options.largest_size, SplitRing::largest_size}));
  Queue result;
  SplitRing::Options ring_options{.event_index = has(feature_event_index),
                                  .indirect_length = has(feature_indirect) ? options.indirect_length : 0};
  if (options.memory.empty())
    result.ring = TRY(SplitRing::create(size, ring_options));
  else
    result.ring = TRY(SplitRing::create_in(options.memory, options.memory_address, size, ring_options));
  result.device = this;
  result.index = queue;
  TRY(transport_->start_queue(queue, size, result.ring.addresses()));
  return result;
}

void Device::ready() { transport_->set_status(transport_->status() | status_driver_ok); }

void Device::disconnect() {
  transport_->stop_interrupts();
  if (!transport_->reset())
    core::log(core::LogLevel::error, "virtio{} at {}: it does not reset", index_, place());
  handler_ = nullptr;
}

void Device::give_up(const char* why) {
  core::log(core::LogLevel::error, "virtio{} at {}: {}; it is not used any more", index_, place(), why);
  transport_->set_status(transport_->status() | status_failed);
}

std::uint64_t Device::config64(unsigned offset) {
  for (;;) {
    std::uint32_t before = transport_->config_generation();
    std::uint64_t value = config32(offset) | static_cast<std::uint64_t>(config32(offset + 4)) << 32;
    if (transport_->config_generation() == before) return value;
  }
}

}  // namespace virtio
