// The interrupt controller inside each CPU (Intel SDM 3A, chapter 11): registers in memory (xAPIC) or as MSRs
// (x2APIC).
#pragma once

#include <cstdint>

namespace arch {

enum class ApicRegister : std::uint32_t {
  id = 0x2,
  version = 0x3,
  task_priority = 0x8,
  end_of_interrupt = 0xb,
  logical_destination = 0xd,
  destination_format = 0xe,
  spurious = 0xf,
  error_status = 0x28,
  command_low = 0x30,
  command_high = 0x31,
  timer = 0x32,
  thermal = 0x33,
  performance = 0x34,
  line0 = 0x35,
  line1 = 0x36,
  error = 0x37,
  timer_initial = 0x38,
  timer_current = 0x39,
  timer_divide = 0x3e,
};

// Boot CPU, once memory can be mapped. Chooses x2APIC where there is one.
void initialize_local_apic();
// Every CPU, boot CPU included (called by initialize_local_apic).
void enable_local_apic();

std::uint32_t read_apic(ApicRegister reg);
void write_apic(ApicRegister reg, std::uint32_t value);
std::uint32_t local_apic_id();
bool uses_x2apic();

// `command` is the low half of the interrupt command register. Any context.
void send_apic_command(std::uint32_t apic_id, std::uint32_t command);
void send_apic_vector(std::uint32_t apic_id, unsigned vector);

}  // namespace arch
