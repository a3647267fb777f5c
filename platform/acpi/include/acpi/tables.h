// The static ACPI tables (ACPI specification 6.5, chapter 5): where they are, and the few that we read. No
// AML is interpreted.
//
//   acpi::initialize(rsdp)                         finds and maps all tables; once, when memory works
//   if (auto madt = acpi::find_table("APIC")) acpi::for_each_madt_entry(*madt, ...)
//
// Everything here comes from outside: lengths are checked against the table before a byte is used, and tables
// with a wrong check sum are not used at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "base/function_ref.h"

namespace acpi {

using Table = std::span<const std::byte>;  // with its header of 36 bytes

inline constexpr std::size_t header_size = 36;

// Unaligned little-endian field; nothing past the end of the table.
template <typename T>
std::optional<T> field(Table table, std::size_t offset) {
  if (offset > table.size() || table.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, table.data() + offset, sizeof(value));
  return value;
}

bool has_valid_checksum(Table bytes);

// Kernel only (src/kernel_only). `rsdp` is a physical address; 0 looks in the places a PC keeps it.
void initialize(std::uintptr_t rsdp);
std::optional<Table> find_table(std::string_view signature, unsigned index = 0);
void for_each_table(base::FunctionRef<void(std::string_view signature, Table table)> visit);

// --- MADT
enum class MadtType : std::uint8_t {
  local_apic = 0,
  io_apic = 1,
  source_override = 2,
  nmi_source = 3,
  local_nmi = 4,
  local_x2apic = 9,
};
// `entry` begins with its type and length.
void for_each_madt_entry(Table madt, base::FunctionRef<void(MadtType type, Table entry)> visit);

// --- FADT
struct Fadt {
  std::uint64_t dsdt = 0;
  std::uint32_t smi_command = 0;
  std::uint8_t acpi_enable = 0;
  std::uint16_t pm1a_control = 0, pm1b_control = 0, pm_timer = 0, sci_interrupt = 0;
  std::uint32_t flags = 0;
  std::uint8_t reset_space = 0xff;  // 0 memory, 1 port; 0xff none
  std::uint64_t reset_address = 0;
  std::uint8_t reset_value = 0;
  std::uint8_t century_cell = 0;
};
std::optional<Fadt> read_fadt(Table fadt);

// The two sleep type values of the package \_S5_, found by its bytes in the definition block: Name (_S5_,
// Package (4) {a, b, …}).
struct SleepTypes {
  std::uint8_t a = 0, b = 0;
};
std::optional<SleepTypes> find_s5(Table definition_block);

// --- HPET: physical address of its registers.
std::optional<std::uint64_t> read_hpet(Table hpet);

}  // namespace acpi
