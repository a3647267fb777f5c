#include "elf/image.h"

#include <bit>
#include <cstring>

#include "base/bits.h"

namespace elf {
namespace {

constexpr std::uint8_t magic[4] = {0x7f, 'E', 'L', 'F'};
constexpr std::size_t program_headers_size_max = 65536, interpreter_name_max = 4096;

template <typename T>
T load_at(std::span<const std::uint8_t> bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

}  // namespace

bool has_magic(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= sizeof(magic) && std::memcmp(bytes.data(), magic, sizeof(magic)) == 0;
}

base::Result<Header> read_file_header(std::span<const std::uint8_t> bytes, std::uint16_t machine) {
  FileHeader file{};
  if (!bytes.empty())
    std::memcpy(&file, bytes.data(), bytes.size() < sizeof(file) ? bytes.size() : sizeof(file));
  if (!has_magic(bytes) || (file.type != type_executable && file.type != type_shared) ||
      file.machine != machine || file.program_header_size != sizeof(ProgramHeader))
    return base::error(base::Errno::enoexec);
  std::size_t size = std::size_t{file.program_header_count} * sizeof(ProgramHeader);
  if (size == 0 || size > program_headers_size_max) return base::error(base::Errno::enoexec);
  return Header{
      .kind = file.type == type_executable ? Header::Kind::fixed_address : Header::Kind::position_independent,
      .entry = file.entry,
      .program_headers_offset = file.program_header_offset,
      .program_headers_size = size,
      .program_header_count = file.program_header_count,
      .flags = file.flags};
}

namespace {

class ImageReader {
 public:
  explicit ImageReader(Image& image) : image_(image) {}

  base::Result<void> read(const ProgramHeader& program) {
    switch (program.type) {
      case segment_load:
        return load_segment(program);
      case segment_interpreter:
        if (image_.interpreter) return {};  // the first one counts
        if (program.file_size > interpreter_name_max || program.file_size < 2)
          return base::error(base::Errno::enoexec);
        image_.interpreter = FileRange{program.offset, program.file_size};
        return {};
      case segment_gnu_stack:
        image_.stack =
            program.flags & flag_execute ? StackPermission::executable : StackPermission::not_executable;
        return {};
      case segment_gnu_property:
        image_.gnu_property = FileRange{program.offset, program.file_size};
        return {};
      default:
        return {};
    }
  }

 private:
  base::Result<void> load_segment(const ProgramHeader& program) {
    if (std::has_single_bit(program.alignment) && program.alignment > image_.alignment)
      image_.alignment = program.alignment;
    // The headers' own address is worked out with wrapping arithmetic: it is only a number for the program.
    std::uint64_t table = image_.header.program_headers_offset;
    if (program.offset <= table && table - program.offset < program.file_size)
      image_.program_headers_address = table - program.offset + program.virtual_address;
    return image_.segments.try_push_back(
        {program.virtual_address, program.memory_size, program.offset, program.file_size, program.flags});
  }

  Image& image_;
};

}  // namespace

base::Result<Image> read_image(const Header& header, std::span<const std::uint8_t> table) {
  if (table.size() < header.program_headers_size) return base::error(base::Errno::enoexec);
  Image image;
  image.header = header;
  ImageReader reader{image};
  for (std::size_t at = 0; at < header.program_headers_size; at += sizeof(ProgramHeader))
    TRY(reader.read(load_at<ProgramHeader>(table, at)));
  return image;
}

base::Result<std::span<const std::uint8_t>> interpreter_name(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < 2 || bytes.back() != 0) return base::error(base::Errno::enoexec);
  std::size_t size = 0;
  while (bytes[size]) ++size;
  return bytes.first(size);
}

base::Result<Extent> check_layout(const Image& image, const LayoutLimits& limits) {
  if (image.segments.empty()) return base::error(base::Errno::einval);
  Extent extent{.low = ~std::uint64_t{0}, .code_start = ~std::uint64_t{0}};
  for (const Segment& segment : image.segments) {
    std::uint64_t start = segment.address;
    if (start >= limits.address_end || segment.file_size > segment.memory_size ||
        segment.memory_size > limits.address_end || limits.address_end - segment.memory_size < start)
      return base::error(base::Errno::einval);
    if (segment.file_size && ((start ^ segment.offset) & (limits.page_size - 1)) != 0)
      return base::error(base::Errno::einval);
    if (!base::checked_add(segment.offset, segment.file_size + limits.page_size))
      return base::error(base::Errno::einval);
    std::uint64_t file_end = start + segment.file_size, end = start + segment.memory_size;
    std::uint64_t page = base::align_down(start, limits.page_size);
    if (page < extent.low) extent.low = page;
    if (end > extent.high) extent.high = end;
    if (segment.flags & flag_execute) {
      if (start < extent.code_start) extent.code_start = start;
      if (file_end > extent.code_end) extent.code_end = file_end;
    }
    if (start > extent.data_start) extent.data_start = start;
    if (file_end > extent.data_end) extent.data_end = file_end;
  }
  if (extent.high == extent.low) return base::error(base::Errno::einval);
  if (extent.code_start > extent.code_end) extent.code_start = extent.code_end;
  extent.break_start = extent.high;
  return extent;
}

Placement place_segment(const Segment& segment, std::uint64_t bias, std::uint64_t page_size) {
  std::uint64_t in_page = segment.address & (page_size - 1), start = segment.address + bias;
  Placement place{.address = start - in_page};
  if (segment.file_size) {
    place.file_offset = segment.offset - in_page;
    place.file_length = segment.file_size + in_page;
  }
  place.zero_start = start + segment.file_size;
  place.zero_end = start + segment.memory_size;
  return place;
}

base::Result<std::uint32_t> read_gnu_property(std::span<const std::uint8_t> note, std::uint32_t type) {
  struct NoteHeader {
    std::uint32_t name_size, contents_size, type;
  };
  struct Property {
    std::uint32_t type, size;
  };
  constexpr std::size_t contents_start = 16, alignment = 8, note_max = 1024;
  constexpr std::uint32_t gnu_property_note = 5;
  if (note.size() < contents_start || note.size() > note_max) return base::error(base::Errno::enoexec);
  auto header = load_at<NoteHeader>(note, 0);
  if (header.type != gnu_property_note || header.name_size != 4 ||
      std::memcmp(note.data() + sizeof(header), "GNU", 4) != 0 ||
      header.contents_size > note.size() - contents_start)
    return base::error(base::Errno::enoexec);
  std::span<const std::uint8_t> rest = note.subspan(contents_start, header.contents_size);
  std::optional<std::uint32_t> previous_type;
  while (!rest.empty()) {
    if (rest.size() < sizeof(Property)) return base::error(base::Errno::enoexec);
    auto property = load_at<Property>(rest, 0);
    rest = rest.subspan(sizeof(Property));
    std::uint64_t step = base::align_up(std::uint64_t{property.size}, std::uint64_t{alignment});
    // They are sorted and unique.
    if (step > rest.size() || (previous_type && property.type <= *previous_type))
      return base::error(base::Errno::enoexec);
    if (property.type == type) {
      if (property.size != sizeof(std::uint32_t)) return base::error(base::Errno::enoexec);
      return load_at<std::uint32_t>(rest, 0);
    }
    previous_type = property.type;
    rest = rest.subspan(static_cast<std::size_t>(step));
  }
  return 0u;
}

}  // namespace elf
