// Version 2: the CPU interface is a block of registers that each CPU sees as its own (ARM IHI 0048).
#include <arch/cpu.h>
#include <arch/page_attributes.h>

#include "aarch64/interrupt_controller.h"
#include "controllers.h"
#include "core/log/log.h"
#include "core/memory/kernel_map.h"
#include "distributor.h"

namespace gic {
namespace {

enum Interface : std::size_t {
  interface_control = 0,
  priority_mask = 4,
  acknowledge_at = 0xc,
  end_at = 0x10
};
constexpr std::size_t software_interrupt = 0xf00;

constinit Registers distributor, interface;
// The bit that the distributor has for a CPU.
constinit std::uint8_t target_of[arch::max_cpus] = {};
// Sender and number of what each CPU has acknowledged last: the end needs both.
constinit std::uint32_t acknowledged[arch::max_cpus] = {};

unsigned acknowledge() {
  std::uint32_t value = interface.read(acknowledge_at);
  acknowledged[arch::cpu_index()] = value;
  return value & 0x3ff;
}
void end(unsigned interrupt) {
  std::uint32_t value = acknowledged[arch::cpu_index()];
  interface.write(end_at, (value & 0x3ff) == interrupt ? value : interrupt);
}
void send(unsigned interrupt, unsigned cpu) {
  distributor.write(software_interrupt, std::uint32_t{target_of[cpu]} << 16 | interrupt);
}
void start_cpu() {
  std::uint8_t own = 0;
  for (std::size_t i = 0; i < 32 && !own; i += 4) {
    std::uint32_t value = distributor.read(targets + i);
    own = static_cast<std::uint8_t>(value | value >> 8 | value >> 16 | value >> 24);
  }
  target_of[arch::cpu_index()] = own ? own : 1;  // a machine of one CPU reads as zero
  distributor.write(clear_enable, ~0u);
  for (std::size_t i = 0; i < 32; i += 4) distributor.write(priority + i, usual_priority * 0x01010101u);
  interface.write(priority_mask, 0xf0);
  interface.write(interface_control, 1);
}
void enable_local(unsigned interrupt) { enable(distributor, interrupt); }

void route(unsigned interrupt, unsigned cpu) { distributor.write8(targets + interrupt, target_of[cpu]); }

}  // namespace

base::Result<void> start_version_2(const device_tree::Node& node) {
  auto first = node.registers(0), second = node.registers(1);
  if (!first || !second) return base::error(base::Errno::enxio);
  constexpr auto uncached = arch::CacheType::uncached;
  distributor =
      Registers(TRY(core::map_device_memory(core::PhysicalAddress(first->address), first->size, uncached)));
  interface =
      Registers(TRY(core::map_device_memory(core::PhysicalAddress(second->address), second->size, uncached)));
  distributor.write(control, 0);
  prepare_distributor(distributor);
  distributor.write(control, 1);
  start_distributor(distributor, route);
  arch::set_interrupt_controller({acknowledge, end, send, start_cpu, enable_local});
  start_cpu();
  core::log(core::LogLevel::info, "GIC: version 2");
  return {};
}

}  // namespace gic
