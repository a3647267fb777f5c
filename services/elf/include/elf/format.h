// The parts of the ELF-64 file format that a program loader reads (System V gABI, chapters 4 and 5).
#pragma once

#include <cstdint>

namespace elf {

struct FileHeader {
  std::uint8_t identification[16];
  std::uint16_t type, machine;
  std::uint32_t version;
  std::uint64_t entry, program_header_offset, section_header_offset;
  std::uint32_t flags;
  std::uint16_t header_size, program_header_size, program_header_count;
  std::uint16_t section_header_size, section_header_count, section_name_index;
};
static_assert(sizeof(FileHeader) == 64);

struct ProgramHeader {
  std::uint32_t type, flags;
  std::uint64_t offset, virtual_address, physical_address, file_size, memory_size, alignment;
};
static_assert(sizeof(ProgramHeader) == 56);

enum : std::uint16_t { type_executable = 2, type_shared = 3 };
enum : std::uint16_t { machine_x86_64 = 62, machine_aarch64 = 183, machine_riscv = 243 };
enum : std::uint32_t {
  segment_load = 1,
  segment_interpreter = 3,
  segment_thread_local = 7,
  segment_gnu_stack = 0x6474e551,
  segment_gnu_property = 0x6474e553,
};
enum : std::uint32_t { flag_execute = 1, flag_write = 2, flag_read = 4 };

}  // namespace elf
