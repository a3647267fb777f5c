// FATs made by mkfs.vfat, checked by fsck.vfat, read and written by mtools.
#pragma once

#include "../../../byte_cache/tests/disk_world.h"
#include "vfat/vfat.h"

namespace test {

// `options` of mkfs.vfat, such as "-F 32 -s 1".
inline Bytes make_image(unsigned kib, const std::string& options, const std::string& folder = "") {
  std::string path = scratch() + "/new.img";
  run("rm -f " + path + "; mkfs.vfat -C " + options + " " + path + " " + std::to_string(kib));
  if (!folder.empty()) run("cd " + folder + " && MTOOLS_SKIP_CHECK=1 mcopy -s -i " + path + " * ::");
  return load(path);
}

struct VfatWorld : World {
  explicit VfatWorld(ImageDisk& disk, const std::string& options = "", bool read_only = false)
      : World(disk, "vfat", vfat::initialize, options, read_only) {}
};

// fsck.vfat finds nothing to say.
inline void expect_clean(ImageDisk& disk) {
  std::string path = scratch() + "/check.img";
  save(path, disk.image);
  run("fsck.vfat -n " + path);
}
// What a command of mtools prints; @ is the image.
inline std::string mtools(ImageDisk& disk, std::string command) {
  std::string path = scratch() + "/mtools.img", out = scratch() + "/mtools.out";
  save(path, disk.image);
  command.replace(command.find('@'), 1, "-i " + path);
  run("MTOOLS_SKIP_CHECK=1 " + command + " >" + out);
  Bytes text = load(out);
  disk.image = load(path);
  return std::string(text.begin(), text.end());
}

}  // namespace test
