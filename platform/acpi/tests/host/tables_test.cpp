#include "acpi/tables.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace acpi {
namespace {

Table bytes(const std::vector<std::uint8_t>& data) { return std::as_bytes(std::span(data)); }

TEST(AcpiTables, FindsS5) {
  std::vector<std::uint8_t> aml(header_size, 0);
  for (std::uint8_t b : {0x08, 0x5f, 0x53, 0x35, 0x5f, 0x12, 0x06, 0x04, 0x0a, 0x05, 0x01, 0x00, 0x00})
    aml.push_back(b);
  auto types = find_s5(bytes(aml));
  ASSERT_TRUE(types);
  EXPECT_EQ(types->a, 5);
  EXPECT_EQ(types->b, 1);
}

TEST(AcpiTables, MadtStopsAtNonsense) {
  std::vector<std::uint8_t> madt(header_size + 8, 0);
  for (std::uint8_t b : {0, 8, 0, 1, 1, 0, 0, 0, 1, 0}) madt.push_back(b);  // one local APIC, then length 0
  int seen = 0;
  for_each_madt_entry(bytes(madt), [&](MadtType type, Table entry) {
    EXPECT_EQ(type, MadtType::local_apic);
    EXPECT_EQ(entry.size(), 8u);
    ++seen;
  });
  EXPECT_EQ(seen, 1);
}

TEST(AcpiTables, RandomBytesAreHarmless) {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::uint8_t> data(random() % 300);
    for (auto& b : data) b = static_cast<std::uint8_t>(random() % 4 ? random() : random() % 20);
    for_each_madt_entry(bytes(data), [](MadtType, Table entry) { EXPECT_GE(entry.size(), 2u); });
    (void)read_fadt(bytes(data));
    (void)find_s5(bytes(data));
    (void)read_hpet(bytes(data));
  }
}

}  // namespace
}  // namespace acpi
