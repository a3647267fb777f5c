// RISC-V Advanced Interrupt Architecture 1.0, chapter 3.
#include "imsic.h"

#include <arch/cpu.h>
#include <arch/interrupt.h>

#include <array>
#include <atomic>

#include "core/device/register_block.h"
#include "core/interrupt/interrupt.h"
#include "core/interrupt/interrupt_domain.h"
#include "core/interrupt/message_interrupt.h"
#include "core/log/log.h"
#include "core/memory/kernel_map.h"
#include "core/sync/spin_lock.h"
#include "riscv64/registers.h"
#include "riscv64/smp.h"

namespace imsic {
namespace {

using core::InterruptTrigger;
using device_tree::Node;

constexpr unsigned most_identities = 2048, no_file = ~0u;

// Registers of the hart's own file, chosen through siselect. With 64 bits only every other one of an array
// exists.
enum FileRegister : std::uint64_t { delivery = 0x70, threshold = 0x72, pending = 0x80, enable = 0xc0 };
void write_file(std::uint64_t which, std::uint64_t value) {
  arch::InterruptsOff off;  // the choice and the access go together
  arch::write_siselect(which);
  arch::write_sireg(value);
}

constinit std::optional<Node> controller;
constinit std::uint64_t first_page = 0;
constinit unsigned page_shift_of_file = 12;
constinit unsigned identity_count = 0;  // 0 is none of them
// What CPUs send each other; before all others, so that it is taken first.
constexpr unsigned request_identity = 1;
constinit core::MemoryRegisters file_pages;
constinit std::array<unsigned, arch::max_cpus> files{};  // of CPUs that run
// Which interrupt an identity stands for, plus one; 0: none.
constinit std::array<std::atomic<unsigned>, most_identities> interrupt_of_identity{};

// Messages of PCI devices: the hardware number is the identity.
class MessageDomain final : public core::InterruptDomain, public core::MessageInterruptController {
 public:
  constexpr MessageDomain() : InterruptDomain("RISC-V IMSIC") {}

  base::Result<std::uint32_t> reserve(core::MessageInterruptSource* source) {
    core::SpinGuard<core::IrqSave> guard{lock_};
    for (std::uint32_t identity = request_identity + 1; identity < identity_count; ++identity) {
      if (taken_[identity]) continue;
      taken_[identity] = true;
      sources_[identity] = source;
      return identity;
    }
    return base::error(base::Errno::enospc);
  }

  base::Result<unsigned> allocate(core::MessageInterruptSource& source) override {
    std::uint32_t identity = TRY(reserve(&source));
    auto number = map(identity, InterruptTrigger::edge_rising);
    if (!number) {
      free_identity(identity);
      return number;
    }
    interrupt_of_identity[identity].store(*number + 1, std::memory_order_release);
    return number;
  }

  void release(unsigned number) override {
    for (std::uint32_t identity = request_identity + 1; identity < identity_count; ++identity) {
      if (interrupt_of_identity[identity].load(std::memory_order_relaxed) != number + 1) continue;
      unmap(number);
      free_identity(identity);
      return;
    }
    base::unreachable("release of a message interrupt that was not allocated");
  }

  // Called with the line's lock, and only while the identity is taken.
  void mask(unsigned identity) override { sources_[identity]->mask(); }
  void unmask(unsigned identity) override { sources_[identity]->unmask(); }

  base::Result<void> configure(unsigned identity, unsigned, InterruptTrigger,
                               const core::CpuMask& cpus) override {
    auto file = file_of_cpu(cpus.first());
    if (!file) return base::error(base::Errno::einval);
    std::uint64_t page = first_page + (std::uint64_t{*file} << page_shift_of_file);
    sources_[identity]->set_message({.address = page, .data = identity});
    return {};
  }

 private:
  void free_identity(std::uint32_t identity) {
    core::SpinGuard<core::IrqSave> guard{lock_};
    interrupt_of_identity[identity].store(0, std::memory_order_release);
    taken_[identity] = false;
    sources_[identity] = nullptr;
  }

  core::SpinLock lock_{"IMSIC identities"};  // which are taken
  std::array<bool, most_identities> taken_{};
  std::array<core::MessageInterruptSource*, most_identities> sources_{};
};

constinit MessageDomain domain;

void message_came(unsigned) {
  for (;;) {
    // Reading and writing at once takes the most urgent one. SAFETY: a register of the hart's own file.
    std::uint64_t top;
    asm volatile("csrrw %0, 0x15c, zero" : "=r"(top)::"memory");
    auto identity = static_cast<unsigned>(top >> 16 & (most_identities - 1));
    if (!identity) return;
    if (identity == request_identity) {
      arch::take_cpu_requests();
      continue;
    }
    unsigned number = interrupt_of_identity[identity].load(std::memory_order_acquire);
    if (number) core::handle_interrupt(number - 1);
  }
}

bool send_request(unsigned cpu) {
  auto file = file_of_cpu(cpu);
  if (file) file_pages.write32(*file << page_shift_of_file, request_identity);
  return file.has_value();
}

void start_on_cpu(unsigned cpu) {
  unsigned file = arch::supervisor_interrupt_index(*controller, cpu).value_or(no_file);
  auto range = controller->registers(0);
  if (file == no_file || !range || (std::uint64_t{file} << page_shift_of_file) >= range->size) {
    files[cpu] = no_file;
    return;
  }
  files[cpu] = file;
  write_file(delivery, 0);
  write_file(threshold, 0);
  // Every identity is enabled: what must not come is held back where it is sent.
  for (unsigned first = 0; first < identity_count; first += 64) {
    write_file(pending + first / 32, 0);
    write_file(enable + first / 32, first == 0 ? ~std::uint64_t{1} : ~std::uint64_t{0});
  }
  write_file(delivery, 1);
  arch::enable_external_interrupts();
}

std::optional<Node> find_node(const device_tree::Tree& tree) {
  for (Node node : tree.nodes()) {
    if (!node.is_available() || !node.is_compatible("riscv,imsics")) continue;
    if (arch::interrupts_supervisor(node)) return node;
  }
  return std::nullopt;
}

}  // namespace

bool is_node(const Node& node) { return controller && *controller == node; }

std::optional<std::uint32_t> file_of_cpu(unsigned cpu) {
  if (cpu >= arch::cpu_count() || files[cpu] == no_file) return std::nullopt;
  return files[cpu];
}

base::Result<std::uint32_t> allocate_identity(unsigned number) {
  std::uint32_t identity = TRY(domain.reserve(nullptr));
  interrupt_of_identity[identity].store(number + 1, std::memory_order_release);
  return identity;
}

base::Result<void> start(const device_tree::Tree& tree) {
  auto node = find_node(tree);
  auto range = node ? node->registers(0) : std::nullopt;
  unsigned count = node ? node->cell("riscv,num-ids").value_or(0) + 1 : 0;
  if (!range || count < 2) return base::error(base::Errno::enxio);
  controller = node;
  first_page = range->address;
  // Files for guests follow the hart's own.
  page_shift_of_file = 12 + node->cell("riscv,guest-index-bits").value_or(0);
  identity_count = count < most_identities ? count : most_identities;
  file_pages = core::MemoryRegisters(TRY(core::map_device_memory(core::PhysicalAddress(range->address),
                                                                 range->size, arch::CacheType::uncached)),
                                     range->size);
  arch::set_device_interrupt_handler(message_came);
  arch::set_cpu_start_hook(start_on_cpu);
  start_on_cpu(0);
  arch::set_cpu_interrupter(send_request);
  core::set_message_interrupt_controller(domain);
  core::log(core::LogLevel::info, "IMSIC: {} identities", identity_count - 1);
  return {};
}

}  // namespace imsic
