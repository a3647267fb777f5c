#include "local_apic.h"

#include <arch/cpu.h>
#include <arch/interrupt.h>

#include "core/init/panic.h"
#include "core/log/log.h"
#include "core/memory/kernel_map.h"
#include "interrupts.h"
#include "x86_64/cpu_area.h"
#include "x86_64/features.h"
#include "x86_64/registers.h"

namespace arch {
namespace {

constinit volatile std::uint32_t* memory_registers = nullptr;  // null: x2APIC

constexpr std::uint32_t masked = 1 << 16, non_maskable_delivery = 4 << 8, assert_level = 1 << 14;

}  // namespace

bool uses_x2apic() { return memory_registers == nullptr; }

std::uint32_t read_apic(ApicRegister reg) {
  if (!memory_registers)
    return static_cast<std::uint32_t>(
        read_msr(static_cast<std::uint32_t>(Msr::x2apic_base) + static_cast<std::uint32_t>(reg)));
  return memory_registers[static_cast<std::uint32_t>(reg) * 4];
}

void write_apic(ApicRegister reg, std::uint32_t value) {
  if (!memory_registers)
    write_msr(static_cast<std::uint32_t>(Msr::x2apic_base) + static_cast<std::uint32_t>(reg), value);
  else
    memory_registers[static_cast<std::uint32_t>(reg) * 4] = value;
}

std::uint32_t local_apic_id() {
  std::uint32_t id = read_apic(ApicRegister::id);
  return memory_registers ? id >> 24 : id;
}

void enable_local_apic() {
  std::uint64_t base = read_msr(Msr::apic_base) | 0x800;
  if (!memory_registers) base |= 0x400;
  write_msr(Msr::apic_base, base);
  write_apic(ApicRegister::task_priority, 0);
  if (memory_registers) {
    write_apic(ApicRegister::destination_format, 0xffffffff);  // flat
    write_apic(ApicRegister::logical_destination, 0);
  }
  write_apic(ApicRegister::line0, masked);
  write_apic(ApicRegister::line1, non_maskable_delivery);
  write_apic(ApicRegister::error, static_cast<std::uint32_t>(SystemVector::error));
  write_apic(ApicRegister::timer, masked);
  write_apic(ApicRegister::spurious, 0x100 | static_cast<std::uint32_t>(SystemVector::spurious));
  this_cpu_local().apic_id = local_apic_id();
}

void initialize_local_apic() {
  std::uint64_t base = read_msr(Msr::apic_base);
  if (!cpu_features().x2apic) {
    auto mapped =
        core::map_device_memory(base::PhysicalAddress(base & 0xffffff000), 4096, CacheType::uncached);
    if (!mapped) core::panic("local APIC: no memory to map its registers");
    memory_registers = static_cast<volatile std::uint32_t*>(*mapped);
  }
  // The two old controllers stay masked for good; their vectors are moved away from the processor's.
  constexpr std::uint16_t first = 0x20, second = 0xa0;
  out8(first, 0x11);
  out8(second, 0x11);
  out8(first + 1, 0x20);
  out8(second + 1, 0x28);
  out8(first + 1, 4);
  out8(second + 1, 2);
  out8(first + 1, 1);
  out8(second + 1, 1);
  out8(first + 1, 0xff);
  out8(second + 1, 0xff);
  enable_local_apic();
  core::log(core::LogLevel::info, "local APIC {} version {:#x}{}", local_apic_id(),
            read_apic(ApicRegister::version) & 0xff, memory_registers ? "" : ", x2APIC");
}

void send_apic_command(std::uint32_t apic_id, std::uint32_t command) {
  // What was written to memory before must be seen by the CPU that is interrupted; WRMSR to the x2APIC does
  // not order.
  full_memory_barrier();
  if (!memory_registers) {
    write_msr(static_cast<std::uint32_t>(Msr::x2apic_base) + 0x30,
              std::uint64_t{apic_id} << 32 | command | assert_level);
    return;
  }
  InterruptsOff off;
  while (memory_registers[0x30 * 4] & 1 << 12) relax();
  memory_registers[0x31 * 4] = apic_id << 24;
  memory_registers[0x30 * 4] = command | assert_level;
}

void send_apic_vector(std::uint32_t apic_id, unsigned vector) { send_apic_command(apic_id, vector); }

void end_of_interrupt() { write_apic(ApicRegister::end_of_interrupt, 0); }

}  // namespace arch
