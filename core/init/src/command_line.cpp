#include "core/init/command_line.h"
#include <cstring>

#include "base/parse.h"

namespace core {
namespace {

constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Cuts the next word off the front of `rest`; nothing at the end. A quote anywhere toggles whether spaces
// separate, but only quotes around the whole word or around the whole value are dropped.
std::optional<CommandLineWord> next_word(std::string_view& rest) {
  while (!rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
  if (rest.empty()) return std::nullopt;
  bool quoted = rest.front() == '"', in_quotes = quoted;
  std::size_t end = quoted ? 1 : 0, equals = 0;
  for (; end < rest.size() && (in_quotes || !is_space(rest[end])); ++end) {
    if (rest[end] == '=' && !equals) equals = end;
    if (rest[end] == '"') in_quotes = !in_quotes;
  }
  std::string_view word = rest.substr(0, end);
  rest.remove_prefix(end);
  if (quoted) {
    word.remove_prefix(1);
    if (equals) --equals;
    if (!word.empty() && word.back() == '"') word.remove_suffix(1);
  }
  if (equals == 0 || equals >= word.size()) return CommandLineWord{word, word, std::nullopt};
  std::string_view value = word.substr(equals + 1);
  if (!value.empty() && value.front() == '"') {
    value.remove_prefix(1);
    if (!value.empty() && value.back() == '"') value.remove_suffix(1);
  }
  return CommandLineWord{word, word.substr(0, equals), value};
}

constexpr bool is_separator(const CommandLineWord& word) { return word.text == "--"; }

bool is_passed_on(const CommandLineWord& word) {
  return word.name.find('.') == std::string_view::npos && !is_kernel_parameter(word.name);
}

}  // namespace

bool same_parameter_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    char x = a[i] == '-' ? '_' : a[i], y = b[i] == '-' ? '_' : b[i];
    if (x != y) return false;
  }
  return true;
}

void CommandLine::set(std::string_view text) {
  if (auto end = text.find('\0'); end != std::string_view::npos) text = text.substr(0, end);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  if (text.size() > command_line_max) {
    std::size_t end = command_line_max;
    while (end && !is_space(text[end])) --end;
    text = text.substr(0, end);
  }
  std::memcpy(text_, text.data(), text.size());
  size_ = text.size();
}

void CommandLine::for_each_word(base::FunctionRef<bool(const CommandLineWord&)> visit) const {
  std::string_view rest = text();
  while (auto word = next_word(rest))
    if (is_separator(*word) || !visit(*word)) return;
}

void CommandLine::for_each_init_word(base::FunctionRef<bool(const CommandLineWord&)> visit) const {
  std::string_view rest = text();
  bool after = false;
  while (auto word = next_word(rest)) {
    if (after && !visit(*word)) return;
    if (is_separator(*word)) after = true;
  }
}

std::optional<std::string_view> CommandLine::get(std::string_view name) const {
  std::optional<std::string_view> found;
  for_each_value(name, [&](std::string_view value) { found = value; });
  return found;
}

bool CommandLine::has(std::string_view name) const { return get(name).has_value(); }

void CommandLine::for_each_value(std::string_view name,
                                 base::FunctionRef<void(std::string_view)> visit) const {
  for_each_word([&](const CommandLineWord& word) {
    if (same_parameter_name(word.name, name)) visit(word.value.value_or(std::string_view{}));
    return true;
  });
}

std::optional<std::uint64_t> CommandLine::get_number(std::string_view name) const {
  auto value = get(name);
  return value ? base::parse_c_number(*value) : std::nullopt;
}

std::optional<std::int64_t> CommandLine::get_signed(std::string_view name) const {
  auto value = get(name);
  if (!value) return std::nullopt;
  bool negative = value->starts_with('-');
  auto magnitude = base::parse_c_number(value->substr(negative ? 1 : 0));
  if (!magnitude || *magnitude > (std::uint64_t{1} << 63) - 1) return std::nullopt;
  auto number = static_cast<std::int64_t>(*magnitude);
  return negative ? -number : number;
}

std::optional<std::uint64_t> CommandLine::get_size(std::string_view name) const {
  auto value = get(name);
  return value ? base::parse_size(*value) : std::nullopt;
}

bool CommandLine::get_flag(std::string_view name, bool otherwise) const {
  auto value = get(name);
  if (!value) return otherwise;
  if (value->empty() || *value == "1" || *value == "y" || *value == "Y" || *value == "on") return true;
  if (*value == "0" || *value == "n" || *value == "N" || *value == "off") return false;
  return otherwise;
}

void CommandLine::for_each_init_argument(base::FunctionRef<void(std::string_view)> argument) const {
  // init= and rdinit= forget the arguments before them: those were meant for another program.
  std::size_t words_before = 0, index = 0;
  for_each_word([&](const CommandLineWord& word) {
    ++index;
    if (word.value && (word.name == "init" || word.name == "rdinit")) words_before = index;
    return true;
  });
  index = 0;
  for_each_word([&](const CommandLineWord& word) {
    if (index++ >= words_before && !word.value && is_passed_on(word)) argument(word.text);
    return true;
  });
  for_each_init_word([&](const CommandLineWord& word) {
    argument(word.text);
    return true;
  });
}

void CommandLine::for_each_init_variable(
    base::FunctionRef<void(std::string_view, std::string_view)> variable) const {
  for_each_word([&](const CommandLineWord& word) {
    if (word.value && is_passed_on(word)) variable(word.name, *word.value);
    return true;
  });
}

CommandLine& command_line() {
  static constinit CommandLine the_command_line;
  return the_command_line;
}

}  // namespace core
