// The end: a state the kernel cannot go on from.
//
//   core::panic("root file system: {} on {}", reason, device);
//
// panic() stops the other CPUs, prints the reason and where it was called from, and then obeys panic= on the
// command line: n > 0 restarts after n seconds, n < 0 at once, 0 (the default) stays. Test runs (nos.test=)
// end the emulator instead. It may be called in any context, and by several CPUs at once: one of them prints,
// the others stop.
//
// base::verify, hardened libc++, the stack protector and traps in kernel code (core::fatal_trap) end here as
// well.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

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

// True once some CPU has panicked: code that would wait for another CPU or a thread gives up instead.
bool panic_in_progress();

// A problem worth a report that the system survives: prints `text` with a back trace ("WARNING:"), once per
// place.
void report_warning(std::string_view text, const char* file = __builtin_FILE(), int line = __builtin_LINE());

// panic= and /proc/sys/kernel/panic
int panic_timeout_seconds();
void set_panic_timeout_seconds(int seconds);

}  // namespace core
