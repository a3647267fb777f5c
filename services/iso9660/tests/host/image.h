// Discs made by xorriso.
#pragma once

#include "../../../byte_cache/tests/disk_world.h"
#include "iso9660/iso9660.h"

namespace test {

inline std::string make_tree() {
  std::string folder = scratch() + "/tree";
  run("rm -rf " + folder + "; mkdir -p " + folder + "/many " + folder + "/1/2/3/4/5/6/7/8/9/10; cd " +
      folder +
      "; echo text >file; : >empty; ln -s many/../file link; ln -s /an/absolute/$(printf %0150d 1)/$(printf "
      "%0150d 2)/target "
      "long_link; "
      "mkfifo pipe; mknod null c 1 3; mknod small_node b 8 1; chmod 4751 file; chown 7:8 empty; echo "
      "mixed "
      ">'A Name With $(printf %0180d 2).text'; echo umlauts >'Grüße.txt'; echo deep "
      ">1/2/3/4/5/6/7/8/9/10/inner; "
      "for i in $(seq 1 200); do echo $i >many/entry-$i; done; "
      "python3 -c \"import random; random.seed(1); open('big','wb').write(random.randbytes(700001))\"");
  return folder;
}

inline Bytes make_image(const std::string& folder, const std::string& options) {
  std::string path = scratch() + "/new.iso";
  run("rm -f " + path + "; xorriso -as mkisofs " + options + " -o " + path + " " + folder);
  return load(path);
}

struct IsoWorld : World {
  explicit IsoWorld(ImageDisk& disk, const std::string& options = "")
      : World(disk, "iso9660", iso9660::initialize, options, true) {}
};

}  // namespace test
