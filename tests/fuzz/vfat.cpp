// A FAT with some of its bytes changed: mounted, used and unmounted. Errors are fine; the sanitizers and the
// time limit say what is not.
//
// The input is a list of changes: which image, then {place, place, value} each, where a place is a number
// among the bytes that are not zero and those beside them: boot sector, tables, directories, information
// sector.
#include <cstddef>
#include <cstdint>

#include "../../services/vfat/tests/host/image.h"

namespace {

using namespace test;

struct Base {
  Bytes bytes;
  std::vector<std::uint32_t> cells;
};

const std::vector<Base>& bases() {
  static const auto& all = *[] {
    std::string folder = scratch() + "/seed";
    run("rm -rf " + folder + "; mkdir -p '" + folder + "/a directory/sub'; cd " + folder +
        "; echo x >SHORT.TXT; echo y >'a directory/a long file name.txt'; printf %09000d 1 >big; echo z >'a "
        "directory/sub/z'");
    auto* result = new std::vector<Base>;
    for (auto [kib, options] :
         {std::pair<unsigned, const char*>{512, "-F 12"}, {4300, "-F 16 -s 1"}, {33000, "-F 32 -s 1"}}) {
      Base base{make_image(kib, options, folder), {}};
      for (std::uint32_t at = 0; at + 8 <= base.bytes.size(); at += 8)
        if (std::any_of(base.bytes.begin() + at, base.bytes.begin() + at + 8, [](char c) { return c != 0; }))
          base.cells.push_back(at);
      result->push_back(std::move(base));
    }
    return result;
  }();
  return all;
}

void use(World& w) {
  for (const char* folder : {"/", "/a directory", "/a directory/sub"}) {
    for (const auto& name : w.list(folder)) {
      std::string path = std::string(folder) + "/" + name;
      Attributes found;
      if (!vfs::stat(w.caller(), nullptr, w.full(path), lookup_default, found)) continue;
      if (is_regular(found.mode)) (void)w.read_file(path);
    }
  }
  (void)w.write_file("/a directory/new file", pattern(20000, 1));
  (void)w.write_file("/SHORT.TXT", pattern(3000, 1));
  (void)w.mkdir("/a directory/new directory");
  (void)w.rename("/a directory/a long file name.txt", "/moved");
  (void)w.rename("/a directory/sub", "/sub");
  (void)w.unlink("/big");
  (void)w.rmdir("/a directory/new directory");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4 || size > 256) return 0;
  const Base& base = bases()[data[0] % bases().size()];
  Bytes image = base.bytes;
  for (std::size_t i = 1; i + 3 <= size; i += 3) {
    std::size_t cell = (data[i] | static_cast<unsigned>(data[i + 1]) << 8) % (base.cells.size() * 8);
    image[base.cells[cell / 8] + cell % 8] = static_cast<char>(data[i + 2]);
  }
  ImageDisk disk(std::move(image));
  VfatWorld w(disk);
  if (w.mount_error == 0) use(w);
  return 0;
}
