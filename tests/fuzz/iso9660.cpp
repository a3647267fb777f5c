// A disc with some of its bytes changed: mounted and read.
//
// The input is a list of changes, {place, place, value} each, where a place is a number among the bytes that
// are not zero in the descriptors and directories; the first byte chooses the options.
#include <cstddef>
#include <cstdint>

#include "../../services/iso9660/tests/host/image.h"

namespace {

using namespace test;

struct Seed {
  Bytes bytes;
  std::vector<std::uint32_t> cells;
};

const Seed& seed() {
  static const auto& one = *[] {
    std::string folder = scratch() + "/seed";
    run("rm -rf " + folder + "; mkdir -p " + folder + "/d; cd " + folder +
        "; for i in 1 2 3 4 5 6 7 8; do echo $i >d/entry-$i; done; printf %09000d 1 >big; ln -s "
        "d/../d/entry-1 l; mkfifo p; "
        "mknod n c 1 3; echo long >$(printf %0200d 3)");
    auto* result = new Seed{make_image(folder, "-R -J"), {}};
    for (std::uint32_t at = 32768; at + 8 <= result->bytes.size(); at += 8)
      if (std::any_of(result->bytes.begin() + at, result->bytes.begin() + at + 8,
                      [](char c) { return c != 0 && c != '0'; }))
        result->cells.push_back(at);
    return result;
  }();
  return one;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4 || size > 256) return 0;
  Bytes image = seed().bytes;
  for (std::size_t i = 1; i + 3 <= size; i += 3) {
    std::size_t cell = (data[i] | static_cast<unsigned>(data[i + 1]) << 8) % (seed().cells.size() * 8);
    image[seed().cells[cell / 8] + cell % 8] = static_cast<char>(data[i + 2]);
  }
  constexpr const char* options[] = {"", "norock", "norock,nojoliet", ""};
  ImageDisk disk(std::move(image));
  IsoWorld w(disk, options[data[0] % 4]);
  if (w.mount_error) return 0;
  for (const char* folder : {"/", "/d"})
    for (const auto& name : w.list(folder)) {
      std::string path = std::string(folder) + "/" + name;
      Attributes found;
      if (!vfs::stat(w.caller(), nullptr, w.full(path), lookup_default, found)) continue;
      if (is_regular(found.mode)) (void)w.read_file(path);
      if (is_symlink(found.mode)) (void)w.read_link(path);
    }
  return 0;
}
