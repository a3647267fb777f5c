// An ext4 with some of its bytes changed: mounted, used and unmounted. Errors are fine; the sanitizers and
// the time limit say what is not.
//
// The input is a list of changes: which image, then {place, how, value} of four bytes each. A place is a
// number among the cells of the image that are not zero, so that every one hits a structure: super block,
// descriptors, bitmaps, inodes, extents, directories, attributes, the log. Two of the images have no
// checksums; one of these was pulled out in use, so that the log is replayed.
#include <cstddef>
#include <cstdint>

#include "../../services/ext4/tests/host/image.h"

namespace {

using namespace test;

constexpr std::size_t cell_bytes = 16;
struct Base {
  Bytes bytes;
  std::vector<std::uint32_t> cells;
};

Base base_of(Bytes bytes) {
  Base base{std::move(bytes), {}};
  for (std::size_t at = 0; at + cell_bytes <= base.bytes.size(); at += cell_bytes)
    if (std::any_of(base.bytes.begin() + static_cast<long>(at),
                    base.bytes.begin() + static_cast<long>(at + cell_bytes), [](char c) { return c != 0; }))
      base.cells.push_back(static_cast<std::uint32_t>(at));
  return base;
}

const std::vector<Base>& bases() {
  static const auto& all = *[] {
    std::string folder = scratch() + "/seed";
    run("rm -rf " + folder + "; mkdir -p " + folder + "/d; cd " + folder +
        "; for i in $(seq 1 60); do echo $i > d/some-longer-name-$i; done; for i in 0 2 4 6 8 10; do echo x "
        "| dd of=holes "
        "bs=1024 seek=$i conv=notrunc; done; ln -s d/1 l; ln -s $(printf %080d 1) long; mkfifo p");
    auto* result = new std::vector<Base>;
    std::string small = "-b 1024 -N 128 -J size=1 -I 256";
    result->push_back(base_of(make_image(4, small, folder)));
    std::string plain = small + " -O ^metadata_csum,^metadata_csum_seed";
    Bytes unchecked = make_image(4, plain, folder);
    ImageDisk disk(std::move(unchecked));
    {
      Ext4World w(disk);
      (void)w.write_file("/written", pattern(9000, 1));
      (void)w.mkdir("/made");
      std::string value = pattern(300, 2);
      (void)vfs::set_xattr(w.caller(), w.path(w.full("/written")), "user.long", std::span<const char>(value),
                           XattrMode::set);
      (void)w.unlink("/d/some-longer-name-3");
      (void)w.sync_file("/written");
      (void)w.sync_file("/");
      result->push_back(base_of(disk.image));
    }
    result->push_back(base_of(disk.image));
    return result;
  }();
  return all;
}

void use(World& w) {
  for (const char* folder : {"/", "/d", "/made"}) {
    for (const auto& name : w.list(folder)) {
      std::string path = std::string(folder) + "/" + name;
      (void)w.stat_errno(path);
      Attributes found;
      if (!vfs::stat(w.caller(), nullptr, w.full(path), lookup_default, found)) continue;
      if (is_regular(found.mode)) (void)w.read_file(path);
      if (is_symlink(found.mode)) (void)w.read_link(path);
      if (is_regular(found.mode)) (void)vfs::get_xattr(w.caller(), w.path(w.full(path)), "user.long");
    }
  }
  (void)w.write_file("/new", pattern(20000, 1));
  (void)w.write_file("/holes", pattern(20000, 1));
  (void)w.mkdir("/d/new");
  (void)w.rename("/d/some-longer-name-5", "/d/new/moved");
  (void)w.unlink("/written");
  (void)w.unlink("/holes");
  (void)w.sync_file("/new");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 5 || size > 256) return 0;
  const Base& base = bases()[data[0] % bases().size()];
  Bytes image = base.bytes;
  for (std::size_t i = 1; i + 4 <= size; i += 4) {
    std::size_t cell = (data[i] | static_cast<unsigned>(data[i + 1]) << 8) % base.cells.size();
    unsigned how = data[i + 2], value = data[i + 3];
    std::size_t at = base.cells[cell] + how % cell_bytes;
    switch (how / cell_bytes % 4) {
      case 0:
        image[at] = static_cast<char>(value);
        break;
      case 1:
        image[at] = static_cast<char>(image[at] ^ (1 << value % 8));
        break;
      case 2:
        std::fill_n(image.begin() + static_cast<long>(at & ~std::size_t{3}), 4, static_cast<char>(value));
        break;
      default:  // one structure in the place of another
        std::memcpy(&image[base.cells[cell]], &base.bytes[base.cells[value * 37 % base.cells.size()]],
                    cell_bytes);
    }
  }
  ImageDisk disk(std::move(image));
  Ext4World w(disk);
  if (w.mount_error == 0) use(w);
  return 0;
}
