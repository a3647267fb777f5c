// A virtio device and its driver.
//
//   class RngDriver final : public virtio::Driver {
//     RngDriver() : Driver("virtio_rng", 4) {}
//     base::Result<void> start(virtio::Device& device) override;
//   };
//   virtio::register_driver(driver)           in an init step after "virtio", before "drivers"
//
//   start():  TRY(device.negotiate(wanted));                  // common features are added
//             connection_ = TRY(device.connect(*this, 1));    // interrupts of one queue
//             queue_ = TRY(device.start_queue(0, {.largest_size = 64}));
//             device.ready();                                 // requests may be notified from here on
//
// The connection's end stops the interrupts and resets the device, so that it lets go of all memory: it is
// the last member of the driver's object. A driver's object that is destroyed because start() failed leaves
// the device in order. Devices live for ever.
//
// The handler's functions run in interrupt threads, one at a time for each vector: two queues' may run side
// by side. A driver serialises each queue with a lock of its own.
//
// Context: threads that may sleep; Queue::notify(): any.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "base/function_ref.h"
#include "base/intrusive_list.h"
#include "base/ref.h"
#include "base/result.h"
#include "virtio/split_ring.h"
#include "virtio/transport.h"

namespace virtio {

// Device types (virtio 1.2, chapter 5).
inline constexpr std::uint32_t type_network = 1, type_block = 2, type_console = 3, type_entropy = 4;

inline constexpr std::uint64_t feature(unsigned bit) { return std::uint64_t{1} << bit; }
inline constexpr std::uint64_t feature_indirect = feature(28), feature_event_index = feature(29),
                               feature_version_1 = feature(32), feature_access_platform = feature(33);

class Device;
class Driver;

// One queue: the ring and the bell.
struct Queue {
  SplitRing ring;
  Device* device = nullptr;
  unsigned index = 0;
  // After publish() said so; without the driver's lock if it can.
  void notify();
};

class QueueHandler {
 public:
  // The device may have used something; it may also not.
  virtual void queue_interrupt(unsigned queue) = 0;
  virtual void config_changed() {}

 protected:
  ~QueueHandler() = default;
};

// Interrupts and queues of a device belong to a driver's object while this lives.
class [[nodiscard]] Connection {
 public:
  Connection() = default;
  explicit Connection(Device& device) : device_(&device) {}
  Connection(Connection&& other) noexcept : device_(std::exchange(other.device_, nullptr)) {}
  Connection& operator=(Connection&& other) noexcept {
    std::swap(device_, other.device_);
    return *this;
  }
  ~Connection();

 private:
  Device* device_ = nullptr;
};

class Device final : private InterruptListener {
 public:
  Device(std::unique_ptr<Transport> transport, unsigned index)
      : transport_(std::move(transport)), index_(index) {}

  std::uint32_t type() const { return transport_->device_type(); }
  std::uint32_t vendor() const { return transport_->vendor(); }
  // Counts all virtio devices: the N of virtioN.
  unsigned index() const { return index_; }
  const char* place() const { return transport_->name(); }
  const char* driver_name() const;
  std::uint8_t status() { return transport_->status(); }
  std::uint64_t features() const { return features_; }
  bool has(std::uint64_t one_feature) const { return features_ & one_feature; }

  // ---- For its driver ----
  // Takes of `wanted` and of the common features what the device offers. ENODEV: the device is older than
  // version 1 or refuses.
  base::Result<void> negotiate(std::uint64_t wanted);
  base::Result<Connection> connect(QueueHandler& handler, unsigned queues);
  struct QueueOptions {
    unsigned largest_size = 128;
    unsigned indirect_length = 0;
    // Where the ring lies, if not in memory of its own: SplitRing::create_in().
    std::span<std::byte> memory = {};
    std::uint64_t memory_address = 0;
  };
  // ENOENT: the device has no such queue.
  base::Result<Queue> start_queue(unsigned queue, QueueOptions options);
  void ready();
  // The ring broke, or something else the device cannot be forgiven: it is stopped for good.
  void give_up(const char* why);

  std::uint8_t config8(unsigned offset) { return transport_->read_config8(offset); }
  std::uint16_t config16(unsigned offset) { return transport_->read_config16(offset); }
  std::uint32_t config32(unsigned offset) { return transport_->read_config32(offset); }
  // In two pieces, read again when the device changed it meanwhile.
  std::uint64_t config64(unsigned offset);
  void set_config8(unsigned offset, std::uint8_t value) { transport_->write_config8(offset, value); }
  void set_config32(unsigned offset, std::uint32_t value) { transport_->write_config32(offset, value); }

  void notify(unsigned queue) { transport_->notify(queue); }
  base::ListHook hook;

 private:
  friend class DeviceList;
  friend class Connection;
  void queue_interrupt(unsigned queue) override { handler_->queue_interrupt(queue); }
  void config_interrupt() override { handler_->config_changed(); }
  void disconnect();

  const std::unique_ptr<Transport> transport_;
  const unsigned index_;
  QueueHandler* handler_ = nullptr;
  std::uint64_t features_ = 0;
  Driver* driver_ = nullptr;
};

class Driver {
 public:
  constexpr Driver(const char* name, std::uint32_t type) : name_(name), type_(type) {}
  const char* name() const { return name_; }
  std::uint32_t type() const { return type_; }
  virtual base::Result<void> start(Device& device) = 0;

 protected:
  ~Driver() = default;

 private:
  const char* name_;
  const std::uint32_t type_;
};

// Offers the driver every device of its type that has none. For ever.
void register_driver(Driver& driver);
// By the transports' drivers; for ever.
base::Result<void> add_device(std::unique_ptr<Transport> transport);
void for_each_device(base::FunctionRef<void(Device&)> visit);

}  // namespace virtio
