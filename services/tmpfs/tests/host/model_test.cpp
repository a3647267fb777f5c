// Random operations on a file of tmpfs against a plain string that knows its holes.
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <thread>

#include "core/memory/host_memory.h"
#include "core/sync/rcu.h"
#include "world.h"

using test::World;
using namespace vfs;

namespace {

struct Model {
  std::string bytes;
  std::set<std::size_t> pages;  // that exist

  void write(std::size_t offset, const std::string& text) {
    if (text.empty()) return;
    if (offset + text.size() > bytes.size()) bytes.resize(offset + text.size());
    bytes.replace(offset, text.size(), text);
    for (std::size_t page = offset / 4096; page <= (offset + text.size() - 1) / 4096; ++page)
      pages.insert(page);
  }
  void truncate(std::size_t size) {
    bytes.resize(size);
    for (auto it = pages.begin(); it != pages.end();)
      it = *it >= (size + 4095) / 4096 ? pages.erase(it) : std::next(it);
  }
  void punch(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to && i < bytes.size(); ++i) bytes[i] = 0;
    for (std::size_t page = (from + 4095) / 4096; page < to / 4096; ++page) pages.erase(page);
  }
  std::int64_t seek(std::size_t offset, bool data) const {
    if (offset >= bytes.size()) return -6;
    for (std::size_t at = offset; at < bytes.size(); at = (at / 4096 + 1) * 4096)
      if (pages.contains(at / 4096) == data) return static_cast<std::int64_t>(at);
    return data ? -6 : static_cast<std::int64_t>(bytes.size());
  }
};

}  // namespace

class ModelTest : public testing::TestWithParam<unsigned> {};

TEST_P(ModelTest, FileBehavesLikeAString) {
  World w;
  std::mt19937 random(GetParam());
  auto file = *w.open("/f", open_read_write | open_create);
  Model model;
  // Small files and, every other seed, ones with far-apart pages.
  std::size_t range = GetParam() % 2 ? 40000 : 3000000;
  unsigned swapped = 0;
  for (int step = 0; step < 400; ++step) {
    std::size_t offset = random() % range, length = random() % 9000;
    if (random() % 3 == 0) swapped += core::host_swap_out(random() % 8) != 0;
    switch (random() % 7) {
      case 0:
      case 1: {
        std::string text(length, static_cast<char>('a' + random() % 26));
        auto buffer = core::IoBuffer::kernel(std::as_bytes(std::span<const char>(text.data(), text.size())));
        auto done = file->positioned_write(buffer, offset);
        ASSERT_TRUE(done);
        ASSERT_EQ(*done, text.size());
        model.write(offset, text);
        break;
      }
      case 2: {
        ASSERT_TRUE(truncate(*file, offset));
        model.truncate(offset);
        break;
      }
      case 3: {
        if (!length) break;
        ASSERT_TRUE(allocate(*file, 3, offset, length));
        model.punch(offset, offset + length);
        break;
      }
      case 4: {
        if (!length) break;
        ASSERT_TRUE(allocate(*file, 0, offset, length));
        for (std::size_t page = offset / 4096; page <= (offset + length - 1) / 4096; ++page)
          model.pages.insert(page);
        if (offset + length > model.bytes.size()) model.bytes.resize(offset + length);
        break;
      }
      case 5: {
        auto data = file->seek(static_cast<std::int64_t>(offset), Whence::data);
        ASSERT_EQ(data ? *data : -static_cast<std::int64_t>(data.error()), model.seek(offset, true))
            << offset;
        auto hole = file->seek(static_cast<std::int64_t>(offset), Whence::hole);
        ASSERT_EQ(hole ? *hole : -static_cast<std::int64_t>(hole.error()), model.seek(offset, false))
            << offset;
        break;
      }
      default: {
        std::string got(length, '?');
        auto buffer = core::IoBuffer::kernel(std::as_writable_bytes(std::span<char>(got.data(), got.size())));
        auto done = file->positioned_read(buffer, offset);
        ASSERT_TRUE(done);
        got.resize(*done);
        ASSERT_EQ(got, offset < model.bytes.size() ? model.bytes.substr(offset, length) : "");
      }
    }
    Attributes attributes;
    ASSERT_TRUE(stat(*file, attributes));
    ASSERT_EQ(attributes.size, model.bytes.size());
    ASSERT_EQ(attributes.blocks_512, model.pages.size() * 8) << "step " << step;
  }
  EXPECT_GT(swapped, 20u);
}
INSTANTIATE_TEST_SUITE_P(Seeds, ModelTest, testing::Range(0u, 12u));

TEST(Limits, SizeInodesAndMemory) {
  World w;
  w.mkdir("/small");
  EXPECT_TRUE(mount_new(w.caller(), "none", w.path("/small"), "tmpfs", 0, false, "size=16k,nr_inodes=4"));
  EXPECT_EQ(w.write_file("/small/a", std::string(16384, 'x')), 0);
  EXPECT_EQ(w.write_file("/small/b", "y"), 28);
  EXPECT_EQ(w.unlink("/small/a"), 0);
  EXPECT_EQ(w.write_file("/small/b", "y"), 0);
  EXPECT_EQ(w.mkdir("/small/c"), 0);
  EXPECT_EQ(w.mkdir("/small/d"), 0);
  EXPECT_EQ(w.mkdir("/small/e"), 28);
  EXPECT_EQ(mount_new(w.caller(), "none", w.path("/small"), "tmpfs", 0, false, "colour=red").error(),
            base::Errno::einval);
  auto limit = core::host_memory_limit_pages.load();
  core::host_memory_limit_pages = core::host_pages_in_use() + 3;
  EXPECT_EQ(w.write_file("/big", std::string(100000, 'x')), -1);  // a short write
  EXPECT_EQ(w.stat("/big").size, 3u * 4096);
  core::host_memory_limit_pages = limit;
}

TEST(Pages, AllComeBack) {
  std::uint64_t before = core::host_pages_in_use();
  {
    World w;
    w.mkdir("/m");
    EXPECT_TRUE(mount_new(w.caller(), "none", w.path("/m"), "tmpfs", 0, false, ""));
    for (int i = 0; i < 50; ++i) w.write_file("/m/f" + std::to_string(i), std::string(10000, 'x'));
    EXPECT_GE(core::host_pages_in_use(), before + 150);
    EXPECT_GE(core::host_swap_out(40), 40u);
    EXPECT_TRUE(unmount(w.caller(), w.path("/m"), 0));
  }
  core::rcu_barrier();
  EXPECT_EQ(core::host_pages_in_use(), before);
}

TEST(Threads, ReadWriteTruncate) {
  World w;
  w.write_file("/f", "");
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      World mine = w.as(0, 0);
      auto file = *mine.open("/f", open_read_write);
      std::mt19937 random(static_cast<unsigned>(t));
      std::string text(5000, 'x'), got(20000, 0);
      for (int i = 0; i < 2000; ++i) {
        std::size_t offset = random() % 30000;
        if (t == 0 && i % 3 == 0) {
          if (!truncate(*file, offset)) ++wrong;
        } else if (i % 2) {
          auto buffer =
              core::IoBuffer::kernel(std::as_bytes(std::span<const char>(text.data(), text.size())));
          if (!file->positioned_write(buffer, offset)) ++wrong;
        } else {
          auto buffer =
              core::IoBuffer::kernel(std::as_writable_bytes(std::span<char>(got.data(), got.size())));
          auto done = file->positioned_read(buffer, offset);
          if (!done) ++wrong;
          for (std::size_t at = 0; done && at < *done; ++at)
            if (got[at] != 'x' && got[at] != 0) ++wrong;
        }
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Xattrs, SetGetListRemove) {
  World w;
  w.write_file("/f", "");
  Path path = w.path("/f");
  std::string value = "value";
  std::span<const char> bytes(value.data(), value.size());
  EXPECT_TRUE(set_xattr(w.caller(), path, "user.a", bytes, XattrMode::create_only));
  EXPECT_EQ(set_xattr(w.caller(), path, "user.a", bytes, XattrMode::create_only).error(),
            base::Errno::eexist);
  EXPECT_EQ(set_xattr(w.caller(), path, "user.b", bytes, XattrMode::replace_only).error(),
            base::Errno::enodata);
  EXPECT_EQ(get_xattr(w.caller(), path, "user.a")->size(), 5u);
  EXPECT_EQ(get_xattr(w.caller(), path, "user.b").error(), base::Errno::enodata);
  EXPECT_EQ(get_xattr(w.caller(), path, "odd.b").error(), base::Errno::eopnotsupp);
  EXPECT_TRUE(remove_xattr(w.caller(), path, "user.a"));
  EXPECT_EQ(remove_xattr(w.caller(), path, "user.a").error(), base::Errno::enodata);
}

TEST(MemoryFiles, SealAndName) {
  World w;
  auto file = *tmpfs::create_memory_file("/memfd:x", 0777, tmpfs::Sealing::allowed,
                                         RefPtr<const Credentials>(&w.caller().credentials), open_read_write);
  EXPECT_EQ(World::write(*file, "data"), 0);
  char memory[64];
  EXPECT_EQ(*path_text(file->path(), nullptr, memory), "/memfd:x (deleted)");
  EXPECT_TRUE(file->add_seals(tmpfs::seal_write | tmpfs::seal_shrink));
  EXPECT_EQ(World::write(*file, "data"), 1);
  EXPECT_EQ(truncate(*file, 0).error(), base::Errno::eperm);
  EXPECT_EQ(*file->seals(), tmpfs::seal_write | tmpfs::seal_shrink);
}
