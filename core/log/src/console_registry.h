// The list of consoles and who prints on them (see console.h).
#pragma once

#include <atomic>
#include <string_view>

#include "core/log/console.h"
#include "core/log/log_reader.h"

namespace core {

class ConsoleRegistry {
 public:
  void add(Console& console);
  void remove(Console& console);
  void visit(base::FunctionRef<void(Console&)> visitor);
  Console* preferred();

  void choose(std::string_view value);
  std::string_view choice_options(std::string_view name) const;

  // After a record was stored: prints, or lets the console thread know.
  void print_or_wake();
  void print_pending();
  void finish_printing();
  void start_thread_mode(const ConsoleThreadHooks& hooks);
  void enter_panic_mode();
  void print_in_panic();

  std::atomic<int> level{console_level_default};
  std::atomic<bool> ignore_level{false}, timestamps{true}, keep_early{false};

 private:
  enum class Mode : std::uint8_t { synchronous, thread, panic };
  struct Choice {
    std::string_view name, options;
  };
  static constexpr std::size_t choices_max = 8;

  bool is_printed(const LogRecord& record) const;
  void drain(Console& console, LogRecord& record);
  bool anything_pending();
  void enable(Console& console, bool preferred);
  const Choice* choice_for(std::string_view name) const;

  std::atomic<Console*> first_{nullptr};
  std::atomic<Mode> mode_{Mode::synchronous};
  // Held, as a lock that is only ever tried, by whoever prints.
  std::atomic<bool> printing_{false};
  // A panic came while somebody printed.
  std::atomic<bool> line_torn_{false};
  std::atomic<void (*)()> wake_{nullptr}, pause_{nullptr};
  // Immutable once consoles register.
  Choice choices_[choices_max] = {};
  std::size_t choice_count_ = 0;
};

void print_or_wake();

}  // namespace core
