// seccomp(2): operations, flags, what filters return, and the programs they are (linux/seccomp.h,
// linux/filter.h).
#pragma once

#include <cstdint>

namespace linux_abi::seccomp {

inline constexpr unsigned set_mode_strict = 0, set_mode_filter = 1, get_action_available = 2,
                          get_notification_sizes = 3;
inline constexpr unsigned flag_sync_threads = 1, flag_log = 2, flag_allow_speculation = 4,
                          flag_new_listener = 8, flag_sync_threads_esrch = 16, flag_wait_killable = 32;
enum class Mode : std::uint8_t { off = 0, strict = 1, filter = 2 };

// Smaller ones, as signed numbers, go before larger ones.
inline constexpr std::uint32_t kill_process = 0x80000000, kill_thread = 0, trap = 0x30000,
                               fail_with_error = 0x50000, ask_listener = 0x7fc00000, ask_tracer = 0x7ff00000,
                               log = 0x7ffc0000, allow = 0x7fff0000, action_mask = 0xffff0000,
                               data_mask = 0xffff;

// What a filter looks at.
struct Data {
  std::int32_t number = 0;
  std::uint32_t architecture = 0;
  std::uint64_t instruction_pointer = 0, arguments[6] = {};
};
static_assert(sizeof(Data) == 64);

struct Instruction {
  std::uint16_t code = 0;
  std::uint8_t jump_true = 0, jump_false = 0;
  std::uint32_t k = 0;
};
static_assert(sizeof(Instruction) == 8);

struct Program {
  std::uint16_t length = 0, pad[3] = {};
  std::uint64_t instructions = 0;
};

// Classes, and the rest of an instruction's code.
inline constexpr unsigned class_mask = 7, class_load = 0, class_load_index = 1, class_store = 2,
                          class_store_index = 3, class_arithmetic = 4, class_jump = 5, class_return = 6,
                          class_move = 7;
inline constexpr unsigned mode_mask = 0xe0, mode_immediate = 0, mode_absolute = 0x20, mode_memory = 0x60,
                          mode_length = 0x80;
inline constexpr unsigned operation_mask = 0xf0, source_index = 8;
inline constexpr unsigned add = 0, subtract = 0x10, multiply = 0x20, divide = 0x30, bit_or = 0x40,
                          bit_and = 0x50, shift_left = 0x60, shift_right = 0x70, negate = 0x80,
                          bit_xor = 0xa0;
inline constexpr unsigned jump_always = 0, jump_equal = 0x10, jump_greater = 0x20, jump_not_less = 0x30,
                          jump_bits = 0x40;
inline constexpr unsigned return_accumulator = 0x10, move_to_index = 0, move_to_accumulator = 0x80;
inline constexpr unsigned memory_words = 16, program_length_max = 4096, path_length_max = 32768;

}  // namespace linux_abi::seccomp
