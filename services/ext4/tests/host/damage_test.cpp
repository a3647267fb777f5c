// Disks that say what cannot be: an error to the caller, and the rest goes on.
#include "image.h"

using namespace test;

TEST(Ext4Damage, AnInodeInUseThatTheBitmapCallsFreeIsDamage) {
  ImageDisk disk(make_image(16));
  {
    Ext4World w(disk);
    ASSERT_EQ(w.write_file("/kept", "text"), 0);
  }
  std::string path = scratch() + "/free-inode.img";
  save(path, disk.image);
  run("debugfs -w -R 'freei /kept' " + path);
  ImageDisk damaged(load(path));
  Ext4World w(damaged);
  auto kept = w.open("/kept", open_read_only);
  ASSERT_TRUE(kept);
  // Its number is the first that looks free.
  EXPECT_EQ(w.write_file("/new", "other text"), 117);
  EXPECT_EQ(World::read_at(**kept, 0, 4), "text");
}
