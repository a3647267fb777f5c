#include "core/log/log.h"

#include <atomic>
#include <cstring>

#include "console_registry.h"
#include "host_log.h"
#include "log_ring.h"

namespace core {
namespace {

constinit std::atomic<std::uint64_t (*)()> log_clock{nullptr};
constinit std::atomic<LogListener> listeners[4] = {};
constinit std::atomic<void (*)()> log_wake{nullptr};

void store_line(LogLevel level, LogFacility facility, std::string_view line, bool continuation) {
  LogRing::Header header{log_clock_now(), level, facility, continuation};
  do {
    std::string_view piece = line.substr(0, log_text_max);
    log_ring().store(header, piece);
    host_print(level, piece);
    line.remove_prefix(piece.size());
    header.continuation = true;
  } while (!line.empty());
}

void announce() {
  print_or_wake();
  for (auto& entry : listeners)
    if (LogListener listener = entry.load(std::memory_order_acquire)) listener();
}

void store_lines(LogLevel level, LogFacility facility, std::string_view text, bool continuation) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  for (;;) {
    std::size_t end = text.find('\n');
    store_line(level, facility, text.substr(0, end), continuation);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
    continuation = false;
  }
  announce();
}

}  // namespace

void log_text(LogLevel level, std::string_view text, LogFacility facility) {
  store_lines(level, facility, text, false);
}

void LogLine::put(std::string_view text) {
  while (!text.empty()) {
    if (size_ == inline_capacity) {
      store_lines(level_, facility_, {text_, size_}, continued_);
      size_ = 0;
      continued_ = true;
    }
    std::size_t room = inline_capacity - size_;
    std::size_t count = text.size() < room ? text.size() : room;
    std::memcpy(text_ + size_, text.data(), count);
    size_ += count;
    text.remove_prefix(count);
  }
}

void LogLine::flush() {
  if (size_) store_lines(level_, facility_, {text_, size_}, continued_);
  size_ = 0;
  continued_ = false;
}

void set_log_clock(std::uint64_t (*nanoseconds)()) {
  log_clock.store(nanoseconds, std::memory_order_release);
}

std::uint64_t log_clock_now() {
  auto* clock = log_clock.load(std::memory_order_acquire);
  return clock ? clock() : 0;
}

void add_log_listener(LogListener listener) {
  for (auto& entry : listeners) {
    LogListener expected = nullptr;
    if (entry.compare_exchange_strong(expected, listener)) return;
  }
  base::unreachable("more than four log listeners");
}

void set_log_wake(void (*wake)()) { log_wake.store(wake, std::memory_order_release); }

void deliver_log_wake() {
  if (!log_wake_wanted.exchange(false)) return;
  if (auto* wake = log_wake.load(std::memory_order_acquire)) wake();
}

}  // namespace core
