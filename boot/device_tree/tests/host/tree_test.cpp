#include "device_tree/tree.h"

#include <gtest/gtest.h>

#include <random>

#include "blob_builder.h"

namespace device_tree {
namespace {

using test::BlobBuilder;

TEST(DeviceTree, FindsNodesAndProperties) {
  auto blob = test::board();
  EXPECT_EQ(Tree::size_of(std::span(blob).first<8>()), blob.size());
  auto tree = Tree::open(blob);
  ASSERT_TRUE(tree);
  EXPECT_EQ(tree->root().name(), "");
  auto chosen = tree->find("/chosen");
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->text("bootargs"), "console=ttyS0 quiet");
  EXPECT_FALSE(chosen->property("boot"));
  auto serial = tree->find(chosen->text("stdout-path"));
  ASSERT_TRUE(serial);
  EXPECT_EQ(serial->name(), "serial@100");
  EXPECT_EQ(serial->parent()->name(), "soc");
  EXPECT_TRUE(serial->is_compatible("ns16550a"));
  EXPECT_FALSE(serial->is_compatible("ns16550"));
  EXPECT_EQ(tree->find_compatible("vendor,uart"), serial);
  EXPECT_EQ(tree->find("/soc/serial"), serial);
  EXPECT_FALSE(tree->find("/soc/serial@200"));
  EXPECT_FALSE(tree->find("serial1"));
  EXPECT_FALSE(tree->find("/soc/timer")->is_available());
  std::size_t count = 0;
  for (Node node : tree->nodes()) count += node.name().size() < 64;
  EXPECT_EQ(count, 10u);
}

TEST(DeviceTree, TranslatesRegisters) {
  auto blob = test::board();
  auto tree = Tree::open(blob);
  ASSERT_TRUE(tree);
  auto range = tree->find("/soc/serial")->registers(0);
  ASSERT_TRUE(range);
  EXPECT_EQ(range->address, 0x9000100u);
  EXPECT_EQ(range->size, 0x100u);
  EXPECT_FALSE(tree->find("/soc/serial")->registers(1));
  EXPECT_EQ(tree->find("/memory")->registers(0)->size, 0x10000000u);
  EXPECT_EQ(tree->reservation(0)->address, 0x44000000u);
  EXPECT_FALSE(tree->reservation(1));
}

TEST(DeviceTree, NamesInterrupts) {
  auto blob = test::board();
  auto tree = Tree::open(blob);
  ASSERT_TRUE(tree);
  auto serial = *tree->find("/soc/serial"), timer = *tree->find("/soc/timer");
  auto second = serial.interrupt(1);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->controller.name(), "interrupts@8000000");
  EXPECT_EQ(second->cell_count, 3u);
  EXPECT_EQ(second->cells[1], 2u);
  EXPECT_FALSE(serial.interrupt(2));
  ASSERT_TRUE(timer.interrupt(1));
  EXPECT_EQ(timer.interrupt(1)->cells[1], 14u);
  EXPECT_FALSE(timer.interrupt(2));
}

TEST(DeviceTree, RefusesDamage) {
  auto open = [](auto write) {
    BlobBuilder builder;
    write(builder);
    auto blob = builder.finish();
    return Tree::open(blob).has_value();
  };
  EXPECT_TRUE(open([](BlobBuilder& b) { b.begin("").end(); }));
  EXPECT_FALSE(open([](BlobBuilder&) {})) << "no root";
  EXPECT_FALSE(open([](BlobBuilder& b) { b.begin(""); })) << "not closed";
  EXPECT_FALSE(open([](BlobBuilder& b) { b.begin("").end().end(); })) << "closed twice";
  EXPECT_FALSE(open([](BlobBuilder& b) { b.begin("").end().begin("").end(); })) << "two roots";
  EXPECT_FALSE(open([](BlobBuilder& b) { b.begin("").begin("a").end().flag("late").end(); }));
  EXPECT_FALSE(open([](BlobBuilder& b) { b.flag("outside").begin("").end(); }));
  EXPECT_FALSE(open([](BlobBuilder& b) {
    for (int i = 0; i < 65; ++i) b.begin("d");
    for (int i = 0; i < 65; ++i) b.end();
  })) << "too deep";
  auto blob = test::board();
  for (std::size_t size = 0; size < blob.size(); ++size)
    EXPECT_FALSE(Tree::open(std::span(blob).first(size))) << size;
}

// Everything that a reader of the tree may ask.
void walk(const Tree& tree) {
  std::size_t seen = 0;
  for (Node node : tree.nodes()) {
    seen += node.name().size() + node.is_available() + node.is_compatible("ns16550a");
    for (std::size_t i = 0; i < 4; ++i) {
      if (auto range = node.registers(i)) seen += range->size & 1;
      if (auto interrupt = node.interrupt(i)) seen += interrupt->cells[0];
    }
    for (auto child = node.first_child(); child; child = child->next_sibling()) ++seen;
    if (auto parent = node.parent()) seen += parent->name().size();
  }
  for (std::size_t i = 0; tree.reservation(i); ++i) ++seen;
  if (auto chosen = tree.find("/chosen")) (void)tree.find(chosen->text("stdout-path"));
  (void)tree.find_phandle(1);
  EXPECT_GE(seen, 0u);
}

// Flipped bits, overwritten words and shortened blobs: refused, or walked without leaving the blob (which the
// address sanitizer watches).
TEST(DeviceTree, SurvivesRandomDamage) {
  std::mt19937 random(11);
  auto good = test::board();
  unsigned opened = 0;
  for (int round = 0; round < 4000; ++round) {
    std::vector<std::byte> blob = good;
    for (unsigned change = 0, changes = 1 + random() % 4; change < changes; ++change) {
      std::size_t at = random() % blob.size();
      if (random() % 2) {
        blob[at] ^= static_cast<std::byte>(1u << random() % 8);
      } else {
        static constexpr std::uint8_t values[] = {0, 1, 2, 3, 4, 9, 0x7f, 0xff};
        blob[at] = static_cast<std::byte>(values[random() % 8]);
      }
    }
    if (random() % 8 == 0) blob.resize(random() % blob.size());
    blob.shrink_to_fit();
    if (auto tree = Tree::open(blob)) {
      ++opened;
      walk(*tree);
    }
  }
  EXPECT_GT(opened, 200u);
}

}  // namespace
}  // namespace device_tree
