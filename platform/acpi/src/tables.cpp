#include "acpi/tables.h"

namespace acpi {

bool has_valid_checksum(Table bytes) {
  unsigned sum = 0;
  for (std::byte b : bytes) sum += static_cast<unsigned>(b);
  return (sum & 0xff) == 0;
}

void for_each_madt_entry(Table madt, base::FunctionRef<void(MadtType type, Table entry)> visit) {
  std::size_t offset = header_size + 8;
  while (auto length = field<std::uint8_t>(madt, offset + 1)) {
    if (*length < 2 || *length > madt.size() - offset) return;
    visit(static_cast<MadtType>(*field<std::uint8_t>(madt, offset)), madt.subspan(offset, *length));
    offset += *length;
  }
}

std::optional<Fadt> read_fadt(Table table) {
  if (table.size() < 116) return std::nullopt;
  Fadt fadt;
  fadt.dsdt = *field<std::uint32_t>(table, 40);
  if (auto wide = field<std::uint64_t>(table, 140); wide && *wide) fadt.dsdt = *wide;
  fadt.sci_interrupt = *field<std::uint16_t>(table, 46);
  fadt.smi_command = *field<std::uint32_t>(table, 48);
  fadt.acpi_enable = *field<std::uint8_t>(table, 52);
  fadt.pm1a_control = static_cast<std::uint16_t>(*field<std::uint32_t>(table, 64));
  fadt.pm1b_control = static_cast<std::uint16_t>(*field<std::uint32_t>(table, 68));
  fadt.pm_timer = static_cast<std::uint16_t>(*field<std::uint32_t>(table, 76));
  fadt.century_cell = *field<std::uint8_t>(table, 108);
  fadt.flags = *field<std::uint32_t>(table, 112);
  constexpr std::uint32_t reset_supported = 1 << 10;
  if (fadt.flags & reset_supported && table.size() >= 129) {
    fadt.reset_space = *field<std::uint8_t>(table, 116);
    fadt.reset_address = *field<std::uint64_t>(table, 120);
    fadt.reset_value = *field<std::uint8_t>(table, 128);
  }
  return fadt;
}

namespace {

// An AML integer at `at`: ZeroOp, OneOp or BytePrefix; moves past it.
std::optional<std::uint8_t> small_integer(Table aml, std::size_t& at) {
  auto op = field<std::uint8_t>(aml, at);
  if (!op) return std::nullopt;
  ++at;
  if (*op == 0x00 || *op == 0x01) return *op;
  if (*op != 0x0a) return std::nullopt;
  return field<std::uint8_t>(aml, at++);
}

}  // namespace

std::optional<SleepTypes> find_s5(Table aml) {
  constexpr std::uint8_t package_op = 0x12;
  for (std::size_t at = header_size; at + 4 < aml.size(); ++at) {
    if (std::memcmp(aml.data() + at, "_S5_", 4) != 0) continue;
    std::size_t next = at + 4;
    if (field<std::uint8_t>(aml, next) != package_op) continue;
    auto lead = field<std::uint8_t>(aml, next + 1);
    if (!lead) return std::nullopt;
    next += 2 + (*lead >> 6);  // the package's length: one to four bytes
    ++next;                    // number of elements
    auto a = small_integer(aml, next), b = small_integer(aml, next);
    if (a && b) return SleepTypes{*a, *b};
  }
  return std::nullopt;
}

std::optional<std::uint64_t> read_hpet(Table table) {
  auto space = field<std::uint8_t>(table, 40);
  auto address = field<std::uint64_t>(table, 44);
  if (!space || *space != 0 || !address || *address == 0) return std::nullopt;
  return address;
}

}  // namespace acpi
