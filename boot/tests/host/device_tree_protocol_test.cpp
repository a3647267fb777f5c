#include "boot/device_tree_protocol.h"

#include <gtest/gtest.h>

#include "../../device_tree/tests/host/blob_builder.h"
#include "boot/early_command_line.h"

namespace boot {
namespace {

MemoryKind kind_at(const BootInfo& info, std::uintptr_t address) {
  for (const MemoryRange& range : info.memory_map())
    if (address >= range.start && address < range.end()) return range.kind;
  return MemoryKind::unusable;
}

TEST(DeviceTreeProtocol, FillsBootInfo) {
  auto blob = device_tree::test::board();
  auto tree = device_tree::Tree::open(blob);
  ASSERT_TRUE(tree);
  BootInfo info;
  char text[64];
  ASSERT_TRUE(read_device_tree(info, *tree, {0x47000000, blob.size()}, text));
  EXPECT_EQ(info.command_line, "console=ttyS0 quiet");
  EXPECT_EQ(info.initrd.start, 0x48000000u);
  EXPECT_EQ(info.initrd.size, 0x1234u);
  EXPECT_EQ(kind_at(info, 0x40000000), MemoryKind::usable);
  EXPECT_EQ(kind_at(info, 0x44000000), MemoryKind::boot_tables);
  EXPECT_EQ(kind_at(info, 0x47000000), MemoryKind::boot_tables);
  EXPECT_EQ(kind_at(info, 0x4f0fffff), MemoryKind::reserved);
  EXPECT_EQ(kind_at(info, 0x4fffffff), MemoryKind::usable);
  EXPECT_EQ(kind_at(info, 0x50000000), MemoryKind::unusable);
}

TEST(DeviceTreeProtocol, CutsALongCommandLine) {
  auto blob = device_tree::test::board();
  auto tree = device_tree::Tree::open(blob);
  BootInfo info;
  char text[8];
  ASSERT_TRUE(read_device_tree(info, *tree, {0x47000000, blob.size()}, text));
  EXPECT_EQ(info.command_line, "console");
}

TEST(DeviceTreeProtocol, RefusesATreeWithoutMemory) {
  auto blob = device_tree::test::BlobBuilder().begin("").end().finish();
  auto tree = device_tree::Tree::open(blob);
  ASSERT_TRUE(tree);
  BootInfo info;
  char text[8];
  EXPECT_FALSE(read_device_tree(info, *tree, {0x47000000, blob.size()}, text));
}

TEST(CommandLine, EarlyWords) {
  EXPECT_TRUE(command_line_has("a nokaslr", "nokaslr"));
  EXPECT_FALSE(command_line_has("xnokaslr nokaslr=1", "nokaslr"));
  EXPECT_EQ(command_line_memory_limit("mem=64M xmem=1G"), std::uintptr_t{64} << 20);
  EXPECT_EQ(command_line_memory_limit("mem=4k"), 0u);
}

}  // namespace
}  // namespace boot
