#include "image.h"

namespace {

using namespace test;

std::string bytes_of(const std::string& path) {
  Bytes bytes = load(path);
  return std::string(bytes.begin(), bytes.end());
}

class EveryCompressor : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Squashfs, EveryCompressor,
                         testing::Values("-comp gzip", "-comp xz", "-comp zstd", "-comp lz4",
                                         "-comp gzip -noI -noD -noF -noX", "-comp zstd -b 1M",
                                         "-comp gzip -b 4096 -no-fragments",
                                         "-comp lz4 -Xhc -always-use-fragments"));

TEST_P(EveryCompressor, ReadsEverything) {
  std::string folder = make_tree();
  ImageDisk disk(make_image(folder, GetParam()));
  SquashWorld w(disk);
  ASSERT_EQ(w.mount_error, 0);
  EXPECT_EQ(w.list("/"), (std::vector<std::string>{"big", "big_node", "deep", "empty", "file", "hard", "link",
                                                   "many", "null", "pipe"}));
  EXPECT_EQ(w.list("/many", 13).size(), 700u);
  EXPECT_EQ(w.read_file("/file"), "text\n");
  EXPECT_EQ(w.read_file("/empty"), "");
  EXPECT_EQ(w.read_file("/big"), bytes_of(folder + "/big"));
  for (int i : {1, 77, 350, 699, 700})
    EXPECT_EQ(w.read_file("/many/entry-" + std::to_string(i)), std::to_string(i) + "\n");
  EXPECT_EQ(w.stat_errno("/many/entry-701"), 2);
  EXPECT_EQ(w.stat_errno("/many/entry"), 2);
  EXPECT_EQ(w.read_link("/link"), "deep/er");
  EXPECT_EQ(w.read_file("/link/still/inner"), "inner\n");
  Attributes file = w.stat("/file"), hard = w.stat("/hard"), empty = w.stat("/empty");
  EXPECT_EQ(file.mode, Mode{0104751});
  EXPECT_EQ(file.link_count, 2u);
  EXPECT_EQ(file.inode_number, hard.inode_number);
  EXPECT_EQ(empty.uid, 7u);
  EXPECT_EQ(empty.gid, 8u);
  struct stat expected;
  EXPECT_EQ(::stat((folder + "/file").c_str(), &expected), 0);
  EXPECT_EQ(file.modify_time.seconds, expected.st_mtime);
  EXPECT_EQ(w.stat("/null").special_device, (DeviceNumber{1, 3}));
  EXPECT_EQ(w.stat("/big_node").special_device, (DeviceNumber{259, 70000}));
  EXPECT_TRUE(is_fifo(w.stat("/pipe").mode));
  EXPECT_EQ(w.stat("/deep").link_count, 3u);
  auto xattr = [&](const char* name, const char* key) {
    auto value = vfs::get_xattr(w.caller(), w.path(w.full(name)), key);
    return value ? std::string(value->data(), value->size()) : "error " + std::to_string(World::code(value));
  };
  EXPECT_EQ(xattr("/file", "user.short"), "value");
  EXPECT_EQ(xattr("/file", "user.long"), std::string(3000, 'v'));
  EXPECT_EQ(xattr("/big", "user.long"), std::string(3000, 'v'));
  EXPECT_EQ(xattr("/deep", "user.dir"), "d");
  EXPECT_EQ(xattr("/empty", "user.dir"), "error 61");
  char memory[200];
  base::TextBuffer names{memory};
  EXPECT_TRUE(vfs::list_xattrs(w.path(w.full("/file")), names));
  EXPECT_NE(names.view().find(std::string_view("user.short\0", 11)), std::string_view::npos);
  FileSystemStatistics statistics;
  EXPECT_TRUE(vfs::statistics(w.path(w.full("/")), statistics));
  EXPECT_EQ(statistics.magic, 0x73717368u);
}

TEST(Squashfs, IsNotWrittenTo) {
  ImageDisk disk(make_image(make_tree(), "-comp gzip"));
  SquashWorld w(disk);
  EXPECT_EQ(w.write_file("/new", "x"), 30);
  EXPECT_EQ(w.write_file("/file", "x"), 30);
  EXPECT_EQ(w.mkdir("/d"), 30);
  EXPECT_EQ(w.unlink("/file"), 30);
}

TEST(Squashfs, WhatIsNotSupportedIsNotMounted) {
  std::string folder = make_tree();
  for (char compressor : {'\2', '\3', '\7'}) {  // lzma, lzo, nobody's
    Bytes other = make_image(folder, "-comp gzip");
    other[20] = compressor;
    ImageDisk disk(std::move(other));
    EXPECT_EQ(SquashWorld(disk).mount_error, 22);
  }
  ImageDisk zeroes(Bytes(1 << 20));
  EXPECT_EQ(SquashWorld(zeroes).mount_error, 22);
  Bytes image = make_image(folder, "-comp gzip");
  image.resize(image.size() / 2 & ~std::size_t{4095});
  ImageDisk half(std::move(image));
  EXPECT_EQ(SquashWorld(half).mount_error, 22);
  ImageDisk good(make_image(folder, "-comp gzip"));
  EXPECT_EQ(SquashWorld(good, "nonsense").mount_error, 22);
  SquashWorld first(good);
  EXPECT_EQ(SquashWorld(good).mount_error, 16);
}

TEST(Squashfs, DamageIsAnError) {
  std::string folder = make_tree();
  Bytes image = make_image(folder, "-comp gzip");
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    Bytes damaged = image;
    for (int i = 0; i < 4; ++i)
      damaged[96 + random() % (damaged.size() - 96)] ^= static_cast<char>(1 << random() % 8);
    for (int i = 0; i < 8; ++i) damaged[damaged.size() - 1 - random() % 6000] = static_cast<char>(random());
    ImageDisk disk(std::move(damaged));
    SquashWorld w(disk);
    if (w.mount_error) continue;
    for (const char* folder_name : {"/", "/many", "/deep/er/still"})
      for (const auto& name : w.list(folder_name)) {
        Attributes found;
        std::string path = std::string(folder_name) + "/" + name;
        if (vfs::stat(w.caller(), nullptr, w.full(path), lookup_default, found) && is_regular(found.mode))
          (void)w.read_file(path);
      }
  }
}

}  // namespace
