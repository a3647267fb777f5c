// Version 3: the CPU interface is in system registers, and each CPU has a redistributor for its own
// interrupts (ARM IHI 0069).
#include <arch/cpu.h>
#include <arch/interrupt.h>
#include <arch/page_attributes.h>

#include "aarch64/cpu_area.h"
#include "aarch64/interrupt_controller.h"
#include "aarch64/registers.h"
#include "controllers.h"
#include "core/init/panic.h"
#include "core/log/log.h"
#include "core/memory/kernel_map.h"
#include "distributor.h"

namespace gic {
namespace {

// SAFETY (this file): the registers of this CPU's interface, by the encodings of the manual.
#define ICC_SRE "S3_0_C12_C12_5"
#define ICC_PMR "S3_0_C4_C6_0"
#define ICC_BPR1 "S3_0_C12_C12_3"
#define ICC_IGRPEN1 "S3_0_C12_C12_7"
#define ICC_CTLR "S3_0_C12_C12_4"
#define ICC_IAR1 "S3_0_C12_C12_0"
#define ICC_EOIR1 "S3_0_C12_C12_1"
#define ICC_SGI1R "S3_0_C12_C11_5"

constexpr std::uint32_t enable_group_1 = 2, affinity_routing = 1 << 4, write_pending = 1u << 31;
// Redistributor: two frames of 64 KiB, four with virtual LPIs; the second has the layout of a distributor.
constexpr std::size_t frame = 0x10000, redistributor_type = 0x08, waker = 0x14;
constexpr std::uint32_t processor_sleep = 2, children_asleep = 4;
constexpr unsigned most_regions = 8;

struct Region {
  Registers registers;
  std::size_t size = 0;
};
constinit Registers distributor;
constinit Region regions[most_regions];
constinit unsigned region_count = 0;
constinit Registers own_frame[arch::max_cpus];  // the second of its redistributor

unsigned acknowledge() {
  auto interrupt = static_cast<unsigned>(NOS_READ_REGISTER(ICC_IAR1) & 0xffffff);
  asm volatile("dsb sy" ::: "memory");
  return interrupt;
}
void end(unsigned interrupt) {
  NOS_WRITE_REGISTER(ICC_EOIR1, interrupt);
  arch::instruction_barrier();
}
void send(unsigned interrupt, unsigned cpu) {
  std::uint64_t id = arch::cpu_local(cpu).hardware_id;
  std::uint64_t value = (id >> 32 & 0xff) << 48 | (id >> 16 & 0xff) << 32 | (id >> 8 & 0xff) << 16 |
                        (id >> 4 & 15) << 44 | std::uint64_t{1} << (id & 15) | std::uint64_t{interrupt} << 24;
  NOS_WRITE_REGISTER(ICC_SGI1R, value);
  arch::instruction_barrier();
}

Registers find_redistributor(std::uint64_t id) {
  std::uint64_t affinity = (id >> 32 & 0xff) << 24 | (id & 0xffffff);
  for (unsigned i = 0; i < region_count; ++i) {
    for (std::size_t at = 0; at + 2 * frame <= regions[i].size;) {
      Registers candidate = regions[i].registers.at(at);
      std::uint64_t description = candidate.read64(redistributor_type);
      if (description >> 32 == affinity) return candidate;
      if (description >> 4 & 1) break;  // the last of its region
      at += description >> 1 & 1 ? 4 * frame : 2 * frame;
    }
  }
  return {};
}

void start_cpu() {
  Registers redistributor = find_redistributor(arch::read_hardware_id());
  if (!redistributor) core::panic("GIC: CPU {} has no redistributor", arch::cpu_index());
  redistributor.write(waker, redistributor.read(waker) & ~processor_sleep);
  for (unsigned i = 0; i < 1'000'000 && redistributor.read(waker) & children_asleep; ++i) arch::relax();
  Registers local = redistributor.at(frame);
  own_frame[arch::cpu_index()] = local;
  local.write(clear_enable, ~0u);
  local.write(group, ~0u);
  for (std::size_t i = 0; i < 32; i += 4) local.write(priority + i, usual_priority * 0x01010101u);

  NOS_WRITE_REGISTER(ICC_SRE, NOS_READ_REGISTER(ICC_SRE) | 1);
  arch::instruction_barrier();
  NOS_WRITE_REGISTER(ICC_PMR, 0xf0);
  NOS_WRITE_REGISTER(ICC_BPR1, 0);
  NOS_WRITE_REGISTER(ICC_CTLR, 0);  // the end of an interrupt also deactivates it
  NOS_WRITE_REGISTER(ICC_IGRPEN1, 1);
  arch::instruction_barrier();
}
void enable_local(unsigned interrupt) { enable(own_frame[arch::cpu_index()], interrupt); }

void route(unsigned interrupt, unsigned cpu) {
  distributor.write64(routing + interrupt * 8, arch::cpu_local(cpu).hardware_id);
}

void wait_for_distributor() {
  for (unsigned i = 0; i < 1'000'000 && distributor.read(control) & write_pending; ++i) arch::relax();
}

}  // namespace

base::Result<void> start_version_3(const device_tree::Node& node) {
  constexpr auto uncached = arch::CacheType::uncached;
  auto map = [](const device_tree::Range& range) {
    return core::map_device_memory(core::PhysicalAddress(range.address), range.size, uncached);
  };
  auto range = node.registers(0);
  if (!range) return base::error(base::Errno::enxio);
  distributor = Registers(TRY(map(*range)));
  unsigned count = node.cell("#redistributor-regions").value_or(1);
  for (unsigned i = 0; i < count && region_count < most_regions; ++i) {
    auto region = node.registers(1 + i);
    if (!region) return base::error(base::Errno::enxio);
    regions[region_count++] = {Registers(TRY(map(*region))), region->size};
  }
  distributor.write(control, 0);
  wait_for_distributor();
  prepare_distributor(distributor);
  distributor.write(control, affinity_routing | enable_group_1);
  wait_for_distributor();
  start_distributor(distributor, route);
  arch::set_interrupt_controller({acknowledge, end, send, start_cpu, enable_local});
  start_cpu();
  core::log(core::LogLevel::info, "GIC: version 3, {} interrupts", (distributor.read(type) & 31) * 32 + 32);
  return {};
}

}  // namespace gic
