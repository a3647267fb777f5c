#include "base/format.h"

#include "base/check.h"

namespace base {
namespace {

struct Field {
  bool left = false;
  bool prefix = false;
  char fill = ' ';
  unsigned width = 0;
  char type = 'd';
};

Field parse_field(std::string_view spec) {
  Field field;
  bool width_started = false, align_given = false;
  for (char c : spec) {
    if (c == ':') continue;
    if (c == '<')
      field.left = align_given = true;
    else if (c == '>')
      align_given = true;
    else if (c == '#')
      field.prefix = true;
    else if (c == '0' && !width_started)
      field.fill = '0';
    else if (c >= '0' && c <= '9') {
      field.width = field.width * 10 + static_cast<unsigned>(c - '0');
      width_started = true;
    } else
      field.type = c;
  }
  if (align_given) field.fill = ' ';
  return field;
}

void pad(TextSink& sink, char fill, std::size_t count) {
  constexpr std::string_view spaces = "                ", zeroes = "0000000000000000";
  std::string_view source = fill == '0' ? zeroes : spaces;
  while (count) {
    std::size_t piece = count < source.size() ? count : source.size();
    sink.put(source.substr(0, piece));
    count -= piece;
  }
}

void put_field(TextSink& sink, const Field& field, std::string_view sign, std::string_view body) {
  std::size_t length = sign.size() + body.size();
  std::size_t padding = field.width > length ? field.width - length : 0;
  if (!field.left && field.fill == ' ') pad(sink, ' ', padding);
  sink.put(sign);
  if (!field.left && field.fill == '0') pad(sink, '0', padding);
  sink.put(body);
  if (field.left) pad(sink, ' ', padding);
}

void put_number(TextSink& sink, const Field& field, std::uint64_t value, bool negative) {
  char digits[66];
  std::size_t at = sizeof(digits);
  bool is_hexadecimal = field.type == 'x' || field.type == 'X';
  unsigned number_base = is_hexadecimal ? 16 : field.type == 'o' ? 8 : 10;
  const char* shapes = field.type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
  do {
    digits[--at] = shapes[value % number_base];
    value /= number_base;
  } while (value);
  std::string_view sign = negative                            ? "-"
                          : field.prefix && is_hexadecimal    ? "0x"
                          : field.prefix && field.type == 'o' ? "0"
                                                              : "";
  put_field(sink, field, sign, {digits + at, sizeof(digits) - at});
}

void put_argument(TextSink& sink, Field field, const FormatArgument& argument) {
  switch (argument.kind) {
    case FormatArgument::Kind::signed_number: {
      auto value = static_cast<std::int64_t>(argument.number);
      bool negative = value < 0 && field.type == 'd';
      return put_number(sink, field, negative ? 0 - argument.number : argument.number, negative);
    }
    case FormatArgument::Kind::unsigned_number: {
      if (field.type != 'c') return put_number(sink, field, argument.number, false);
      char c = static_cast<char>(argument.number);
      return put_field(sink, field, "", {&c, 1});
    }
    case FormatArgument::Kind::boolean:
      return put_field(sink, field, "", argument.number ? "true" : "false");
    case FormatArgument::Kind::character: {
      char c = static_cast<char>(argument.number);
      return put_field(sink, field, "", {&c, 1});
    }
    case FormatArgument::Kind::pointer:
      field.type = 'x';
      field.prefix = true;
      return put_number(sink, field, argument.number, false);
    case FormatArgument::Kind::text:
      return put_field(sink, field, "", argument.text);
  }
}

}  // namespace

void format_arguments(TextSink& sink, std::string_view text, std::span<const FormatArgument> arguments) {
  std::size_t next = 0, start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c != '{' && c != '}') continue;
    sink.put(text.substr(start, i - start));
    if (i + 1 < text.size() && text[i + 1] == c) {
      sink.put(text.substr(i, 1));
      start = ++i + 1;
      continue;
    }
    std::size_t end = text.find('}', i);
    debug_verify(end != std::string_view::npos && next < arguments.size(),
                 "format text and arguments differ");
    put_argument(sink, parse_field(text.substr(i + 1, end - i - 1)), arguments[next++]);
    i = end;
    start = end + 1;
  }
  sink.put(text.substr(start));
}

}  // namespace base
