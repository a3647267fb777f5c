// NVMe controllers on PCI and their disks: /dev/nvme0n1 and so on.
//
// A queue pair for each CPU that the controller has one (and an interrupt vector) for; the admin queue is
// used while the driver starts and is asked, not waited for. A controller that reports a fatal state, or lets
// a request wait twice as long as the block layer does, is stopped, and everything that waits for it fails.
#include <arch/cpu.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "block/disk.h"
#include "core/init/init_step.h"
#include "core/interrupt/interrupt.h"
#include "core/log/log.h"
#include "core/sched/scheduler.h"
#include "core/sched/work_queue.h"
#include "core/time/clock.h"
#include "pci/device.h"
#include "queue_pair.h"

namespace nvme {
namespace {

using base::error;
using base::RefPtr;

constexpr unsigned queues_max = 8, controllers_max = 16, namespaces_max = 16, admin_entries = 16;
constexpr std::uint32_t class_nvme = 0x010802, major_number = 259, minors = 16;
constexpr std::uint64_t command_limit_ns = 5'000'000'000;

class Controller;

// A namespace of a controller.
class NvmeDisk final : public block::DiskDriver {
 public:
  NvmeDisk(Controller& controller, NamespaceFormat format) : controller_(controller), format_(format) {}
  block::QueueResult queue(block::Request& request) override;
  void kick(unsigned queue_index) override;
  void timed_out(block::Request& request) override;
  RefPtr<block::Disk> disk;

 private:
  Controller& controller_;
  NamespaceFormat format_;
  std::atomic<block::Request*> late_{nullptr};
};

class Controller {
 public:
  explicit Controller(pci::Device& device)
      : device_(device),
        end_([](core::Work& work) { base::container_of(&work, &Controller::end_)->end(); }) {}
  Result<void> start(unsigned index);
  Result<void> announce();
  QueuePair& pair(unsigned index) { return pairs_[index]; }
  bool take_completions(unsigned index);
  bool is_fatal() { return registers().read32(Register::status) & status_fatal; }
  void give_up() {
    if (!is_dead_.exchange(true, std::memory_order_acq_rel)) core::WorkQueue::system().post(end_);
  }

 private:
  struct Vector {
    Controller* controller = nullptr;
    unsigned index = 0;
    core::InterruptRegistration registration;
  };
  core::MemoryRegisters& registers() { return mapping_.registers(); }
  Result<void> set_enabled(bool enabled);
  Result<std::uint32_t> perform(Command command);
  Result<void> identify(std::uint32_t structure, std::uint32_t name_space);
  Result<void> start_queues();
  Result<void> add_namespace(std::uint32_t identifier);
  block::DiskLimits limits_of(unsigned block_shift) const;
  void resume(unsigned index);
  void end();
  template <typename T>
  T answer(unsigned offset) const {
    T value;
    std::memcpy(&value, answer_.bytes().data() + offset, sizeof(value));
    return value;
  }

  pci::Device& device_;
  pci::Mapping mapping_;
  pci::InterruptVectors vectors_;
  unsigned index_ = 0, doorbell_stride_ = 4;
  std::uint64_t start_limit_ns_ = 0;
  // The admin queue; while the driver starts.
  core::DmaMemory admin_submissions_, admin_completions_, answer_;
  unsigned admin_tail_ = 0, admin_head_ = 0;
  std::uint16_t admin_phase_ = 1, admin_identifier_ = 0;
  // What the controller said.
  std::uint32_t bytes_max_ = QueuePair::bytes_max;
  std::uint16_t optional_commands_ = 0;
  bool has_cache_ = false;
  char serial_[serial_length + 1] = {};

  QueuePair pairs_[queues_max];
  unsigned pair_count_ = 0;
  Vector handlers_[queues_max];
  NvmeDisk* disks_[namespaces_max] = {};
  unsigned disk_count_ = 0;
  std::atomic<bool> is_dead_{false};
  core::Work end_;
};

// ---- Starting ----

Result<void> Controller::set_enabled(bool enabled) {
  registers().write32(Register::configuration,
                      enabled ? configuration_enable | configuration_entry_sizes : 0);
  std::uint64_t give_up_at = core::monotonic_ns() + start_limit_ns_;
  for (;;) {
    std::uint32_t now = registers().read32(Register::status);
    if (now == ~0u || (enabled && (now & status_fatal))) return error(Errno::eio);
    if (((now & status_ready) != 0) == enabled) return {};
    if (core::monotonic_ns() > give_up_at) return error(Errno::etimedout);
    core::sleep_for(1'000'000);
  }
}

// One at a time, only while starting.
Result<std::uint32_t> Controller::perform(Command command) {
  command.identifier = ++admin_identifier_;
  std::memcpy(admin_submissions_.bytes().data() + admin_tail_ * sizeof(Command), &command, sizeof(command));
  admin_tail_ = (admin_tail_ + 1) % admin_entries;
  registers().write32(Register::doorbells, admin_tail_);
  auto* entry = static_cast<Completion*>(
      static_cast<void*>(admin_completions_.bytes().data() + admin_head_ * sizeof(Completion)));
  std::uint64_t give_up_at = core::monotonic_ns() + command_limit_ns;
  std::uint16_t status;
  // acquire: the rest of the entry was written before its phase.
  while (((status = std::atomic_ref(entry->status).load(std::memory_order_acquire)) & 1) != admin_phase_) {
    if (core::monotonic_ns() > give_up_at) return error(Errno::etimedout);
    core::sleep_for(200'000);
  }
  std::uint32_t result = entry->result;
  bool is_ours = entry->identifier == command.identifier;
  if (++admin_head_ == admin_entries) {
    admin_head_ = 0;
    admin_phase_ ^= 1;
  }
  registers().write32(Register::doorbells + doorbell_stride_, admin_head_);
  if (!is_ours || status >> 1) return error(Errno::eio);
  return result;
}

Result<void> Controller::identify(std::uint32_t structure, std::uint32_t name_space) {
  Command command;
  command.opcode = static_cast<std::uint8_t>(Opcode::identify);
  command.name_space = name_space;
  command.pages[0] = answer_.device_address();
  command.words[0] = structure;
  (void)TRY(perform(command));
  return {};
}

Result<void> Controller::start_queues() {
  vectors_ = TRY(device_.allocate_interrupts(std::min(queues_max, arch::cpu_count())));
  unsigned wanted = std::min({queues_max, arch::cpu_count(), vectors_.count()});
  Command features;
  features.opcode = static_cast<std::uint8_t>(Opcode::set_features);
  features.words[0] = feature_queues;
  features.words[1] = (wanted - 1) | (wanted - 1) << 16;
  std::uint32_t granted = TRY(perform(features));
  pair_count_ = std::min({wanted, (granted & 0xffff) + 1, (granted >> 16) + 1});
  for (unsigned i = 0; i < pair_count_; ++i) {
    TRY(pairs_[i].create(registers(), i + 1, doorbell_stride_));
    handlers_[i].controller = this;
    handlers_[i].index = i;
    core::InterruptHandler handler{.name = "nvme",
                                   .thread =
                                       [](void* context) {
                                         auto* vector = static_cast<Vector*>(context);
                                         return vector->controller->take_completions(vector->index)
                                                    ? core::InterruptOutcome::handled
                                                    : core::InterruptOutcome::not_mine;
                                       },
                                   .context = &handlers_[i],
                                   .shared = vectors_.is_shared()};
    handlers_[i].registration = TRY(core::InterruptRegistration::request(vectors_.number(i), handler));
    Command completion;
    completion.opcode = static_cast<std::uint8_t>(Opcode::create_completion_queue);
    completion.pages[0] = pairs_[i].completion_address();
    completion.words[0] = (i + 1) | (QueuePair::entries - 1) << 16;
    completion.words[1] = 3 | i << 16;  // contiguous, with interrupts, its vector
    (void)TRY(perform(completion));
    Command submission;
    submission.opcode = static_cast<std::uint8_t>(Opcode::create_submission_queue);
    submission.pages[0] = pairs_[i].submission_address();
    submission.words[0] = (i + 1) | (QueuePair::entries - 1) << 16;
    submission.words[1] = 1 | (i + 1) << 16;  // contiguous, its completion queue
    (void)TRY(perform(submission));
  }
  return {};
}

Result<void> Controller::start(unsigned index) {
  index_ = index;
  mapping_ = TRY(device_.map(0));
  if (registers().size() < Register::doorbells + 0x1000) return error(Errno::enxio);
  device_.enable();
  std::uint32_t low = registers().read32(Register::capabilities_low),
                high = registers().read32(Register::capabilities_high);
  doorbell_stride_ = 4u << (high & 15);
  start_limit_ns_ = std::uint64_t{(low >> 24) + 1} * 500'000'000;
  bool takes_small_pages = (high >> 16 & 15) == 0, has_commands = high >> 5 & 1;
  std::uint64_t last_doorbell = Register::doorbells + std::uint64_t{2 * queues_max + 2} * doorbell_stride_;
  if ((low & 0xffff) + 1 < QueuePair::entries || !takes_small_pages || !has_commands ||
      last_doorbell > registers().size())
    return error(Errno::enodev);
  TRY(set_enabled(false));
  admin_submissions_ = TRY(core::DmaMemory::allocate(admin_entries * sizeof(Command)));
  admin_completions_ = TRY(core::DmaMemory::allocate(admin_entries * sizeof(Completion)));
  answer_ = TRY(core::DmaMemory::allocate(4096));
  registers().write32(Register::admin_queue_sizes, (admin_entries - 1) | (admin_entries - 1) << 16);
  auto write_address = [&](unsigned at, std::uint64_t address) {
    registers().write32(at, static_cast<std::uint32_t>(address));
    registers().write32(at + 4, static_cast<std::uint32_t>(address >> 32));
  };
  write_address(Register::admin_submission, admin_submissions_.device_address());
  write_address(Register::admin_completion, admin_completions_.device_address());
  TRY(set_enabled(true));
  TRY(identify(identify_controller, 0));
  unsigned transfer = answer<std::uint8_t>(ControllerPlace::transfer_limit_at);
  if (transfer && transfer < 8) bytes_max_ = std::min(bytes_max_, 4096u << transfer);
  optional_commands_ = answer<std::uint16_t>(ControllerPlace::optional_commands_at);
  has_cache_ = answer<std::uint8_t>(ControllerPlace::cache_at) & 1;
  std::memcpy(serial_, answer_.bytes().data() + ControllerPlace::serial_at, serial_length);
  for (unsigned i = serial_length; i-- && (serial_[i] == ' ' || serial_[i] == '\0');) serial_[i] = '\0';
  TRY(start_queues());
  TRY(identify(identify_active, 0));
  std::uint32_t found[namespaces_max];
  std::memcpy(found, answer_.bytes().data(), sizeof(found));
  for (std::uint32_t identifier : found) {
    if (identifier == 0) break;
    if (auto added = add_namespace(identifier); !added)
      core::log(core::LogLevel::error, "nvme{}: namespace {} cannot be used, error {}", index_, identifier,
                added.error());
  }
  return {};
}

block::DiskLimits Controller::limits_of(unsigned block_shift) const {
  block::DiskLimits limits;
  limits.hardware_queues = pair_count_;
  limits.queue_depth = QueuePair::requests_max;
  limits.segments_max = QueuePair::segments_max;
  limits.request_bytes_max = limits.segment_length_max = bytes_max_;
  limits.logical_block = limits.physical_block = 1u << block_shift;
  limits.volatile_cache = has_cache_;
  limits.force_unit_access = true;
  // 16 bits count the blocks of a command; a range of a discard may be longer.
  if (optional_commands_ & optional_write_zeroes)
    limits.write_zeroes_sectors_max = std::uint64_t{1} << 15 << (block_shift - block::sector_shift);
  if (optional_commands_ & optional_dataset_management) limits.discard_sectors_max = 1u << 22;
  return limits;
}

Result<void> Controller::add_namespace(std::uint32_t identifier) {
  TRY(identify(identify_namespace, identifier));
  std::uint64_t blocks = answer<std::uint64_t>(NamespacePlace::size_at);
  unsigned chosen = answer<std::uint8_t>(NamespacePlace::formatted_as_at) & 15;
  std::uint32_t format = answer<std::uint32_t>(NamespacePlace::formats_at + chosen * 4);
  unsigned block_shift = format >> 16 & 0xff, metadata_bytes = format & 0xffff;
  if (block_shift < 9 || block_shift > 12 || metadata_bytes) return error(Errno::eopnotsupp);
  if (blocks == 0 || blocks >> (63 - block_shift)) return error(Errno::einval);
  auto disk = TRY(base::try_make_unique<NvmeDisk>(*this, NamespaceFormat{identifier, block_shift}));
  char memory[24];
  base::TextBuffer name(memory);
  base::format(name, "nvme{}n{}", index_, identifier);
  block::DiskDescription description;
  description.name = name.view();
  description.major = description.partition_major = major_number;
  description.first_minor = description.first_partition_minor =
      (index_ * namespaces_max + disk_count_) * minors;
  description.minors = minors;
  description.sectors = blocks << (block_shift - block::sector_shift);
  description.limits = limits_of(block_shift);
  description.serial = serial_;
  disk->disk = TRY(block::Disk::create(description, *disk));
  disks_[disk_count_++] = disk.release();  // for ever
  return {};
}

Result<void> Controller::announce() {
  for (unsigned i = 0; i < disk_count_; ++i) TRY(disks_[i]->disk->announce());
  return {};
}

// Disabled, it writes to no memory any more; what it held can be given back.
void Controller::end() {
  core::log(core::LogLevel::error, "nvme{}: the controller does not work any more; it is stopped", index_);
  device_.disable();
  for (unsigned i = 0; i < pair_count_; ++i) {
    pairs_[i].fail_all(Errno::eio);
    resume(i);
  }
}

// ---- Requests ----

bool Controller::take_completions(unsigned index) {
  bool any = pairs_[index].take_completions();
  if (any && pairs_[index].take_refusal()) resume(index);
  return any;
}
void Controller::resume(unsigned index) {
  for (unsigned i = 0; i < disk_count_; ++i) disks_[i]->disk->resume(index);
}

block::QueueResult NvmeDisk::queue(block::Request& request) {
  return controller_.pair(request.queue_index()).submit(request, format_);
}
void NvmeDisk::kick(unsigned queue_index) { controller_.pair(queue_index).ring(); }

// An interrupt may have got lost; who is still late after that waits for a controller that has died.
void NvmeDisk::timed_out(block::Request& request) {
  bool again = late_.exchange(&request, std::memory_order_acq_rel) == &request;
  if (controller_.is_fatal() || again) return controller_.give_up();
  if (controller_.take_completions(request.queue_index())) late_.store(nullptr, std::memory_order_release);
}

// ---- The driver ----

constinit Controller* controllers[controllers_max] = {};
constinit unsigned controller_count = 0;  // the init steps run one after the other

class NvmeDriver final : public pci::Driver {
 public:
  constexpr NvmeDriver() : Driver("nvme") {}
  bool matches(const pci::Device& device) const override { return device.class_code() == class_nvme; }
  Result<void> start(pci::Device& device) override {
    if (controller_count == controllers_max) return error(Errno::enospc);
    auto controller = TRY(base::try_make_unique<Controller>(device));
    if (auto started = controller->start(controller_count); !started) {
      device.disable();  // before the memory of its queues goes
      return started;
    }
    controllers[controller_count++] = controller.release();  // for ever
    return {};
  }
};
constinit NvmeDriver driver;

Result<void> start_driver() {
  pci::register_driver(driver);
  return {};
}
// The names need /sys and /dev, which come later than drivers.
Result<void> announce_disks() {
  for (unsigned i = 0; i < controller_count; ++i) TRY(controllers[i]->announce());
  return {};
}
INIT_STEP nvme_step{"drivers.nvme", {"pci"}, start_driver, {"drivers"}};
INIT_STEP announce_step{"nvme.disks", {"drivers", "block"}, announce_disks, {"vfs"}};

}  // namespace
}  // namespace nvme
