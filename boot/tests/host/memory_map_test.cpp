#include "boot/memory_map.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace boot {
namespace {

TEST(MemoryMap, UsableGivesWay) {
  BootInfo info;
  add_memory(info, 0, 0x100000, MemoryKind::usable);
  add_memory(info, 0x9fc00, 0xa0000, MemoryKind::reserved);
  ASSERT_EQ(info.memory_count, 3u);
  EXPECT_EQ(info.memory[0].end(), 0x9f000u);
  EXPECT_EQ(info.memory[1].kind, MemoryKind::reserved);
  EXPECT_EQ(info.memory[2].start, 0xa0000u);
}

TEST(MemoryMap, ReserveAndFind) {
  BootInfo info;
  add_memory(info, 0x100000, 0x800000, MemoryKind::usable);
  reserve_memory(info, 0x200000, 0x300123, MemoryKind::kernel);
  EXPECT_EQ(find_free(info, 0x1000, ~std::uintptr_t{0}, 0x1000), 0x7ff000u);
  EXPECT_EQ(find_free(info, 0x80000, 0x301000, 0x1000), 0x180000u);
  limit_memory(info, 0x180000);
  EXPECT_EQ(find_free(info, 0x1000, ~std::uintptr_t{0}, 0x1000), 0x17f000u);
}

// A loader puts the archive below the memory's end, where the firmware keeps something, too.
TEST(MemoryMap, InitrdOverReservedMemory) {
  BootInfo info;
  add_memory(info, 0x100000, 0x3ffd6000, MemoryKind::usable);
  add_memory(info, 0x3ffd6000, 0x3fff0000, MemoryKind::reserved);
  add_memory(info, 0x3fff0000, 0x40000000, MemoryKind::acpi_reclaimable);
  info.initrd = {0x3f000100, 0xfdff00};
  reserve_memory(info, 0x3f000000, 0x3f001000, MemoryKind::kernel);
  reserve_initrd(info);
  ASSERT_EQ(info.memory_count, 6u);
  EXPECT_EQ(info.memory[0].end(), 0x3f000000u);
  EXPECT_EQ(info.memory[1].kind, MemoryKind::kernel);
  EXPECT_EQ(info.memory[2].kind, MemoryKind::initrd);
  EXPECT_EQ(info.memory[2].end(), 0x3ffd6000u);
  EXPECT_EQ(info.memory[3].kind, MemoryKind::initrd_kept);
  EXPECT_EQ(info.memory[3].end(), 0x3ffe0000u);
  EXPECT_EQ(info.memory[4].kind, MemoryKind::reserved);
  EXPECT_EQ(info.memory[4].end(), 0x3fff0000u);
  EXPECT_EQ(info.memory[5].kind, MemoryKind::acpi_reclaimable);
}

TEST(MemoryMap, InitrdBeyondTheMap) {
  BootInfo info;
  add_memory(info, 0x100000, 0x800000, MemoryKind::usable);
  info.initrd = {0x700000, 0x200000};
  limit_memory(info, 0x780000);
  reserve_initrd(info);
  ASSERT_EQ(info.memory_count, 3u);
  EXPECT_EQ(info.memory[1].kind, MemoryKind::initrd);
  EXPECT_EQ(info.memory[1].end(), 0x780000u);
  EXPECT_EQ(info.memory[2].kind, MemoryKind::initrd_kept);
  EXPECT_EQ(info.memory[2].end(), 0x900000u);
}

// Random ranges against a map with one entry for each page.
TEST(MemoryMap, AgreesWithPageByPage) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    BootInfo info;
    std::map<unsigned, MemoryKind> pages;
    for (int step = 0; step < 30; ++step) {
      unsigned first = random() % 64, count = 1 + random() % 20;
      auto kind = random() % 2   ? MemoryKind::usable
                  : random() % 2 ? MemoryKind::reserved
                                 : MemoryKind::acpi_reclaimable;
      bool reserve = random() % 4 == 0;
      if (reserve)
        reserve_memory(info, first * 4096, (first + count) * 4096, MemoryKind::kernel);
      else
        add_memory(info, first * 4096, (first + count) * 4096, kind);
      for (unsigned p = first; p < first + count; ++p) {
        auto found = pages.find(p);
        if (reserve) {
          if (found != pages.end() && found->second == MemoryKind::usable) found->second = MemoryKind::kernel;
        } else if (found == pages.end() || found->second == MemoryKind::usable) {
          pages[p] = kind;
        }
      }
    }
    std::map<unsigned, MemoryKind> got;
    std::uintptr_t last_end = 0;
    for (const MemoryRange& range : info.memory_map()) {
      ASSERT_GE(range.start, last_end);
      last_end = range.end();
      for (auto at = range.start; at < range.end(); at += 4096)
        got[static_cast<unsigned>(at / 4096)] = range.kind;
    }
    ASSERT_EQ(got, pages);
  }
}

}  // namespace
}  // namespace boot
