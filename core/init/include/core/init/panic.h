// The end: a state the kernel cannot go on from.
//
//   core::panic("root file system: {} on {}", reason, device);
//
// panic() prints the reason, where it was called from (symbolised), what to look at, stops the other CPUs, and then obeys
// panic= on the command line: n > 0 restarts after n seconds, n < 0 at once, 0 (the default) stays. It may be called in any
// context, and by several CPUs at once: one of them prints, the others stop.
//
// base::verify, hardened libc++ and the stack protector end here as well.
#pragma once

#include <cstdint>

#include "base/format.h"

namespace core {

[[noreturn]] void panic_arguments(std::string_view text, std::span<const base::FormatArgument> arguments,
                                  const void* frame);

template <typename... Arguments>
[[noreturn, gnu::noinline]] void panic(base::FormatText<std::type_identity_t<Arguments>...> text,
                                       const Arguments&... arguments) {
  if constexpr (sizeof...(Arguments) == 0) {
    panic_arguments(text.text, {}, __builtin_frame_address(0));
  } else {
    const base::FormatArgument list[] = {base::FormatArgument(arguments)...};
    panic_arguments(text.text, list, __builtin_frame_address(0));
  }
}

// For trap handlers: the same with the interrupted place. `registers` (several lines, may be empty) is printed as it is.
struct PanicPlace {
  std::uintptr_t program_counter = 0;
  std::uintptr_t frame_pointer = 0;
  std::string_view registers{};
};
[[noreturn]] void panic_at(const PanicPlace& place, std::string_view reason);

// True once some CPU has panicked: code that would wait for another CPU or a thread gives up instead.
bool panic_in_progress();

// A problem worth a report that the system survives: prints `text` with a back trace ("WARNING:"), once per place.
void report_warning(std::string_view text, const char* file = __builtin_FILE(), int line = __builtin_LINE());

// How the machine is restarted or held after a panic; registered by platform or drivers. The function must poll and return
// if it did not work.
void set_panic_restart(void (*restart)());
// Stops every other CPU (non-maskable interrupt); registered by arch.
void set_stop_other_cpus(void (*stop)());
// Ends a test run (in-kernel tests, fuzzing): exit status through the emulator; null when the machine cannot.
void set_test_exit(void (*exit)(int status));
void (*test_exit())(int status);

// panic= and /proc/sys/kernel/panic
int panic_timeout_seconds();
void set_panic_timeout_seconds(int seconds);

}  // namespace core
