// A squashfs with some of its bytes changed: mounted and read. Its metadata is not compressed, so that every
// change reaches a structure.
//
// The input is a list of changes, {place, place, value} each, where a place is a number among the bytes that
// are not the contents of files; the first byte chooses the image.
#include <cstddef>
#include <cstdint>

#include "../../services/squashfs/tests/host/image.h"

namespace {

using namespace test;

const std::vector<Bytes>& bases() {
  static const auto& all = *[] {
    std::string folder = scratch() + "/seed";
    run("rm -rf " + folder + "; mkdir -p " + folder + "/d; cd " + folder +
        "; for i in 1 2 3 4 5 6 7 8; do echo $i >d/entry-$i; done; printf %09000d 1 >big; ln -s d l; mkfifo "
        "p; mknod n c 1 3; "
        "python3 -c \"import os; os.setxattr('big','user.a',b'value'); os.setxattr('d','user.a',b'value')\"");
    return new std::vector<Bytes>{make_image(folder, "-comp gzip -b 4096 -noI -noX -noF -noId"),
                                  make_image(folder, "-comp zstd -b 4096 -noI -noX -noId")};
  }();
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4 || size > 256) return 0;
  Bytes image = bases()[data[0] % bases().size()];
  for (std::size_t i = 1; i + 3 <= size; i += 3) {
    std::size_t place = data[i] | static_cast<unsigned>(data[i + 1]) << 8;
    image[place % image.size()] = static_cast<char>(data[i + 2]);
  }
  ImageDisk disk(std::move(image));
  SquashWorld w(disk);
  if (w.mount_error) return 0;
  for (const char* folder : {"/", "/d", "/l"})
    for (const auto& name : w.list(folder)) {
      std::string path = std::string(folder) + "/" + name;
      Attributes found;
      if (!vfs::stat(w.caller(), nullptr, w.full(path), lookup_default, found)) continue;
      if (is_regular(found.mode)) (void)w.read_file(path);
      if (is_symlink(found.mode)) (void)w.read_link(path);
      if (!is_symlink(found.mode)) (void)vfs::get_xattr(w.caller(), w.path(w.full(path)), "user.a");
    }
  return 0;
}
