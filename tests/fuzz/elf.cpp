// Any bytes as a program.
#include <cstddef>
#include <cstdint>
#include <span>

#include "elf/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::span<const std::uint8_t> file{data, size};
  (void)elf::read_gnu_property(file, 0xc0000000);
  auto header = elf::read_file_header(file, elf::machine_x86_64);
  if (!header || header->program_headers_offset > size ||
      size - header->program_headers_offset < header->program_headers_size)
    return 0;
  auto image =
      elf::read_image(*header, file.subspan(header->program_headers_offset, header->program_headers_size));
  if (!image) return 0;
  if (image->interpreter && image->interpreter->offset < size) {
    auto rest = file.subspan(image->interpreter->offset);
    (void)elf::interpreter_name(
        rest.first(rest.size() < image->interpreter->size ? rest.size() : image->interpreter->size));
  }
  constexpr elf::LayoutLimits limits{.page_size = 4096, .address_end = 0x7ffffffff000};
  auto extent = elf::check_layout(*image, limits);
  if (!extent) return 0;
  for (const elf::Segment& segment : image->segments) {
    elf::Placement place = elf::place_segment(segment, 0, limits.page_size);
    if (place.zero_start > place.zero_end || place.address < extent->low || place.zero_end > extent->high ||
        place.address % limits.page_size || place.file_offset % limits.page_size ||
        (place.file_length && place.address + place.file_length != place.zero_start))
      __builtin_trap();
  }
  return 0;
}
