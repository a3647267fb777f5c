#include "image.h"

#include "../../src/format.h"
#include "../../src/names.h"

namespace {

using namespace test;

struct Kind {
  const char* name;
  const char* options;
  unsigned kib;
};
const Kind kinds[] = {
    {"FAT12", "-F 12", 4096},
    {"FAT16", "-F 16", 16384},
    {"FAT32", "-F 32 -s 1", 40000},
};

class EveryKind : public testing::TestWithParam<Kind> {
 protected:
  Bytes image(const std::string& folder = "") {
    return make_image(GetParam().kib, GetParam().options, folder);
  }
};
INSTANTIATE_TEST_SUITE_P(Vfat, EveryKind, testing::ValuesIn(kinds),
                         [](const auto& info) { return info.param.name; });

TEST_P(EveryKind, ReadsWhatMtoolsWrote) {
  std::string folder = scratch() + "/tree";
  run("rm -rf " + folder + "; mkdir -p '" + folder + "/A long directory name/sub'; cd " + folder +
      "; echo short >SHORT.TXT; echo lower >lower.txt; printf %0100000d 7 >big.file; echo u >'Grüße €.txt'; "
      "echo deep >'A long directory name/sub/the inner file.text'");
  ImageDisk disk(image(folder));
  {
    VfatWorld w(disk);
    ASSERT_EQ(w.mount_error, 0);
    EXPECT_EQ(w.list("/"), (std::vector<std::string>{"A long directory name", "Grüße €.txt", "SHORT.TXT",
                                                     "big.file", "lower.txt"}));
    EXPECT_EQ(w.read_file("/SHORT.TXT"), "short\n");
    EXPECT_EQ(w.read_file("/short.txt"), "short\n");
    EXPECT_EQ(w.read_file("/Grüße €.txt"), "u\n");
    EXPECT_EQ(w.read_file("/a LONG directory name/sub/the inner file.text"), "deep\n");
    std::string big(99999, '0');
    EXPECT_EQ(w.read_file("/big.file"), big + "7");
    EXPECT_EQ(w.stat("/A long directory name").link_count, 3u);
    EXPECT_EQ(w.stat("/lower.txt").mode, Mode{0100755});
    FileSystemStatistics statistics;
    EXPECT_TRUE(vfs::statistics(w.path(w.full("/")), statistics));
    EXPECT_EQ(statistics.magic, 0x4d44u);
  }
  expect_clean(disk);
}

TEST_P(EveryKind, WritesWhatOthersRead) {
  ImageDisk disk(image());
  std::string text = pattern(150'000, 3);
  {
    VfatWorld w(disk);
    EXPECT_EQ(w.mkdir("/New Directory"), 0);
    EXPECT_EQ(w.write_file("/New Directory/file with a long name.data", text), 0);
    EXPECT_EQ(w.write_file("/UPPER.TXT", "upper"), 0);
    EXPECT_EQ(w.write_file("/Grüße €.txt", "umlauts"), 0);
    EXPECT_EQ(w.write_file("/𝄞 clef", "beyond the first plane"), 0);
    for (int i = 0; i < 300; ++i)
      EXPECT_EQ(w.write_file("/New Directory/number " + std::to_string(i), std::to_string(i)), 0);
    for (int i = 0; i < 300; i += 2) EXPECT_EQ(w.unlink("/New Directory/NUMBER " + std::to_string(i)), 0);
    EXPECT_EQ(w.rename("/UPPER.TXT", "/New Directory/Moved and renamed.txt"), 0);
    EXPECT_EQ(w.mkdir("/other"), 0);
    EXPECT_EQ(w.rename("/New Directory", "/other/dir"), 0);
    EXPECT_EQ(w.read_file("/other/dir/file with a long name.data"), text);
    EXPECT_EQ(w.stat("/other").link_count, 3u);
    EXPECT_EQ(w.stat("/").link_count, 3u);
  }
  expect_clean(disk);
  EXPECT_EQ(mtools(disk, "mtype @ '::/other/dir/file with a long name.data'"), text);
  EXPECT_EQ(mtools(disk, "mtype @ '::/other/dir/number 299'"), "299");
  EXPECT_EQ(mtools(disk, "mtype @ '::/other/dir/Moved and renamed.txt'"), "upper");
  {
    VfatWorld w(disk);
    EXPECT_EQ(w.read_file("/𝄞 clef"), "beyond the first plane");
    EXPECT_EQ(w.list("/other/dir").size(), 152u);
    EXPECT_EQ(w.rmdir("/other"), 39);
    for (const auto& name : w.list("/other/dir")) EXPECT_EQ(w.unlink("/other/dir/" + name), 0);
    EXPECT_EQ(w.rmdir("/other/dir"), 0);
    EXPECT_EQ(w.rmdir("/other"), 0);
  }
  expect_clean(disk);
}

TEST_P(EveryKind, GrowsAndShrinks) {
  ImageDisk disk(image());
  {
    VfatWorld w(disk);
    auto file = *w.open("/f", open_read_write | open_create);
    EXPECT_EQ(World::write_at(*file, 10'000, "end"), 0);  // a gap is zeroes
    std::string text = World::read_at(*file, 0, 20'000);
    EXPECT_EQ(text, std::string(10'000, '\0') + "end");
    EXPECT_TRUE(vfs::truncate(*file, 3));
    EXPECT_TRUE(vfs::truncate(*file, 70'000));
    EXPECT_EQ(World::read_at(*file, 0, 80'000), std::string(70'000, '\0'));
    EXPECT_EQ(w.stat("/f").blocks_512 * 512 >= 70'000, true);
    EXPECT_TRUE(vfs::truncate(*file, 0));
    EXPECT_EQ(World::write_at(*file, 0, "short"), 0);
  }
  expect_clean(disk);
  EXPECT_EQ(mtools(disk, "mtype @ ::/f"), "short");
}

TEST_P(EveryKind, IsFullOnce) {
  ImageDisk disk(image());
  {
    VfatWorld w(disk);
    FileSystemStatistics before, after;
    EXPECT_TRUE(vfs::statistics(w.path(w.full("/")), before));
    std::string piece = pattern(1 << 20, 1);
    int result = 0, files = 0;
    while (result == 0 && files < 100) result = w.write_file("/" + std::to_string(files++), piece);
    EXPECT_TRUE(result == 28 || result == -1);  // the last one is cut short
    EXPECT_EQ(w.write_file("/one more", "x"), 28);
    EXPECT_TRUE(vfs::statistics(w.path(w.full("/")), after));
    EXPECT_EQ(after.blocks_free, 0u);
    for (const auto& name : w.list("/")) EXPECT_EQ(w.unlink("/" + name), 0);
    w.unmount();
  }
  expect_clean(disk);
  {
    VfatWorld w(disk);
    EXPECT_EQ(w.write_file("/again", pattern(1 << 20, 2)), 0);
    EXPECT_EQ(w.read_file("/again"), pattern(1 << 20, 2));
  }
  expect_clean(disk);
}

TEST_P(EveryKind, AnOpenFileOutlivesItsName) {
  ImageDisk disk(image());
  {
    VfatWorld w(disk);
    EXPECT_EQ(w.write_file("/f", "still here"), 0);
    auto file = *w.open("/f", open_read_write);
    EXPECT_EQ(w.unlink("/F"), 0);
    EXPECT_EQ(w.stat_errno("/f"), 2);
    EXPECT_EQ(w.write_file("/f", "another"), 0);
    EXPECT_EQ(World::read_at(*file, 0, 100), "still here");
    EXPECT_EQ(World::write_at(*file, 0, pattern(20'000, 9)), 0);
    EXPECT_EQ(w.read_file("/f"), "another");
  }
  expect_clean(disk);
}

TEST(Vfat, NamesHaveOneSpelling) {
  ImageDisk disk(make_image(4096, "-F 12"));
  VfatWorld w(disk);
  EXPECT_EQ(w.write_file("/Name", "one"), 0);
  EXPECT_EQ(w.read_file("/NAME"), "one");
  EXPECT_EQ(w.write_file("/nAME", "two"), 0);
  EXPECT_EQ(w.list("/"), std::vector<std::string>{"Name"});
  EXPECT_EQ(w.mkdir("/NAME"), 17);
  EXPECT_EQ(w.unlink("/name"), 0);
  EXPECT_EQ(w.stat_errno("/Name"), 2);
  EXPECT_EQ(w.stat_errno("/NAME"), 2);
  EXPECT_EQ(w.write_file("/trailing...", "dots"), 0);
  EXPECT_EQ(w.read_file("/trailing"), "dots");
  EXPECT_EQ(w.list("/"), std::vector<std::string>{"trailing"});
}

TEST(Vfat, ReplacesByRename) {
  ImageDisk disk(make_image(4096, "-F 12"));
  {
    VfatWorld w(disk);
    EXPECT_EQ(w.write_file("/a", "new"), 0);
    EXPECT_EQ(w.write_file("/The Target", "old"), 0);
    EXPECT_EQ(w.rename("/a", "/the target"), 0);
    EXPECT_EQ(w.list("/"), std::vector<std::string>{"The Target"});
    EXPECT_EQ(w.read_file("/The Target"), "new");
    EXPECT_EQ(w.mkdir("/d1"), 0);
    EXPECT_EQ(w.mkdir("/d2"), 0);
    EXPECT_EQ(w.write_file("/d1/f", "f"), 0);
    EXPECT_EQ(w.rename("/d1", "/d2"), 0);
    EXPECT_EQ(w.read_file("/d2/f"), "f");
    EXPECT_EQ(w.stat("/").link_count, 3u);
  }
  expect_clean(disk);
}

TEST(Vfat, WhatFatCannotDo) {
  ImageDisk disk(make_image(40000, "-F 32 -s 1"));
  VfatWorld w(disk, "uid=7,gid=8,fmask=0133,dmask=0022");
  EXPECT_EQ(w.write_file("/f", "x"), 0);
  EXPECT_EQ(w.symlink("f", "/l"), 1);
  EXPECT_EQ(w.link("/f", "/g"), 1);
  Attributes found = w.stat("/f");
  EXPECT_EQ(found.mode, Mode{0100644});
  EXPECT_EQ(found.uid, 7u);
  EXPECT_EQ(found.gid, 8u);
  Path path = w.path(w.full("/f"));
  EXPECT_EQ(World::code(vfs::change_owner(w.caller(), path, 9, vfs::no_id)), 1);
  EXPECT_EQ(World::code(vfs::change_owner(w.caller(), path, 7, 8)), 0);
  EXPECT_EQ(World::code(vfs::change_mode(w.caller(), path, 0444)), 0);
  EXPECT_EQ(w.stat("/f").mode, Mode{0100444});
  EXPECT_EQ(World::code(vfs::change_mode(w.caller(), path, 0600)), 0);
  EXPECT_EQ(w.stat("/f").mode, Mode{0100444});
  auto file = *w.open("/f", open_write_only);
  EXPECT_EQ(World::write_at(*file, 0xffffffffu, "x"), 27);
  EXPECT_EQ(World::code(vfs::truncate(*file, 0x100000000u)), 27);
  EXPECT_EQ(w.write_file("/a:b", "x"), 22);
  EXPECT_EQ(w.write_file("/a*b", "x"), 22);
}

TEST(Vfat, TimesAreThoseOfTheDisk) {
  ImageDisk disk(make_image(4096, "-F 12"));
  {
    VfatWorld w(disk);
    EXPECT_EQ(w.write_file("/f", "x"), 0);
    Path path = w.path(w.full("/f"));
    TimeChange access{TimeChange::Kind::set, {1'000'000'000, 5}},
        modify{TimeChange::Kind::set, {1'234'567'891, 7}};
    EXPECT_TRUE(vfs::change_times(w.caller(), path, access, modify));
    EXPECT_EQ(w.stat("/f").modify_time, (Timestamp{1'234'567'890, 0}));
  }
  {
    VfatWorld w(disk);
    Attributes found = w.stat("/f");
    EXPECT_EQ(found.modify_time, (Timestamp{1'234'567'890, 0}));
    EXPECT_EQ(found.access_time, (Timestamp{1'000'000'000 / 86400 * 86400, 0}));
  }
  EXPECT_NE(mtools(disk, "mdir @ ::/f").find("2009-02-13"), std::string::npos);
}

TEST(Vfat, TheDirtyBit) {
  for (const Kind& kind : kinds) {
    ImageDisk disk(make_image(kind.kib, kind.options));
    std::size_t place = std::string(kind.name) == "FAT32" ? 0x41 : 0x25;
    {
      VfatWorld w(disk);
      EXPECT_EQ(disk.image[place] & 1, 1);
    }
    EXPECT_EQ(disk.image[place] & 1, 0);
    // What was not clean is not clean afterwards.
    disk.image[place] |= 1;
    {
      VfatWorld w(disk);
    }
    EXPECT_EQ(disk.image[place] & 1, 1);
    {
      VfatWorld w(disk, "", true);
    }
    EXPECT_EQ(disk.image[place] & 1, 1);
  }
}

TEST(Vfat, MountErrors) {
  ImageDisk zeroes(Bytes(1 << 20));
  EXPECT_EQ(VfatWorld(zeroes).mount_error, 22);
  ImageDisk disk(make_image(4096, "-F 12"));
  EXPECT_EQ(VfatWorld(disk, "nonsense").mount_error, 22);
  EXPECT_EQ(VfatWorld(disk, "codepage=850").mount_error, 22);
  {
    VfatWorld w(disk);
    EXPECT_EQ(VfatWorld(disk).mount_error, 16);
  }
  VfatWorld reader(disk, "", true);
  EXPECT_EQ(reader.mount_error, 0);
  EXPECT_EQ(reader.write_file("/f", "x"), 30);
}

TEST(Vfat, ALoopInAChainIsAnError) {
  ImageDisk disk(make_image(1440, "-F 12 -s 1"));
  {
    VfatWorld w(disk);
    EXPECT_EQ(w.write_file("/f", pattern(4096, 1)), 0);
  }
  // The file has clusters from 2 on: the second leads to the first.
  std::size_t table = 512u * static_cast<unsigned char>(disk.image[14]);
  disk.image[table + 4] = static_cast<char>((disk.image[table + 4] & 0x0f) | 0x20);
  disk.image[table + 5] = 0;
  VfatWorld w(disk);
  auto file = w.open("/f", open_read_only);
  ASSERT_TRUE(file);
  (void)World::read_at(**file, 0, 4096);
  EXPECT_EQ(w.write_file("/f", pattern(8192, 1)) != 0, true);
}

TEST(Vfat, ADirectoryHasAnEnd) {
  ImageDisk disk(make_image(40000, "-F 32 -s 8"));
  {
    VfatWorld w(disk);
    EXPECT_EQ(w.mkdir("/D"), 0);
  }
  // It gets all the 65536 entries that it may have: cluster 3, and those behind it.
  vfat::BootSector boot;
  std::memcpy(&boot, disk.image.data(), sizeof(boot));
  std::size_t table = boot.reserved_sectors * std::size_t{512};
  std::size_t table_bytes = boot.fat32.table_sectors * std::size_t{512};
  std::size_t place = table + boot.tables * table_bytes + 4096;
  for (std::uint32_t cluster = 3; cluster < 3 + 512; ++cluster) {
    std::uint32_t next = cluster == 3 + 511 ? 0x0fffffff : cluster + 1;
    for (std::size_t copy = 0; copy < 2; ++copy)
      std::memcpy(&disk.image[table + copy * table_bytes + cluster * std::size_t{4}], &next, 4);
  }
  for (std::uint32_t slot = 2; slot < 65536; ++slot) {
    vfat::ShortEntry entry{};
    char name[12];
    std::snprintf(name, sizeof(name), "F%010u", slot);
    std::memcpy(entry.name, name, 11);
    std::memcpy(&disk.image[place + slot * std::size_t{32}], &entry, 32);
  }
  VfatWorld w(disk);
  EXPECT_EQ(w.list("/D", 70000).size(), 65534u);
  EXPECT_EQ(w.write_file("/D/NEW", ""), 28);
  EXPECT_EQ(w.unlink("/D/F0000065.535"), 0);
  EXPECT_EQ(w.write_file("/D/a long name", ""), 28);
  EXPECT_EQ(w.write_file("/D/NEW", ""), 0);
}

TEST(Vfat, TheRootDirectoryOfFat16HasAnEnd) {
  ImageDisk disk(make_image(16384, "-F 16 -r 64"));
  {
    VfatWorld w(disk);
    int result = 0, made = 0;
    while (result == 0 && made < 100) result = w.write_file("/F" + std::to_string(made++), "");
    EXPECT_EQ(result, 28);
    EXPECT_GE(made, 63);
    EXPECT_EQ(w.mkdir("/D"), 28);
  }
  expect_clean(disk);
}

TEST(Vfat, ErrorsOfTheDiskReachFsync) {
  ImageDisk disk(make_image(4096, "-F 12"));
  VfatWorld w(disk);
  auto file = *w.open("/f", open_read_write | open_create);
  EXPECT_EQ(World::write_at(*file, 0, pattern(5000, 1)), 0);
  disk.failing = true;
  EXPECT_EQ(World::code(file->sync(0, ~std::uint64_t{0} >> 1, false)), 5);
  disk.failing = false;
}

// ---- Names ----

std::string short_of(const char* name, vfat::ShortNameStyle style = vfat::ShortNameStyle::mixed) {
  vfat::WideName wide;
  EXPECT_TRUE(vfat::widen(name, wide));
  vfat::ShortForm form = vfat::shorten(wide, style);
  return std::string(reinterpret_cast<char*>(form.name), 11) + (form.is_exact ? " exact" : "") +
         (form.needs_long ? " long" : "");
}

TEST(VfatNames, Short) {
  EXPECT_EQ(short_of("README.TXT"), "README  TXT exact");
  EXPECT_EQ(short_of("readme.txt"), "README  TXT exact long");
  EXPECT_EQ(short_of("readme.txt", vfat::ShortNameStyle::winnt), "README  TXT exact");
  EXPECT_EQ(short_of("ReadMe.txt", vfat::ShortNameStyle::winnt), "README  TXT exact long");
  EXPECT_EQ(short_of("a name.with.dots"), "ANAMEWITDOT long");
  EXPECT_EQ(short_of(".profile"), "PROFILE     long");
  EXPECT_EQ(short_of("a+b"), "A_B         long");
  EXPECT_EQ(short_of("ä"), "\x8e           exact long");
}

TEST(VfatNames, WhatCannotBeAName) {
  vfat::WideName wide;
  EXPECT_EQ(World::code(vfat::widen("...", wide)), 2);
  EXPECT_EQ(World::code(vfat::widen("a?b", wide)), 22);
  EXPECT_EQ(World::code(vfat::widen("\xff", wide)), 22);
  EXPECT_EQ(World::code(vfat::widen("\xed\xa0\x80", wide)), 22);  // half of a pair
  EXPECT_EQ(World::code(vfat::widen(std::string(256, 'a'), wide)), 36);
}

}  // namespace
