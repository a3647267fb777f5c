// ptrace(2): requests, options, events and structures (linux/ptrace.h).
#pragma once

#include <cstdint>

namespace linux_abi {

namespace trace {
inline constexpr long traceme = 0, peek_text = 1, peek_data = 2, peek_user = 3, poke_text = 4, poke_data = 5,
                      poke_user = 6, cont = 7, kill = 8, single_step = 9, attach = 16, detach = 17, call = 24,
                      emulate = 31, emulate_single_step = 32, old_set_options = 21, set_options = 0x4200,
                      get_event_message = 0x4201, get_signal_information = 0x4202,
                      set_signal_information = 0x4203, get_register_set = 0x4204, set_register_set = 0x4205,
                      seize = 0x4206, interrupt = 0x4207, listen = 0x4208, peek_signal_information = 0x4209,
                      get_signal_mask = 0x420a, set_signal_mask = 0x420b, get_call_information = 0x420e,
                      get_rseq_configuration = 0x420f;

inline constexpr unsigned event_fork = 1, event_vfork = 2, event_clone = 3, event_exec = 4,
                          event_vfork_done = 5, event_exit = 6, event_seccomp = 7, event_stop = 128;

// The option that asks for an event is 1 << its number.
inline constexpr std::uint32_t option_good_calls = 1, option_exit_kill = 1u << 20,
                               all_options = 0xff | option_exit_kill;

inline constexpr std::uint64_t message_call_entry = 1, message_call_exit = 2;

struct PeekArguments {
  std::uint64_t offset = 0;
  std::uint32_t flags = 0;
  std::int32_t count = 0;
};
inline constexpr std::uint32_t peek_shared = 1;

struct RseqConfiguration {
  std::uint64_t address = 0;
  std::uint32_t size = 0, signature = 0, flags = 0, pad = 0;
};

struct CallInformation {
  enum Operation : std::uint8_t { none = 0, entry = 1, exit = 2, seccomp = 3 };
  std::uint8_t operation = none;
  std::uint8_t pad[3] = {};
  std::uint32_t architecture = 0;
  std::uint64_t instruction_pointer = 0, stack_pointer = 0;
  union {
    struct {
      std::uint64_t number, arguments[6];
      std::uint32_t filter_data, pad;
    } call;
    struct {
      std::int64_t value;
      std::uint8_t is_error, pad[7];
    } result;
    std::uint64_t words[8] = {};
  };
};
static_assert(sizeof(CallInformation) == 88);
}  // namespace trace

}  // namespace linux_abi
