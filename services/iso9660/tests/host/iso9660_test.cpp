#include "image.h"

#include "../../src/record.h"

namespace {

using namespace test;

std::string bytes_of(const std::string& path) {
  Bytes bytes = load(path);
  return std::string(bytes.begin(), bytes.end());
}

TEST(Iso9660, RockRidge) {
  std::string folder = make_tree();
  ImageDisk disk(make_image(folder, "-R -J"));
  IsoWorld w(disk);
  ASSERT_EQ(w.mount_error, 0);
  std::vector<std::string> names = w.list("/");
  EXPECT_EQ(names.size(), 12u);
  EXPECT_NE(std::find(names.begin(), names.end(), "Grüße.txt"), names.end());
  EXPECT_EQ(w.read_file("/file"), "text\n");
  EXPECT_EQ(w.read_file("/empty"), "");
  EXPECT_EQ(w.read_file("/big"), bytes_of(folder + "/big"));
  EXPECT_EQ(w.read_file("/Grüße.txt"), "umlauts\n");
  EXPECT_EQ(w.read_file("/1/2/3/4/5/6/7/8/9/10/inner"), "deep\n");
  EXPECT_EQ(w.list("/many", 7).size(), 200u);
  EXPECT_EQ(w.read_file("/many/entry-150"), "150\n");
  EXPECT_EQ(w.stat_errno("/many/entry-201"), 2);
  EXPECT_EQ(w.read_link("/link"), "many/../file");
  EXPECT_EQ(w.read_file("/link"), "text\n");
  EXPECT_EQ(w.read_link("/long_link"),
            "/an/absolute/" + std::string(149, '0') + "1/" + std::string(149, '0') + "2/target");
  Attributes file = w.stat("/file");
  EXPECT_EQ(file.mode, Mode{0104751});
  EXPECT_EQ(w.stat("/empty").uid, 7u);
  EXPECT_EQ(w.stat("/empty").gid, 8u);
  struct stat expected;
  EXPECT_EQ(::stat((folder + "/file").c_str(), &expected), 0);
  EXPECT_EQ(file.modify_time.seconds, expected.st_mtime);
  EXPECT_EQ(w.stat("/null").special_device, (DeviceNumber{1, 3}));
  EXPECT_TRUE(is_fifo(w.stat("/pipe").mode));
  FileSystemStatistics statistics;
  EXPECT_TRUE(vfs::statistics(w.path(w.full("/")), statistics));
  EXPECT_EQ(statistics.magic, 0x9660u);
  EXPECT_EQ(statistics.block_size, 2048u);
  EXPECT_EQ(w.write_file("/new", "x"), 30);
}

// Trees deeper than eight are moved to a folder of their own, and shown where they belong.
TEST(Iso9660, RelocatedDirectories) {
  std::string folder = make_tree();
  std::string path = scratch() + "/deep.iso";
  run("rm -f " + path + "; genisoimage -quiet -R -o " + path + " " + folder +
      " || genisoimage -quiet -D -R -o " + path + " " + folder);
  ImageDisk disk(load(path));
  IsoWorld w(disk);
  ASSERT_EQ(w.mount_error, 0);
  EXPECT_EQ(w.read_file("/1/2/3/4/5/6/7/8/9/10/inner"), "deep\n");
  EXPECT_EQ(w.list("/1/2/3/4/5/6/7"), std::vector<std::string>{"8"});
}

TEST(Iso9660, Joliet) {
  std::string folder = make_tree();
  ImageDisk disk(make_image(folder, "-J -joliet-long"));
  IsoWorld w(disk, "norock");
  ASSERT_EQ(w.mount_error, 0);
  EXPECT_EQ(w.read_file("/Grüße.txt"), "umlauts\n");
  EXPECT_EQ(w.read_file("/big"), bytes_of(folder + "/big"));
  EXPECT_EQ(w.stat("/file").mode, Mode{0100555});
  EXPECT_EQ(w.stat("/many").mode, Mode{0040555});
}

TEST(Iso9660, PlainNames) {
  std::string folder = make_tree();
  ImageDisk disk(make_image(folder, "-J"));
  IsoWorld w(disk, "norock,nojoliet,uid=5,gid=6,mode=0400,dmode=0500");
  ASSERT_EQ(w.mount_error, 0);
  EXPECT_EQ(w.read_file("/file"), "text\n");
  EXPECT_EQ(w.stat("/file").mode, Mode{0100400});
  EXPECT_EQ(w.stat("/many").mode, Mode{0040500});
  EXPECT_EQ(w.stat("/file").uid, 5u);
  EXPECT_EQ(w.stat("/file").gid, 6u);
}

TEST(Iso9660, FilesOfSeveralExtents) {
  // Two records of one name: the first 2048 bytes and the rest, as for files of 4 GiB and more.
  std::string folder = scratch() + "/split";
  run("rm -rf " + folder + "; mkdir " + folder + "; cd " + folder +
      "; printf %02048d 1 >aaa; printf %0100d 2 >aab");
  Bytes image = make_image(folder, "");
  // In the root of an image without extensions: the first is marked, the second gets its name.
  for (std::size_t at = 0; at + 40 < image.size(); ++at)
    if (std::memcmp(&image[at], "AAA.;1", 6) == 0 || std::memcmp(&image[at], "AAA;1", 5) == 0)
      image[at - 8] = '\x80';
  for (std::size_t at = 0; at + 40 < image.size(); ++at)
    if (std::memcmp(&image[at], "AAB", 3) == 0) image[at + 2] = 'A';
  ImageDisk disk(std::move(image));
  IsoWorld w(disk, "norock,nojoliet");
  ASSERT_EQ(w.mount_error, 0);
  EXPECT_EQ(w.list("/"), std::vector<std::string>{"aaa"});
  EXPECT_EQ(w.read_file("/aaa"), std::string(2047, '0') + "1" + std::string(99, '0') + "2");
}

TEST(Iso9660, CompressedFilesAreRefused) {
  std::string folder = scratch() + "/zisofs";
  run("rm -rf " + folder + "; mkdir " + folder + "; printf %0100000d 1 >" + folder + "/file; echo plain >" +
      folder + "/plain");
  std::string path = scratch() + "/z.iso";
  run("rm -f " + path + "; xorriso -outdev " + path + " -zisofs default -map " + folder +
      " / -set_filter_r --zisofs / -- -commit");
  ImageDisk disk(load(path));
  IsoWorld w(disk);
  ASSERT_EQ(w.mount_error, 0);
  EXPECT_EQ(w.read_file("/file"), "error 95");
}

TEST(Iso9660, MountErrors) {
  ImageDisk zeroes(Bytes(1 << 20));
  EXPECT_EQ(IsoWorld(zeroes).mount_error, 22);
  ImageDisk disk(make_image(make_tree(), "-R"));
  EXPECT_EQ(IsoWorld(disk, "nonsense").mount_error, 22);
  IsoWorld first(disk);
  EXPECT_EQ(IsoWorld(disk).mount_error, 16);
}

TEST(Iso9660, DamageIsAnError) {
  Bytes image = make_image(make_tree(), "-R -J");
  std::mt19937 random(5);
  for (int round = 0; round < 60; ++round) {
    Bytes damaged = image;
    for (int i = 0; i < 200; ++i) damaged[32768 + random() % 200000] = static_cast<char>(random());
    ImageDisk disk(std::move(damaged));
    IsoWorld w(disk);
    if (w.mount_error) continue;
    for (const char* folder : {"/", "/many", "/1"})
      for (const auto& name : w.list(folder)) {
        Attributes found;
        std::string path = std::string(folder) + "/" + name;
        if (!vfs::stat(w.caller(), nullptr, w.full(path), lookup_default, found)) continue;
        if (is_regular(found.mode)) (void)w.read_file(path);
        if (is_symlink(found.mode)) (void)w.read_link(path);
      }
  }
}

}  // namespace
