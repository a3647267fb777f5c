// Disks of the tests, made and checked with e2fsprogs.
#pragma once

#include "../../../byte_cache/tests/disk_world.h"
#include "ext4/ext4.h"

namespace test {

// What mke2fs of Debian 13 turns on, whatever version is here.
inline const char* default_features =
    "has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_"
    "file,"
    "dir_nlink,extra_isize,metadata_csum,metadata_csum_seed,orphan_file";

inline Bytes make_image(unsigned mib, const std::string& options = "", const std::string& folder = "") {
  std::string path = scratch() + "/new.img";
  run("rm -f " + path);
  run("mke2fs -q -F -t ext4 -E lazy_itable_init=1,nodiscard -O none," + std::string(default_features) + " " +
      options + (folder.empty() ? "" : " -d " + folder) + " " + path + " " + std::to_string(mib) + "M");
  return load(path);
}

struct Ext4World : World {
  explicit Ext4World(ImageDisk& disk, const std::string& options = "", bool read_only = false)
      : World(disk, "ext4", ext4::initialize, options, read_only) {}
};

// e2fsck finds nothing to say.
inline void expect_clean(ImageDisk& disk) {
  std::string path = scratch() + "/check.img";
  save(path, disk.image);
  run("e2fsck -fn " + path);
}

}  // namespace test
