// Virtio over PCI (virtio 1.2, section 4.1): structures that vendor capabilities point to, in the registers
// of the device.
#include <array>
#include <atomic>

#include "base/format.h"
#include "core/init/init_step.h"
#include "core/interrupt/interrupt.h"
#include "core/log/log.h"
#include "core/sched/scheduler.h"
#include "core/time/clock.h"
#include "pci/device.h"
#include "virtio/device.h"

namespace virtio {
namespace {

using base::Errno;
using base::Result;

constexpr std::uint16_t vendor_red_hat = 0x1af4, first_transitional = 0x1000, first_modern = 0x1040,
                        last_modern = 0x107f;

// struct virtio_pci_cap
enum Capability : unsigned {
  cap_type = 3,
  cap_bar = 4,
  cap_offset = 8,
  cap_length = 12,
  cap_multiplier = 16
};
enum Structure : std::uint8_t { common = 1, notification = 2, interrupt_status = 3, configuration = 4 };

// struct virtio_pci_common_cfg
enum Common : unsigned {
  offered_select = 0,
  offered = 4,
  accepted_select = 8,
  accepted = 12,
  config_vector = 16,
  queue_count = 18,
  device_status = 20,
  generation = 21,
  queue_select = 22,
  queue_length = 24,
  queue_vector = 26,
  queue_enable = 28,
  queue_notify_offset = 30,
  queue_descriptors = 32,
  queue_driver = 40,
  queue_device = 48,
  common_size = 56,
};
constexpr std::uint16_t no_vector = 0xffff;
constexpr unsigned reset_milliseconds = 2000;

class PciTransport final : public Transport {
 public:
  explicit PciTransport(pci::Device& device) : device_(device) {
    base::TextBuffer text{{name_, sizeof(name_) - 1}};
    core::PciAddress at = device.address();
    base::format(text, "{:04x}:{:02x}:{:02x}.{}", at.segment, at.bus, at.device, at.function);
  }
  ~PciTransport() override { stop_interrupts(); }

  // Finds and maps the structures. ENODEV: there are none, the device is a legacy one.
  Result<void> open();

  const char* name() const override { return name_; }
  std::uint32_t device_type() const override {
    return device_.device() >= first_modern ? device_.device() - first_modern : device_.subsystem();
  }
  std::uint32_t vendor() const override { return device_.subsystem_vendor(); }

  std::uint8_t status() override { return common_.registers().read8(device_status); }
  void set_status(std::uint8_t status) override { common_.registers().write8(device_status, status); }
  Result<void> reset() override;
  std::uint64_t offered_features() override;
  void accept_features(std::uint64_t features) override;

  std::uint8_t read_config8(unsigned offset) override {
    return inside(offset, 1) ? config().read8(offset) : 0;
  }
  std::uint16_t read_config16(unsigned offset) override {
    return inside(offset, 2) ? config().read16(offset) : 0;
  }
  std::uint32_t read_config32(unsigned offset) override {
    return inside(offset, 4) ? config().read32(offset) : 0;
  }
  void write_config8(unsigned offset, std::uint8_t value) override {
    if (inside(offset, 1)) config().write8(offset, value);
  }
  void write_config32(unsigned offset, std::uint32_t value) override {
    if (inside(offset, 4)) config().write32(offset, value);
  }
  std::uint32_t config_generation() override { return common_.registers().read8(generation); }

  unsigned queue_size(unsigned queue) override;
  Result<void> start_queue(unsigned queue, unsigned size, const QueueAddresses& addresses) override;
  void notify(unsigned queue) override;
  Result<void> start_interrupts(InterruptListener& listener, unsigned queues) override;
  void stop_interrupts() override;

 private:
  static constexpr unsigned most_queues = 64;

  // What one vector stands for.
  struct Vector {
    PciTransport* transport = nullptr;
    unsigned first_queue = 0, queues = 0;
    bool config = false;
    char label[24] = {};
    core::InterruptRegistration registration;
  };

  core::MemoryRegisters& config() { return config_.registers(); }
  bool inside(unsigned offset, unsigned width) {
    return config_ && offset % width == 0 && offset + width <= config().size();
  }
  Result<pci::Mapping> map_structure(unsigned capability, unsigned least);
  Result<void> add_vector(unsigned vector, unsigned first_queue, unsigned queues, bool with_config);
  static core::InterruptOutcome message_interrupt(void* context);
  static core::InterruptOutcome line_interrupt(void* context);
  void tell(const Vector& vector, bool queues, bool with_config);

  pci::Device& device_;
  char name_[16] = {};
  pci::Mapping common_, notify_, status_, config_;
  std::uint32_t notify_multiplier_ = 0;
  std::array<std::uint32_t, most_queues> notify_offsets_{};
  InterruptListener* listener_ = nullptr;
  pci::InterruptVectors interrupts_;
  unsigned queues_ = 0;
  base::Vector<std::unique_ptr<Vector>> vectors_;  // gone before interrupts_
};

Result<pci::Mapping> PciTransport::map_structure(unsigned capability, unsigned least) {
  std::uint32_t length = device_.read32(capability + cap_length);
  if (length < least) return base::error(Errno::einval);
  return device_.map(device_.read8(capability + cap_bar), device_.read32(capability + cap_offset), length);
}

Result<void> PciTransport::open() {
  for (auto at = device_.find_capability(pci::capability_vendor); at;
       at = device_.find_capability(pci::capability_vendor, *at)) {
    // The first of each kind that can be mapped counts: the device orders them by preference.
    std::uint8_t type = device_.read8(*at + cap_type);
    pci::Mapping* place = type == common             ? &common_
                          : type == notification     ? &notify_
                          : type == interrupt_status ? &status_
                          : type == configuration    ? &config_
                                                     : nullptr;
    if (!place || *place) continue;
    auto mapped = map_structure(*at, type == common ? common_size : type == notification ? 2 : 1);
    if (!mapped) continue;
    *place = std::move(*mapped);
    if (type == notification) notify_multiplier_ = device_.read32(*at + cap_multiplier);
  }
  if (!common_ || !notify_ || !status_) return base::error(Errno::enodev);
  device_.enable();
  return {};
}

Result<void> PciTransport::reset() {
  set_status(0);
  for (unsigned waited = 0; status() != 0; ++waited) {
    if (waited == reset_milliseconds) return base::error(Errno::etimedout);
    core::sleep_for(core::ns_per_ms);
  }
  return {};
}

std::uint64_t PciTransport::offered_features() {
  core::MemoryRegisters& registers = common_.registers();
  registers.write32(offered_select, 0);
  std::uint64_t low = registers.read32(offered);
  registers.write32(offered_select, 1);
  return low | static_cast<std::uint64_t>(registers.read32(offered)) << 32;
}

void PciTransport::accept_features(std::uint64_t features) {
  core::MemoryRegisters& registers = common_.registers();
  registers.write32(accepted_select, 0);
  registers.write32(accepted, static_cast<std::uint32_t>(features));
  registers.write32(accepted_select, 1);
  registers.write32(accepted, static_cast<std::uint32_t>(features >> 32));
}

unsigned PciTransport::queue_size(unsigned queue) {
  core::MemoryRegisters& registers = common_.registers();
  if (queue >= most_queues || queue >= registers.read16(queue_count)) return 0;
  registers.write16(queue_select, static_cast<std::uint16_t>(queue));
  return registers.read16(queue_length);
}

Result<void> PciTransport::start_queue(unsigned queue, unsigned size, const QueueAddresses& addresses) {
  if (queue >= most_queues) return base::error(Errno::einval);
  core::MemoryRegisters& registers = common_.registers();
  registers.write16(queue_select, static_cast<std::uint16_t>(queue));
  if (registers.read16(queue_enable)) return base::error(Errno::ebusy);
  std::uint64_t offset = std::uint64_t{registers.read16(queue_notify_offset)} * notify_multiplier_;
  if (offset + 2 > notify_.registers().size() || offset % 2) return base::error(Errno::einval);
  notify_offsets_[queue] = static_cast<std::uint32_t>(offset);
  registers.write16(queue_length, static_cast<std::uint16_t>(size));
  auto write64 = [&](unsigned place, std::uint64_t value) {
    registers.write32(place, static_cast<std::uint32_t>(value));
    registers.write32(place + 4, static_cast<std::uint32_t>(value >> 32));
  };
  write64(queue_descriptors, addresses.descriptors);
  write64(queue_driver, addresses.driver);
  write64(queue_device, addresses.device);
  if (interrupts_.kind() == pci::InterruptVectors::Kind::msix) {
    for (unsigned i = 0; i < vectors_.size(); ++i) {
      const Vector& vector = *vectors_[i];
      if (queue < vector.first_queue || queue - vector.first_queue >= vector.queues) continue;
      registers.write16(queue_vector, static_cast<std::uint16_t>(i));
      if (registers.read16(queue_vector) != i) return base::error(Errno::enospc);
    }
  }
  registers.write16(queue_enable, 1);
  return {};
}

void PciTransport::notify(unsigned queue) {
  notify_.registers().write16(notify_offsets_[queue], static_cast<std::uint16_t>(queue));
}

// ---- Interrupts ----

void PciTransport::tell(const Vector& vector, bool queues, bool with_config) {
  if (with_config && vector.config) listener_->config_interrupt();
  if (!queues) return;
  for (unsigned i = 0; i < vector.queues; ++i) listener_->queue_interrupt(vector.first_queue + i);
}

core::InterruptOutcome PciTransport::message_interrupt(void* context) {
  auto& vector = *static_cast<Vector*>(context);
  vector.transport->tell(vector, true, true);
  return core::InterruptOutcome::handled;
}

core::InterruptOutcome PciTransport::line_interrupt(void* context) {
  auto& vector = *static_cast<Vector*>(context);
  // Reading takes the interrupt back.
  std::uint8_t reasons = vector.transport->status_.registers().read8(0);
  if (!(reasons & 3)) return core::InterruptOutcome::not_mine;
  vector.transport->tell(vector, reasons & 1, reasons & 2);
  return core::InterruptOutcome::handled;
}

Result<void> PciTransport::add_vector(unsigned vector, unsigned first_queue, unsigned queues,
                                      bool with_config) {
  auto added = TRY(base::try_make_unique<Vector>());
  added->transport = this;
  added->first_queue = first_queue;
  added->queues = queues;
  added->config = with_config;
  base::TextBuffer label{{added->label, sizeof(added->label) - 1}};
  base::format(label, "virtio-{}", name_);
  bool messages = interrupts_.kind() == pci::InterruptVectors::Kind::msix;
  added->registration = TRY(core::InterruptRegistration::request(
      interrupts_.number(vector), {.name = added->label,
                                   .thread = messages ? &message_interrupt : &line_interrupt,
                                   .context = added.get(),
                                   .shared = interrupts_.is_shared()}));
  return vectors_.try_push_back(std::move(added));
}

// A vector for the configuration and one for each queue, if there are so many; else one for all queues; else
// one for everything.
Result<void> PciTransport::start_interrupts(InterruptListener& listener, unsigned queues) {
  listener_ = &listener;
  queues_ = queues;
  interrupts_ = TRY(device_.allocate_interrupts(queues + 1));
  if (interrupts_.kind() != pci::InterruptVectors::Kind::msix || interrupts_.count() == 1) {
    TRY(add_vector(0, 0, queues, true));
  } else if (interrupts_.count() == queues + 1) {
    TRY(add_vector(0, 0, 0, true));
    for (unsigned i = 0; i < queues; ++i) TRY(add_vector(i + 1, i, 1, false));
  } else {
    TRY(add_vector(0, 0, 0, true));
    TRY(add_vector(1, 0, queues, false));
  }
  if (interrupts_.kind() == pci::InterruptVectors::Kind::msix) {
    common_.registers().write16(config_vector, 0);
    if (common_.registers().read16(config_vector) == no_vector) return base::error(Errno::enospc);
  }
  return {};
}

void PciTransport::stop_interrupts() {
  vectors_.clear();
  interrupts_ = {};
}

// ---- The PCI driver ----

class VirtioPciDriver final : public pci::Driver {
 public:
  constexpr VirtioPciDriver() : Driver("virtio-pci") {}
  bool matches(const pci::Device& device) const override {
    return device.vendor() == vendor_red_hat && device.device() >= first_transitional &&
           device.device() <= last_modern;
  }
  Result<void> start(pci::Device& device) override {
    auto transport = TRY(base::try_make_unique<PciTransport>(device));
    TRY(transport->open());
    return add_device(std::move(transport));
  }
};
constinit VirtioPciDriver driver;

Result<void> start_virtio_pci() {
  pci::register_driver(driver);
  return {};
}
INIT_STEP virtio_pci_step{"virtio.pci", {"pci"}, start_virtio_pci, {"virtio"}};
// Devices are known from here on.
INIT_STEP virtio_step{"virtio", {"buses"}, nullptr, {"drivers"}};

}  // namespace
}  // namespace virtio
