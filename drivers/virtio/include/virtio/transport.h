// How a virtio device is reached: the same operations over PCI and over a window of registers (virtio 1.2,
// chapters 4.1 and 4.2). Only Device (device.h) uses this; drivers use Device.
//
// Everything that comes back is the device's word and may be wrong.
//
// Context: threads that may sleep, except notify(): any context.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace virtio {

// Where a queue's three parts are, for the device.
struct QueueAddresses {
  std::uint64_t descriptors = 0, driver = 0, device = 0;
};

// Told of interrupts, in the interrupt's thread. Interrupts may come without need.
class InterruptListener {
 public:
  virtual void queue_interrupt(unsigned queue) = 0;
  virtual void config_interrupt() = 0;

 protected:
  ~InterruptListener() = default;
};

class Transport {
 public:
  virtual ~Transport() = default;

  virtual const char* name() const = 0;  // of the device it stands for: "0000:00:03.0"
  virtual std::uint32_t device_type() const = 0;
  virtual std::uint32_t vendor() const = 0;

  virtual std::uint8_t status() = 0;
  virtual void set_status(std::uint8_t status) = 0;
  // ETIMEDOUT: the device does not come back.
  virtual base::Result<void> reset() = 0;
  virtual std::uint64_t offered_features() = 0;
  virtual void accept_features(std::uint64_t features) = 0;

  // Bytes of the device's configuration; what lies outside of it reads as zero.
  virtual std::uint8_t read_config8(unsigned offset) = 0;
  virtual std::uint16_t read_config16(unsigned offset) = 0;
  virtual std::uint32_t read_config32(unsigned offset) = 0;
  virtual void write_config8(unsigned offset, std::uint8_t value) = 0;
  virtual void write_config32(unsigned offset, std::uint32_t value) = 0;
  // Changes with every change of the configuration.
  virtual std::uint32_t config_generation() = 0;

  // The largest size of the queue; 0: there is no such queue.
  virtual unsigned queue_size(unsigned queue) = 0;
  virtual base::Result<void> start_queue(unsigned queue, unsigned size, const QueueAddresses& addresses) = 0;
  virtual void notify(unsigned queue) = 0;

  // Interrupts of the configuration and of queues 0 to `queues` - 1 go to the listener from here on, until
  // stop_interrupts(), which waits for one that is being handled. Before start_queue().
  virtual base::Result<void> start_interrupts(InterruptListener& listener, unsigned queues) = 0;
  virtual void stop_interrupts() = 0;
};

}  // namespace virtio
