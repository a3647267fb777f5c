// A disk that is any bytes: the partitions that it says it has lie on it and do not touch its table.
#include <cstddef>
#include <cstdint>

#include "../../services/ext4/tests/host/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Sectors of the input in turn at both ends of the disk, where tables are; and anywhere, where chains lead.
  constexpr std::size_t sectors = 256;
  test::Bytes image(sectors * 512);
  for (std::size_t i = 0; i < size && i < image.size() / 2; ++i) {
    std::size_t sector = i / 512;
    std::size_t place = sector < 4 ? sector : sector % 2 ? sectors - 1 - sector / 2 : sector * 7 % sectors;
    image[place * 512 + i % 512] = static_cast<char>(data[i]);
  }
  test::ImageDisk disk(std::move(image));
  core::MutexGuard guard{block::volumes_mutex()};
  disk.disk->for_each_volume([&](block::Volume& volume) {
    if (volume.number() == 0) return;
    if (volume.start() == 0 || volume.sectors() == 0 || volume.start() > sectors ||
        volume.sectors() > sectors - volume.start())
      __builtin_trap();
  });
  return 0;
}
