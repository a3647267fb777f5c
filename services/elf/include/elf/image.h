// Understanding an ELF program before it is loaded. Pure logic: the caller reads the file and maps the
// segments.
//
//   auto header = TRY(elf::read_file_header(first_bytes, elf::machine_x86_64));
//   TRY(read_file(header.program_headers_offset, table.first(header.program_headers_size)));
//   auto image = TRY(elf::read_image(header, table));
//   if (image.interpreter) ...       // the file's bytes [offset, offset + size) name it
//   ... point of no return ...
//   auto extent = TRY(elf::check_layout(image, limits));
//   for (const elf::Segment& segment : image.segments) map(elf::place_segment(segment, bias, page_size));
//
// The checks and their errors are those of Linux, in the order of Linux, so that a damaged file fails in the
// same way at the same stage: read_file_header() and read_image() fail before the old program is gone (execve
// returns the error), check_layout() after it (the process is killed). Like Linux, the class and byte order
// of the identification are not looked at: what has the right machine number and header size is of the right
// class.
//
// Everything is bounded: at most 1170 program headers; all arithmetic is checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/result.h"
#include "base/vector.h"
#include "elf/format.h"

namespace elf {

struct Header {
  enum class Kind : std::uint8_t { fixed_address, position_independent };
  Kind kind = Kind::fixed_address;
  std::uint64_t entry = 0;
  std::uint64_t program_headers_offset = 0;
  std::size_t program_headers_size = 0;  // bytes, at most 64 KiB
  std::uint16_t program_header_count = 0;
  std::uint32_t flags = 0;  // of the processor: float ABI and the like
};

// `bytes` are the first ones of the file; missing ones count as zero. ENOEXEC for everything that is not a
// program for `machine`.
base::Result<Header> read_file_header(std::span<const std::uint8_t> bytes, std::uint16_t machine);
// True if the file begins as an ELF file: the interpreter gets ELIBBAD instead of ENOEXEC.
bool has_magic(std::span<const std::uint8_t> bytes);

struct FileRange {
  std::uint64_t offset = 0, size = 0;
};

struct Segment {
  std::uint64_t address = 0, memory_size = 0;  // before the bias is added
  std::uint64_t offset = 0, file_size = 0;
  std::uint32_t flags = 0;  // flag_read and so on
};

enum class StackPermission : std::uint8_t { unspecified, executable, not_executable };

struct Image {
  Header header;
  base::Vector<Segment> segments;        // PT_LOAD, in the order of the file
  std::optional<FileRange> interpreter;  // 2 to 4096 bytes, the last of which must be zero
  std::optional<FileRange> gnu_property;
  StackPermission stack = StackPermission::unspecified;
  std::uint64_t alignment = 0;  // the largest power of two that a segment asks for; 0 if none does
  std::uint64_t program_headers_address = 0;  // AT_PHDR before the bias; 0 if no segment holds them
};

// `table` holds header.program_headers_size bytes. ENOEXEC for an impossible interpreter name; ENOMEM.
base::Result<Image> read_image(const Header& header, std::span<const std::uint8_t> table);
// The text of the interpreter segment, without its zero byte. ENOEXEC if that is missing.
base::Result<std::span<const std::uint8_t>> interpreter_name(std::span<const std::uint8_t> bytes);

// What the memory map and /proc/PID/stat want to know, before the bias.
struct Extent {
  std::uint64_t low = 0, high = 0;  // of all segments; low is rounded down to a page
  std::uint64_t code_start = 0, code_end = 0, data_start = 0, data_end = 0;
  std::uint64_t break_start = 0;  // end of the highest segment's memory
};
struct LayoutLimits {
  std::uint64_t page_size = 4096;
  std::uint64_t address_end = 0;  // first address user space cannot have
};
// EINVAL for segments that cannot be mapped: more in the file than in memory, beyond the end of the address
// space, not at the same place of a page as in the file; and for a program without any.
base::Result<Extent> check_layout(const Image& image, const LayoutLimits& limits);

// One segment in whole pages: map the file's bytes, then zeroes.
struct Placement {
  std::uint64_t address = 0;      // page aligned, bias included
  std::uint64_t file_offset = 0;  // page aligned
  std::uint64_t file_length = 0;  // bytes to map from the file, from `address` on; 0: nothing
  std::uint64_t zero_start =
      0;  // [zero_start, zero_end) reads as zero; the part in the file's last page has to be
  std::uint64_t zero_end = 0;  // cleared, the rest is anonymous memory
};
Placement place_segment(const Segment& segment, std::uint64_t bias, std::uint64_t page_size);

// Features of .note.gnu.property: the word of the property `type` (GNU_PROPERTY_AARCH64_FEATURE_1_AND and the
// like), 0 if absent. ENOEXEC for a damaged note.
base::Result<std::uint32_t> read_gnu_property(std::span<const std::uint8_t> note, std::uint32_t type);

}  // namespace elf
