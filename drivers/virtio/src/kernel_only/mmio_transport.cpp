// Virtio over a window of registers (virtio 1.2, section 4.2), version 2 of it. Windows without a device
// behind them say so with device type 0.
#include "base/format.h"
#include "core/device/virtio_mmio.h"
#include "core/init/init_step.h"
#include "core/interrupt/interrupt.h"
#include "core/log/log.h"
#include "core/sched/scheduler.h"
#include "core/time/clock.h"
#include "virtio/device.h"

namespace virtio {
namespace {

using base::Errno;
using base::Result;

enum Register : unsigned {
  magic = 0x000,
  version = 0x004,
  device_identifier = 0x008,
  vendor_identifier = 0x00c,
  offered = 0x010,
  offered_select = 0x014,
  accepted = 0x020,
  accepted_select = 0x024,
  queue_select = 0x030,
  queue_largest = 0x034,
  queue_length = 0x038,
  queue_ready = 0x044,
  queue_notify = 0x050,
  interrupt_status = 0x060,
  interrupt_acknowledge = 0x064,
  device_status = 0x070,
  queue_descriptors = 0x080,
  queue_driver = 0x090,
  queue_device = 0x0a0,
  generation = 0x0fc,
  config = 0x100,
};
constexpr std::uint32_t magic_value = 0x74726976, current_version = 2, legacy_version = 1;
constexpr std::uint32_t reason_queue = 1, reason_config = 2;
constexpr unsigned window_size = 0x200, reset_milliseconds = 2000;

class MmioTransport final : public Transport {
 public:
  MmioTransport(const core::VirtioMmioDescription& window, unsigned number)
      : registers_(*window.registers), interrupt_(window.interrupt) {
    base::TextBuffer text{{name_, sizeof(name_) - 1}};
    base::format(text, "virtio-mmio.{}", number);
  }
  ~MmioTransport() override { stop_interrupts(); }

  const char* name() const override { return name_; }
  std::uint32_t device_type() const override { return registers_.read32(device_identifier); }
  std::uint32_t vendor() const override { return registers_.read32(vendor_identifier); }

  std::uint8_t status() override { return static_cast<std::uint8_t>(registers_.read32(device_status)); }
  void set_status(std::uint8_t status) override { registers_.write32(device_status, status); }
  Result<void> reset() override {
    set_status(0);
    for (unsigned waited = 0; status() != 0; ++waited) {
      if (waited == reset_milliseconds) return base::error(Errno::etimedout);
      core::sleep_for(core::ns_per_ms);
    }
    return {};
  }
  std::uint64_t offered_features() override {
    registers_.write32(offered_select, 0);
    std::uint64_t low = registers_.read32(offered);
    registers_.write32(offered_select, 1);
    return low | static_cast<std::uint64_t>(registers_.read32(offered)) << 32;
  }
  void accept_features(std::uint64_t features) override {
    registers_.write32(accepted_select, 0);
    registers_.write32(accepted, static_cast<std::uint32_t>(features));
    registers_.write32(accepted_select, 1);
    registers_.write32(accepted, static_cast<std::uint32_t>(features >> 32));
  }

  std::uint8_t read_config8(unsigned offset) override {
    return inside(offset, 1) ? registers_.read8(config + offset) : 0;
  }
  std::uint16_t read_config16(unsigned offset) override {
    return inside(offset, 2) ? registers_.read16(config + offset) : 0;
  }
  std::uint32_t read_config32(unsigned offset) override {
    return inside(offset, 4) ? registers_.read32(config + offset) : 0;
  }
  void write_config8(unsigned offset, std::uint8_t value) override {
    if (inside(offset, 1)) registers_.write8(config + offset, value);
  }
  void write_config32(unsigned offset, std::uint32_t value) override {
    if (inside(offset, 4)) registers_.write32(config + offset, value);
  }
  std::uint32_t config_generation() override { return registers_.read32(generation); }

  unsigned queue_size(unsigned queue) override {
    registers_.write32(queue_select, queue);
    return registers_.read32(queue_largest);
  }
  Result<void> start_queue(unsigned queue, unsigned size, const QueueAddresses& addresses) override {
    registers_.write32(queue_select, queue);
    if (registers_.read32(queue_ready)) return base::error(Errno::ebusy);
    registers_.write32(queue_length, size);
    auto write64 = [&](unsigned place, std::uint64_t value) {
      registers_.write32(place, static_cast<std::uint32_t>(value));
      registers_.write32(place + 4, static_cast<std::uint32_t>(value >> 32));
    };
    write64(queue_descriptors, addresses.descriptors);
    write64(queue_driver, addresses.driver);
    write64(queue_device, addresses.device);
    registers_.write32(queue_ready, 1);
    return {};
  }
  void notify(unsigned queue) override { registers_.write32(queue_notify, queue); }

  Result<void> start_interrupts(InterruptListener& listener, unsigned queues) override {
    listener_ = &listener;
    queues_ = queues;
    registration_ = TRY(core::InterruptRegistration::request(
        interrupt_, {.name = name_, .thread = &MmioTransport::interrupted, .context = this, .shared = true}));
    return {};
  }
  void stop_interrupts() override { registration_.release(); }

 private:
  static bool inside(unsigned offset, unsigned width) {
    return offset % width == 0 && offset + width <= window_size - config;
  }

  static core::InterruptOutcome interrupted(void* context) {
    auto& self = *static_cast<MmioTransport*>(context);
    std::uint32_t reasons = self.registers_.read32(interrupt_status);
    if (!(reasons & (reason_queue | reason_config))) return core::InterruptOutcome::not_mine;
    self.registers_.write32(interrupt_acknowledge, reasons);
    if (reasons & reason_config) self.listener_->config_interrupt();
    if (reasons & reason_queue)
      for (unsigned queue = 0; queue < self.queues_; ++queue) self.listener_->queue_interrupt(queue);
    return core::InterruptOutcome::handled;
  }

  core::RegisterBlock& registers_;
  const unsigned interrupt_;
  char name_[20] = {};
  InterruptListener* listener_ = nullptr;
  unsigned queues_ = 0;
  core::InterruptRegistration registration_;
};

Result<void> find_windows() {
  unsigned number = 0;
  for (const core::VirtioMmioDescription& window : core::virtio_mmio_windows()) {
    core::RegisterBlock& registers = *window.registers;
    unsigned place = number++;
    if (registers.read32(magic) != magic_value || registers.read32(device_identifier) == 0) continue;
    if (std::uint32_t found = registers.read32(version); found != current_version) {
      core::log(core::LogLevel::warning, "virtio-mmio.{}: version {} of the registers is not supported{}",
                place, found,
                found == legacy_version ? " (QEMU: -global virtio-mmio.force-legacy=false)" : "");
      continue;
    }
    TRY(add_device(TRY(base::try_make_unique<MmioTransport>(window, place))));
  }
  return {};
}
INIT_STEP virtio_mmio_step{"virtio.mmio", {"buses"}, find_windows, {"virtio"}};

}  // namespace
}  // namespace virtio
