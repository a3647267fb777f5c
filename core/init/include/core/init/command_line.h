// The kernel command line, understood as Linux understands it.
//
//   root=/dev/vda console=ttyS0,115200 quiet dyndbg="file a.c +p" -- --init-argument
//
// Words are separated by white space; double quotes keep spaces inside a word and are dropped around a value
// or a whole word. '-' and '_' are the same in names. Everything after "--" is for the first program. A key
// may be repeated: get() gives the last value, for_each_value() all of them in order.
//
// Nothing is allocated: a CommandLine keeps a copy of the text (at most command_line_max bytes, as on Linux)
// and finds words in it on demand, so it works before there is memory. Immutable once set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/function_ref.h"

namespace core {

inline constexpr std::size_t command_line_max = 2048;

struct CommandLineWord {
  std::string_view text;  // the word without its quotes: name=value
  std::string_view name;
  std::optional<std::string_view> value;  // nothing without '='
};

class CommandLine {
 public:
  constexpr CommandLine() = default;
  explicit CommandLine(std::string_view text) { set(text); }

  // What is longer than command_line_max is cut off at the last whole word.
  void set(std::string_view text);
  // As it was given: /proc/cmdline.
  std::string_view text() const { return {text_, size_}; }

  bool has(std::string_view name) const;
  // The value of the last occurrence; empty text for a bare word; nothing if absent.
  std::optional<std::string_view> get(std::string_view name) const;
  // As parse_c_number; nothing if absent or not a number.
  std::optional<std::uint64_t> get_number(std::string_view name) const;
  std::optional<std::int64_t> get_signed(std::string_view name) const;
  // With K, M, G: mem=512M.
  std::optional<std::uint64_t> get_size(std::string_view name) const;
  // A bare word, 1, y, Y, on: true; 0, n, N, off: false; anything else or absent: `otherwise`.
  bool get_flag(std::string_view name, bool otherwise) const;
  void for_each_value(std::string_view name, base::FunctionRef<void(std::string_view value)> visit) const;

  // Words before "--", and words after it. `visit` returns false to stop.
  void for_each_word(base::FunctionRef<bool(const CommandLineWord&)> visit) const;
  void for_each_init_word(base::FunctionRef<bool(const CommandLineWord&)> visit) const;

  // What the first program gets: bare words the kernel does not know and words after "--" as arguments,
  // key=value it does not know as environment. Words with a dot in their name belong to parts of the kernel
  // and are not passed on. `argument` is called in order; init= and rdinit= forget the arguments before them.
  // A variable may come more than once (the last counts).
  void for_each_init_argument(base::FunctionRef<void(std::string_view)> argument) const;
  void for_each_init_variable(
      base::FunctionRef<void(std::string_view name, std::string_view value)> variable) const;

 private:
  char text_[command_line_max] = {};
  std::size_t size_ = 0;
};

// True for the names the kernel itself uses (so they are not passed to the first program).
bool is_kernel_parameter(std::string_view name);
bool same_parameter_name(std::string_view a, std::string_view b);

// The one the kernel was started with; set once by the boot code before anything reads it.
CommandLine& command_line();

}  // namespace core
