#include <arch/page_attributes.h>

#include <array>

#include "acpi/tables.h"
#include "core/log/log.h"
#include "core/memory/kernel_map.h"

namespace acpi {
namespace {

constexpr std::size_t most_tables = 48;
constinit std::array<Table, most_tables> tables{};
constinit std::size_t table_count = 0;

constexpr std::size_t largest_table = 4u << 20;

// Mappings are kept for good: boot cannot take them back (that may sleep), and there are few.
std::optional<Table> map(std::uintptr_t physical, std::size_t size) {
  auto mapped = core::map_device_memory(core::PhysicalAddress(physical), size, arch::CacheType::write_back);
  if (!mapped) return std::nullopt;
  return Table(static_cast<const std::byte*>(*mapped), size);
}

std::string_view signature_of(Table table) {
  // SAFETY: bytes seen as characters.
  return {reinterpret_cast<const char*>(table.data()), 4};
}

std::optional<Table> map_table(std::uintptr_t physical) {
  auto header = map(physical, header_size);
  if (!header) return std::nullopt;
  std::uint32_t size = *field<std::uint32_t>(*header, 4);
  if (size < header_size || size > largest_table) return std::nullopt;
  bool same_page = physical / core::page_size == (physical + size - 1) / core::page_size;
  auto table = same_page ? Table(header->data(), size) : map(physical, size);
  if (table && !has_valid_checksum(*table)) {
    core::log(core::LogLevel::warning, "ACPI: check sum of table {} is wrong", signature_of(*table));
    return std::nullopt;
  }
  return table;
}

void add_table(std::uintptr_t physical) {
  if (table_count == most_tables || !physical) return;
  if (auto table = map_table(physical)) tables[table_count++] = *table;
}

// The structure is on a 16-byte boundary in the BIOS's read-only memory.
std::uintptr_t search_rsdp() {
  constexpr std::uintptr_t start = 0xe0000, size = 0x20000;
  auto area = map(start, size);
  if (!area) return 0;
  std::uintptr_t found = 0;
  for (std::size_t at = 0; at < size && !found; at += 16)
    if (std::memcmp(area->data() + at, "RSD PTR ", 8) == 0 && has_valid_checksum(area->subspan(at, 20)))
      found = start + at;
  return found;
}

}  // namespace

void initialize(std::uintptr_t rsdp) {
  if (!rsdp) rsdp = search_rsdp();
  auto pointer = rsdp ? map(rsdp, 36) : std::nullopt;
  if (!pointer) {
    core::log(core::LogLevel::warning, "ACPI: no tables");
    return;
  }
  std::uint8_t revision = *field<std::uint8_t>(*pointer, 15);
  std::uint64_t wide_root = *field<std::uint64_t>(*pointer, 24);
  bool wide = revision >= 2 && wide_root;
  auto root = map_table(wide ? wide_root : *field<std::uint32_t>(*pointer, 16));
  if (!root) return;
  std::size_t step = wide ? 8 : 4;
  for (std::size_t at = header_size; at + step <= root->size(); at += step)
    add_table(wide ? *field<std::uint64_t>(*root, at) : *field<std::uint32_t>(*root, at));
  if (auto fadt_table = find_table("FACP"))
    if (auto fadt = read_fadt(*fadt_table)) add_table(fadt->dsdt);
  core::LogLine line{core::LogLevel::info};
  base::format(line, "ACPI: tables");
  for (std::size_t i = 0; i < table_count; ++i) base::format(line, " {}", signature_of(tables[i]));
}

std::optional<Table> find_table(std::string_view signature, unsigned index) {
  for (std::size_t i = 0; i < table_count; ++i)
    if (signature_of(tables[i]) == signature && index-- == 0) return tables[i];
  return std::nullopt;
}

void for_each_table(base::FunctionRef<void(std::string_view, Table)> visit) {
  for (std::size_t i = 0; i < table_count; ++i) visit(signature_of(tables[i]), tables[i]);
}

}  // namespace acpi
