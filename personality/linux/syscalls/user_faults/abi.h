// Numbers and structures of linux/userfaultfd.h.
#pragma once

#include <cstdint>

namespace linux_abi::user_faults {

inline constexpr unsigned user_mode_only = 1;
inline constexpr std::uint64_t version = 0xaa;

inline constexpr unsigned io_api = 0xc018aa3f, io_register = 0xc020aa00, io_unregister = 0x8010aa01,
                          io_wake = 0x8010aa02, io_copy = 0xc028aa03, io_zeropage = 0xc020aa04,
                          io_write_protect = 0xc018aa06, io_continue = 0xc020aa07;
// As bits of the answers, by the low byte of the command.
inline constexpr std::uint64_t can_register = 1 << 0, can_unregister = 1 << 1, can_wake = 1 << 2,
                               can_copy = 1 << 3, can_zeropage = 1 << 4, can_write_protect = 1 << 6,
                               can_continue = 1 << 7, can_api = std::uint64_t{1} << 0x3f;

inline constexpr std::uint64_t feature_write_protect = 1 << 0, feature_missing_shared = 1 << 5,
                               feature_sigbus = 1 << 7, feature_thread_id = 1 << 8,
                               feature_minor_shared = 1 << 10, feature_exact_address = 1 << 11;
inline constexpr std::uint64_t features = feature_write_protect | feature_missing_shared | feature_sigbus |
                                          feature_thread_id | feature_minor_shared | feature_exact_address;

inline constexpr std::uint64_t register_missing = 1, register_write_protect = 2, register_minor = 4;
inline constexpr std::uint64_t do_not_wake = 1;  // of copy, zeropage, continue
inline constexpr std::uint64_t copy_protected = 2, continue_protected = 2;
inline constexpr std::uint64_t protect_on = 1, protect_do_not_wake = 2;

struct Api {
  std::uint64_t api = 0, features = 0, ioctls = 0;
};
struct Range {
  std::uint64_t start = 0, length = 0;
};
struct Register {
  Range range;
  std::uint64_t mode = 0, ioctls = 0;
};
struct Copy {
  std::uint64_t to = 0, from = 0, length = 0, mode = 0;
  std::int64_t copied = 0;
};
struct Place {  // zeropage and continue
  Range range;
  std::uint64_t mode = 0;
  std::int64_t placed = 0;
};
struct Protect {
  Range range;
  std::uint64_t mode = 0;
};

inline constexpr std::uint8_t event_page_fault = 0x12;
inline constexpr std::uint64_t fault_write = 1, fault_protected = 2, fault_minor = 4;
struct Message {
  std::uint8_t event = 0, reserved[7] = {};
  std::uint64_t flags = 0, address = 0;
  std::uint32_t thread = 0, padding = 0;
};
static_assert(sizeof(Message) == 32);

}  // namespace linux_abi::user_faults
