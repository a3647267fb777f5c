// Images made by mksquashfs.
#pragma once

#include "../../../byte_cache/tests/disk_world.h"
#include "squashfs/squashfs.h"

namespace test {

// A tree with everything that there is; its big file has a hole, and a tail that becomes a fragment.
inline std::string make_tree() {
  std::string folder = scratch() + "/tree";
  run("rm -rf " + folder + "; mkdir -p " + folder + "/many " + folder + "/deep/er/still; cd " + folder +
      "; echo text >file; : >empty; ln file hard; ln -s deep/er link; mkfifo pipe; mknod null c 1 3; mknod "
      "big_node b "
      "259 70000; chmod 4751 file; chown 7:8 empty; "
      "for i in $(seq 1 700); do echo $i >many/entry-$i; done; echo inner >deep/er/still/inner; "
      "python3 -c \"import os,random; random.seed(1); f=open('big','wb'); f.write(random.randbytes(700000)); "
      "f.seek(2000000); f.write(b'after the hole'*5000); f.close(); "
      "os.setxattr('file','user.short',b'value'); os.setxattr('file','user.long',b'v'*3000); "
      "os.setxattr('big','user.long',b'v'*3000); os.setxattr('deep','user.dir',b'd')\"");
  return folder;
}

inline Bytes make_image(const std::string& folder, const std::string& options) {
  std::string path = scratch() + "/new.img";
  run("rm -f " + path + "; mksquashfs " + folder + " " + path + " -quiet -no-progress -noappend " + options);
  return load(path);
}

struct SquashWorld : World {
  explicit SquashWorld(ImageDisk& disk, const std::string& options = "")
      : World(disk, "squashfs", squashfs::initialize, options, true) {}
};

}  // namespace test
