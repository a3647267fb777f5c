#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "elf/image.h"

namespace elf {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr LayoutLimits limits{.page_size = 4096, .address_end = 0x7ffffffff000};

Bytes program(std::uint16_t type, const std::vector<ProgramHeader>& headers) {
  FileHeader file{};
  std::memcpy(file.identification,
              "\x7f"
              "ELF\2\1\1",
              7);
  file.type = type;
  file.machine = machine_x86_64;
  file.entry = 0x401000;
  file.program_header_offset = sizeof(file);
  file.program_header_size = sizeof(ProgramHeader);
  file.program_header_count = static_cast<std::uint16_t>(headers.size());
  Bytes bytes(sizeof(file) + headers.size() * sizeof(ProgramHeader));
  std::memcpy(bytes.data(), &file, sizeof(file));
  if (!headers.empty())
    std::memcpy(bytes.data() + sizeof(file), headers.data(), headers.size() * sizeof(ProgramHeader));
  return bytes;
}
ProgramHeader load(std::uint64_t address, std::uint64_t offset, std::uint64_t file_size,
                   std::uint64_t memory_size, std::uint32_t flags = flag_read,
                   std::uint64_t alignment = 4096) {
  return {segment_load, flags, offset, address, address, file_size, memory_size, alignment};
}
base::Result<Image> read(const Bytes& bytes) {
  Header header = TRY(read_file_header(bytes, machine_x86_64));
  if (header.program_headers_offset > bytes.size() ||
      bytes.size() - header.program_headers_offset < header.program_headers_size)
    return base::error(base::Errno::enoexec);
  return read_image(header,
                    std::span(bytes).subspan(header.program_headers_offset, header.program_headers_size));
}

TEST(Elf, ReadsAProgramOfThisHost) {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  Bytes bytes(std::istreambuf_iterator<char>(file), {});
  auto header = read_file_header(bytes, static_cast<std::uint16_t>(bytes[18] | bytes[19] << 8));
  ASSERT_TRUE(header);
  auto image = read_image(
      *header, std::span(bytes).subspan(header->program_headers_offset, header->program_headers_size));
  ASSERT_TRUE(image);
  EXPECT_GE(image->segments.size(), 2u);
  ASSERT_TRUE(image->interpreter);
  auto name =
      interpreter_name(std::span(bytes).subspan(image->interpreter->offset, image->interpreter->size));
  ASSERT_TRUE(name);
  EXPECT_EQ(std::string(name->begin(), name->end()).substr(0, 4), "/lib");
  EXPECT_EQ(image->stack, StackPermission::not_executable);
  auto extent = check_layout(*image, limits);
  ASSERT_TRUE(extent);
  EXPECT_LT(extent->low, extent->high);
  EXPECT_GE(image->header.entry, extent->code_start);
  EXPECT_LT(image->header.entry, extent->code_end);
}

TEST(Elf, RefusesWhatIsNoProgramForTheMachine) {
  const Bytes good = program(type_executable, {load(0x400000, 0, 0x100, 0x100)});
  EXPECT_TRUE(read(good));
  auto refuse = [&](std::size_t offset, std::uint8_t value) {
    Bytes bad = good;
    bad[offset] = value;
    auto image = read(bad);
    EXPECT_EQ(image.error(), base::Errno::enoexec) << offset;
  };
  refuse(1, 'X');    // magic
  refuse(16, 1);     // type: relocatable
  refuse(16, 4);     // type: core
  refuse(18, 3);     // machine: i386
  refuse(54, 32);    // size of a program header
  refuse(56, 0);     // none of them
  refuse(57, 0xff);  // too many
  EXPECT_EQ(read(Bytes(good.begin(), good.begin() + 20)).error(), base::Errno::enoexec);
  EXPECT_EQ(read({}).error(), base::Errno::enoexec);
  Bytes other_class = good;
  other_class[4] = 1;  // Linux does not look at it
  EXPECT_TRUE(read(other_class));
}

TEST(Elf, FindsTheSpecialSegments) {
  Bytes bytes =
      program(type_shared, {{segment_interpreter, flag_read, 0x2a8, 0x2a8, 0x2a8, 28, 28, 1},
                            {segment_interpreter, flag_read, 0x5a8, 0x5a8, 0x5a8, 5, 5, 1},
                            load(0, 0, 0x1000, 0x1000, flag_read),
                            load(0x2000, 0x1000, 0x500, 0x500, flag_read | flag_execute, 0x200000),
                            load(0x4e00, 0x1e00, 0x300, 0x1300, flag_read | flag_write, 0x3000),
                            {segment_gnu_stack, flag_read | flag_write | flag_execute, 0, 0, 0, 0, 0, 16},
                            {segment_gnu_property, flag_read, 0x300, 0x300, 0x300, 0x20, 0x20, 8}});
  auto image = read(bytes);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->interpreter->offset, 0x2a8u);
  EXPECT_EQ(image->stack, StackPermission::executable);
  EXPECT_EQ(image->gnu_property->size, 0x20u);
  EXPECT_EQ(image->alignment, 0x200000u);  // 0x3000 is no power of two
  EXPECT_EQ(image->program_headers_address, sizeof(FileHeader));
  auto extent = check_layout(*image, limits);
  ASSERT_TRUE(extent);
  EXPECT_EQ(extent->low, 0u);
  EXPECT_EQ(extent->break_start, 0x6100u);
  EXPECT_EQ(extent->code_start, 0x2000u);
  EXPECT_EQ(extent->code_end, 0x2500u);
  EXPECT_EQ(extent->data_start, 0x4e00u);
  EXPECT_EQ(extent->data_end, 0x5100u);

  Placement place = place_segment(image->segments[2], 0x10000, 4096);
  EXPECT_EQ(place.address, 0x14000u);
  EXPECT_EQ(place.file_offset, 0x1000u);
  EXPECT_EQ(place.file_length, 0x1100u);
  EXPECT_EQ(place.zero_start, 0x15100u);
  EXPECT_EQ(place.zero_end, 0x16100u);
}

TEST(Elf, RefusesImpossibleLayouts) {
  auto check = [](const ProgramHeader& header) {
    auto image = read(program(type_executable, {header}));
    EXPECT_TRUE(image);
    return check_layout(*image, limits);
  };
  EXPECT_TRUE(check(load(0x400000, 0, 0x100, 0x200)));
  EXPECT_EQ(check(load(0x400000, 0, 0x300, 0x200)).error(), base::Errno::einval);
  EXPECT_EQ(check(load(0x400010, 0, 0x100, 0x200)).error(), base::Errno::einval);
  EXPECT_EQ(check(load(0xffff800000000000, 0, 0x100, 0x200)).error(), base::Errno::einval);
  EXPECT_EQ(check(load(0x7fffffffe000, 0, 0x100, 0x2000)).error(), base::Errno::einval);
  EXPECT_EQ(check(load(0x400000, 0, 0x100, ~std::uint64_t{0})).error(), base::Errno::einval);
  EXPECT_EQ(check(load(0x400000, ~std::uint64_t{0xfff}, 0x2000, 0x2000)).error(), base::Errno::einval);
  EXPECT_EQ(check(load(0x400000, 0, 0, 0)).error(), base::Errno::einval);
  auto nothing = read(program(type_shared, {{segment_gnu_stack, 0, 0, 0, 0, 0, 0, 0}}));
  EXPECT_EQ(check_layout(*nothing, limits).error(), base::Errno::einval);
}

TEST(Elf, RefusesImpossibleInterpreters) {
  for (std::uint64_t size : {0u, 1u, 4097u})
    EXPECT_EQ(read(program(type_shared, {{segment_interpreter, 4, 0, 0, 0, size, size, 1}})).error(),
              base::Errno::enoexec);
  EXPECT_EQ(interpreter_name(Bytes{'/', 'a'}).error(), base::Errno::enoexec);
  EXPECT_EQ(interpreter_name(Bytes{'/', 0, 'a', 0})->size(), 1u);
}

TEST(Elf, ReadsGnuProperties) {
  auto note = [](std::initializer_list<std::uint32_t> words) {
    Bytes bytes(words.size() * 4);
    std::memcpy(bytes.data(), words.begin(), bytes.size());
    return bytes;
  };
  constexpr std::uint32_t gnu = 0x00554e47;
  EXPECT_EQ(*read_gnu_property(note({4, 16, 5, gnu, 0xc0000000, 4, 3, 0}), 0xc0000000), 3u);
  EXPECT_EQ(*read_gnu_property(note({4, 32, 5, gnu, 1, 8, 0, 0, 0xc0000000, 4, 7, 0}), 0xc0000000), 7u);
  EXPECT_EQ(*read_gnu_property(note({4, 0, 5, gnu}), 0xc0000000), 0u);
  EXPECT_FALSE(read_gnu_property(note({4, 16, 4, gnu, 0xc0000000, 4, 3, 0}), 0xc0000000));
  EXPECT_FALSE(read_gnu_property(note({4, 17, 5, gnu, 0xc0000000, 4, 3, 0}), 0xc0000000));
  EXPECT_FALSE(read_gnu_property(note({4, 16, 5, gnu, 0xc0000000, 40, 3, 0}), 0xc0000000));
  EXPECT_FALSE(read_gnu_property(note({4, 32, 5, gnu, 2, 8, 0, 0, 1, 4, 7, 0}), 1));
  EXPECT_FALSE(read_gnu_property(note({4, 16, 5}), 1));
}

TEST(Elf, AnyBytesGiveAnAnswer) {
  std::mt19937_64 random(5);
  const Bytes good = program(type_shared, {load(0, 0, 0x1000, 0x1000),
                                           load(0x2000, 0x1000, 0x500, 0x900, 5),
                                           {segment_interpreter, 4, 0x2a8, 0, 0, 28, 28, 1}});
  for (int i = 0; i < 50000; ++i) {
    Bytes bytes = good;
    for (unsigned n = 1 + random() % 6; n; --n)
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random() % 3 ? random() : 0xff);
    auto image = read(bytes);
    if (!image) continue;
    auto extent = check_layout(*image, limits);
    if (!extent) continue;
    for (const Segment& segment : image->segments) {
      Placement place = place_segment(segment, 0, 4096);
      EXPECT_LE(place.zero_start, place.zero_end);
      EXPECT_LE(place.zero_end, limits.address_end);
      EXPECT_EQ(place.address % 4096, 0u);
      EXPECT_EQ(place.file_offset % 4096, 0u);
    }
  }
}

}  // namespace
}  // namespace elf
