// The kernel log.
//
//   core::log(LogLevel::info, "memory: {} MiB in {} ranges", size / MiB, ranges);
//
//   core::LogLine line{LogLevel::warning};      // one record composed of pieces
//   base::format(line, "devices:");
//   for (Device& device : devices) base::format(line, " {}", device.name());
//   // emitted when `line` goes
//
// What may be called where: log() and LogLine from every context there is: threads, interrupts off, any lock
// held, non-maskable interrupts, panic. They store a record in a lock-free ring (log_ring.h) and return; they
// never wait for a console, take no lock and allocate nothing. The text is printed by the console thread
// (console.h) a little later.
//
// A record holds at most `log_text_max` bytes; longer texts become several records, the later ones marked as
// continuations. Trailing newlines are dropped, inner ones start a new record.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/format.h"

namespace core {

// Linux's levels.
enum class LogLevel : std::uint8_t { emergency, alert, critical, error, warning, notice, info, debug };
// syslog(3) facilities; the kernel's own records have facility 0, those that user space writes to /dev/kmsg
// keep theirs.
enum class LogFacility : std::uint8_t { kernel = 0, user = 1, daemon = 3 };

inline constexpr std::size_t log_text_max = 992;

// Stores `text` (any length, any bytes).
void log_text(LogLevel level, std::string_view text, LogFacility facility = LogFacility::kernel);

// Collects pieces of text into one record.
class LogLine final : public base::TextSink {
 public:
  explicit LogLine(LogLevel level, LogFacility facility = LogFacility::kernel)
      : level_(level), facility_(facility) {}
  LogLine(const LogLine&) = delete;
  LogLine& operator=(const LogLine&) = delete;
  ~LogLine() { flush(); }
  void put(std::string_view text) override;
  // Emits what was collected; the line starts afresh.
  void flush();

 private:
  static constexpr std::size_t inline_capacity = 256;  // lives on kernel stacks
  LogLevel level_;
  LogFacility facility_;
  bool continued_ = false;
  std::size_t size_ = 0;
  char text_[inline_capacity];
};

template <typename... Arguments>
void log(LogLevel level, base::FormatText<std::type_identity_t<Arguments>...> text,
         const Arguments&... arguments) {
  LogLine line{level};
  base::format(line, text, arguments...);
}

// Once known, the clock gives the time stamps: nanoseconds since start. Before, they are zero.
void set_log_clock(std::uint64_t (*nanoseconds)());
std::uint64_t log_clock_now();

// Called (from any context) after a record was stored; set by the console thread and by /dev/kmsg's wait
// queue, which must only take note, not wait. At most four listeners; never removed.
using LogListener = void (*)();
void add_log_listener(LogListener listener);

// A listener that may not wake threads in the context it is called from (a raw lock held, a non-maskable
// interrupt) sets this instead and asks for a reschedule; the scheduler, where it holds no lock, calls
// deliver_log_wake() when it is set.
inline constinit std::atomic<bool> log_wake_wanted{false};
void set_log_wake(void (*wake)());
void deliver_log_wake();

}  // namespace core
