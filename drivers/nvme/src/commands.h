// What controller and driver say to each other (NVM Express Base 1.4, chapters 3 to 6).
#pragma once

#include <cstdint>

namespace nvme {

// Registers, and where the doorbells begin.
enum Register : unsigned {
  capabilities_low = 0x00,
  capabilities_high = 0x04,
  configuration = 0x14,
  status = 0x1c,
  admin_queue_sizes = 0x24,
  admin_submission = 0x28,
  admin_completion = 0x30,
  doorbells = 0x1000,
};
inline constexpr std::uint32_t configuration_enable = 1, configuration_entry_sizes = 6u << 16 | 4u << 20;
inline constexpr std::uint32_t status_ready = 1, status_fatal = 2;

enum class Opcode : std::uint8_t {
  // Commands of a namespace.
  flush = 0x00,
  write = 0x01,
  read = 0x02,
  write_zeroes = 0x08,
  dataset_management = 0x09,
  // Commands to the controller.
  create_submission_queue = 0x01,
  create_completion_queue = 0x05,
  identify = 0x06,
  set_features = 0x09,
};

struct Command {
  std::uint8_t opcode = 0, flags = 0;
  std::uint16_t identifier = 0;
  std::uint32_t name_space = 0;
  std::uint64_t reserved = 0, metadata = 0;
  // Where the data is: the first page, and the second or a list of the others.
  std::uint64_t pages[2] = {};
  std::uint32_t words[6] = {};  // 10 to 15
};
static_assert(sizeof(Command) == 64);

struct Completion {
  std::uint32_t result, reserved;
  std::uint16_t submission_head, submission_queue, identifier;
  std::uint16_t status;  // bit 0: phase
};
static_assert(sizeof(Completion) == 16);

inline constexpr std::uint32_t force_unit_access = 1u << 30;  // word 12 of write
inline constexpr std::uint32_t deallocate = 1u << 2;          // word 11 of dataset management
struct DatasetRange {
  std::uint32_t attributes = 0, blocks = 0;
  std::uint64_t start = 0;
};

// Identify: which structure, and places in it.
inline constexpr std::uint32_t identify_namespace = 0, identify_controller = 1, identify_active = 2;
enum ControllerPlace : unsigned {
  serial_at = 4,
  transfer_limit_at = 77,
  optional_commands_at = 520,
  cache_at = 525
};
inline constexpr unsigned serial_length = 20;
inline constexpr std::uint16_t optional_dataset_management = 1u << 2, optional_write_zeroes = 1u << 3;
enum NamespacePlace : unsigned { size_at = 0, formatted_as_at = 26, formats_at = 128 };
inline constexpr std::uint32_t feature_queues = 7;

}  // namespace nvme
