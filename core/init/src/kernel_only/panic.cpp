#include "core/init/panic.h"

#include <arch/cpu.h>
#include <arch/power.h>
#include <arch/smp.h>
#include <arch/time.h>
#include <arch/upcalls.h>

#include <atomic>
#include <cstdarg>

#include "core/init/command_line.h"
#include "core/init/symbols.h"
#include "core/log/console.h"
#include "core/log/log.h"

namespace core {
namespace {

constexpr unsigned nobody = ~0u;
constinit std::atomic<unsigned> panicking_cpu{nobody};
constinit std::atomic<unsigned> depth{0};
constinit std::atomic<int> timeout_seconds{0};

constexpr std::uint8_t exit_status_panic = 3;

[[noreturn]] void come_to_rest() {
  if (command_line().has("nos.test") || command_line().has("nos.exit_on_panic"))
    arch::exit_emulator(exit_status_panic);
  int seconds = timeout_seconds.load(std::memory_order_relaxed);
  if (seconds > 0) {
    log(LogLevel::emergency, "Rebooting in {} seconds..", seconds);
    print_in_panic();
    for (int tenth = 0; tenth < seconds * 10; ++tenth) arch::delay_microseconds(100'000);
  }
  if (seconds != 0) arch::restart();
  log(LogLevel::emergency, "---[ end Kernel panic ]---");
  print_in_panic();
  arch::halt_forever();
}

// Lets one CPU through; a panic within the panic says so with as little as possible and ends.
void begin_panic() {
  arch::disable_interrupts();
  unsigned self = arch::cpu_index(), expected = nobody;
  if (!panicking_cpu.compare_exchange_strong(expected, self) && expected != self) arch::halt_forever();
  switch (depth.fetch_add(1)) {
    case 0:
      arch::stop_other_cpus();
      enter_console_panic_mode();
      break;
    case 1:
      log(LogLevel::emergency, "panic: another one while reporting the first");
      break;
    default:
      arch::halt_forever();
  }
}

void print_where(std::uintptr_t program_counter, std::uintptr_t frame_pointer) {
  print_in_panic();
  log(LogLevel::emergency, "CPU: {}  Call Trace:", arch::cpu_index());
  log_back_trace_from(LogLevel::emergency, program_counter, frame_pointer);
  print_in_panic();
}

}  // namespace

void panic_arguments(std::string_view text, std::span<const base::FormatArgument> arguments,
                     const void* frame) {
  begin_panic();
  {
    LogLine line{LogLevel::emergency};
    line.put("Kernel panic - not syncing: ");
    base::format_arguments(line, text, arguments);
  }
  // SAFETY: the frame address is only handed on; walk_stack checks what it follows.
  print_where(0, reinterpret_cast<std::uintptr_t>(frame));
  come_to_rest();
}

bool panic_in_progress() { return panicking_cpu.load(std::memory_order_relaxed) != nobody; }

void fatal_trap(const char* what, std::uintptr_t program_counter, std::uintptr_t frame_pointer,
                void (*print_registers)(const void* frame), const void* frame) {
  begin_panic();
  {
    LogLine line{LogLevel::emergency};
    base::format(line, "Kernel panic - not syncing: {} at ", what);
    print_symbol(line, program_counter);
  }
  print_in_panic();
  if (print_registers) print_registers(frame);
  print_where(program_counter, frame_pointer);
  come_to_rest();
}

void non_maskable_request(std::uintptr_t program_counter, std::uintptr_t frame_pointer) {
  log(LogLevel::warning, "NMI backtrace for cpu {}", arch::cpu_index());
  log_back_trace_from(LogLevel::warning, program_counter, frame_pointer);
}

void report_warning(std::string_view text, const char* file, int line) {
  // Places already reported; two CPUs at the same place at the same time may both report it.
  constexpr std::size_t places_max = 64;
  static constinit std::atomic<std::uint64_t> places[places_max] = {};
  std::uint64_t key = static_cast<unsigned>(line) + 1;
  for (const char* c = file; *c; ++c) key = key * 0x100000001b3u + static_cast<unsigned char>(*c);
  for (auto& place : places) {
    std::uint64_t seen = 0;
    if (place.compare_exchange_strong(seen, key)) break;
    if (seen == key) return;
  }
  log(LogLevel::warning, "WARNING: {} at {}:{}", text, file, line);
  std::uintptr_t addresses[16];
  log_back_trace(LogLevel::warning, {addresses, capture_back_trace(addresses)});
}

int panic_timeout_seconds() { return timeout_seconds; }
void set_panic_timeout_seconds(int seconds) { timeout_seconds = seconds; }

}  // namespace core

extern "C" {

void kernel_check_failed(const char* message, const char* file, int line) noexcept {
  core::panic("{} at {}:{}", message, file, line);
}

// libc++ calls it with printf-like texts of which only %s and %d occur.
void kernel_library_panic(const char* format, ...) noexcept {
  char memory[256];
  base::TextBuffer text{memory};
  va_list arguments;
  va_start(arguments, format);
  for (const char* c = format; *c; ++c) {
    if (*c == '%' && c[1] == 's') {
      text.put(va_arg(arguments, const char*));
      ++c;
    } else if (*c == '%' && c[1] == 'd') {
      base::format(text, "{}", va_arg(arguments, int));
      ++c;
    } else {
      text.put({c, 1});
    }
  }
  va_end(arguments);
  core::panic("C++ library: {}", text.view());
}

// The compiler emits calls of these.
[[noreturn]] void __stack_chk_fail() { core::panic("stack canary overwritten"); }
[[noreturn]] void __cxa_pure_virtual() { core::panic("pure virtual function called"); }
void abort() { core::panic("abort() called"); }
}
