// fallocate that moves what lies behind.
#include "image.h"

using namespace test;

// A file of many extents, so that its tree has leaves to go through.
TEST(Ext4, CollapseAndInsertMoveWhatIsBehind) {
  for (const char* options : {"", "-b 1024"}) {
    ImageDisk disk(make_image(32, options));
    std::string expected;
    constexpr std::size_t block = 4096;
    {
      Ext4World w(disk);
      auto file = *w.open("/f", open_read_write | open_create);
      // Every second block: no two extents join.
      expected.resize(1200 * block);
      for (std::size_t i = 0; i < 1200; i += 2) {
        std::string text = pattern(block, static_cast<unsigned>(i));
        ASSERT_EQ(World::write_at(*file, i * block, text), 0);
        expected.replace(i * block, block, text);
      }
      ASSERT_EQ(World::code(file->sync(0, ~0ull >> 1, false)), 0);
      expected.resize((expected.size() / block - 1) * block);
      ASSERT_TRUE(truncate(*file, expected.size()));
      EXPECT_EQ(World::code(allocate(*file, 8, 100, block)), 22);
      EXPECT_EQ(World::code(allocate(*file, 8, 0, 100)), 22);
      EXPECT_EQ(World::code(allocate(*file, 8, 0, expected.size())), 22);
      EXPECT_EQ(World::code(allocate(*file, 0x20, expected.size(), block)), 22);
      std::mt19937 random(7);
      for (int step = 0; step < 60; ++step) {
        std::size_t blocks = expected.size() / block, from = random() % (blocks - 1);
        std::size_t count = 1 + random() % std::min<std::size_t>(40, blocks - from);
        if (step % 2) {
          ASSERT_EQ(World::code(allocate(*file, 0x20, from * block, count * block)), 0) << step;
          expected.insert(from * block, count * block, '\0');
        } else if (from + count < blocks) {
          ASSERT_EQ(World::code(allocate(*file, 8, from * block, count * block)), 0) << step;
          expected.erase(from * block, count * block);
        }
        ASSERT_EQ(w.stat("/f").size, expected.size());
        if (step % 10 == 9) {
          ASSERT_TRUE(World::read_at(*file, 0, expected.size()) == expected) << step;
        }
        // In memory and promised only, when the next step comes.
        std::size_t at = random() % expected.size();
        std::string text =
            pattern(std::min<std::size_t>(3000, expected.size() - at), static_cast<unsigned>(step));
        ASSERT_EQ(World::write_at(*file, at, text), 0);
        expected.replace(at, text.size(), text);
      }
      EXPECT_TRUE(World::read_at(*file, 0, expected.size()) == expected);
    }
    expect_clean(disk);
    Ext4World again(disk);
    EXPECT_TRUE(again.read_file("/f") == expected);
  }
}

// Where nothing is before the place, there is no leaf before the first one to go on with.
TEST(Ext4, InsertsIntoTheHoleThatAFileBeginsWith) {
  ImageDisk disk(make_image(32, ""));
  constexpr std::size_t block = 4096;
  std::string text = pattern(3 * block, 5), expected = std::string(100 * block, '\0') + text;
  {
    Ext4World w(disk);
    auto file = *w.open("/f", open_read_write | open_create);
    ASSERT_EQ(World::write_at(*file, 100 * block, text), 0);
    ASSERT_EQ(World::code(allocate(*file, 0x20, 4 * block, 8 * block)), 0);
    expected.insert(4 * block, 8 * block, '\0');
    EXPECT_TRUE(World::read_at(*file, 0, expected.size()) == expected);
    ASSERT_EQ(World::code(allocate(*file, 8, 50 * block, 7 * block)), 0);
    expected.erase(50 * block, 7 * block);
    EXPECT_TRUE(World::read_at(*file, 0, expected.size()) == expected);
  }
  expect_clean(disk);
}
