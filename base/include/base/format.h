// Text output without allocation, checked by type.
//
//   format(sink, "{} pages at {:#x}, {:>8} free, name {:<16}|", count, address, free, name);
//
// A sink is anything that takes pieces of text: TextBuffer (fixed memory, truncates and says so), the kernel
// log, a /proc file. Fields: {} or {:[<|>][#][0][width][x|o|c|d]}; {{ and }} stand for braces. Arguments:
// integers, bool, char, pointers, enums (as their number), anything convertible to string_view. The number of
// arguments and of fields is compared at compile time.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/function_ref.h"

namespace base {

class TextSink {
 public:
  virtual void put(std::string_view text) = 0;

 protected:
  ~TextSink() = default;
};

// Writes into memory of the caller; what does not fit is dropped and remembered.
class TextBuffer final : public TextSink {
 public:
  explicit TextBuffer(std::span<char> memory) : memory_(memory) {}
  void put(std::string_view text) override {
    std::size_t room = memory_.size() - size_;
    std::size_t count = text.size() < room ? text.size() : room;
    std::memcpy(memory_.data() + size_, text.data(), count);
    size_ += count;
    if (count < text.size()) truncated_ = true;
  }
  std::string_view view() const { return {memory_.data(), size_}; }
  bool truncated() const { return truncated_; }
  void clear() {
    size_ = 0;
    truncated_ = false;
  }

 private:
  std::span<char> memory_;
  std::size_t size_ = 0;
  bool truncated_ = false;
};

class FormatArgument {
 public:
  enum class Kind : std::uint8_t { signed_number, unsigned_number, boolean, character, pointer, text };

  template <std::signed_integral T>
  constexpr FormatArgument(T value)
      : kind(Kind::signed_number), number(static_cast<std::uint64_t>(static_cast<std::int64_t>(value))) {}
  template <std::unsigned_integral T>
  constexpr FormatArgument(T value) : kind(Kind::unsigned_number), number(value) {}
  constexpr FormatArgument(bool value) : kind(Kind::boolean), number(value) {}
  constexpr FormatArgument(char value) : kind(Kind::character), number(static_cast<unsigned char>(value)) {}
  template <typename T>
    requires std::is_enum_v<T>
  constexpr FormatArgument(T value) : FormatArgument(static_cast<std::underlying_type_t<T>>(value)) {}
  constexpr FormatArgument(const char* value) : kind(Kind::text), text(value ? value : "(null)") {}
  template <typename T>
    requires(std::is_convertible_v<const T&, std::string_view> && !std::is_pointer_v<T>)
  constexpr FormatArgument(const T& value) : kind(Kind::text), text(static_cast<std::string_view>(value)) {}
  // SAFETY: the address is only printed.
  FormatArgument(const void* value) : kind(Kind::pointer), number(reinterpret_cast<std::uintptr_t>(value)) {}

  Kind kind;
  std::uint64_t number = 0;
  std::string_view text{};
};

// Not constexpr on purpose: a call makes the constant evaluation, and so the build, fail with this name in
// the message.
void invalid_format(const char* why);

// The text of a format call; the constructor checks it against the argument count at compile time.
template <typename... Arguments>
struct FormatText {
  template <typename Text>
    requires std::is_convertible_v<const Text&, std::string_view>
  consteval FormatText(const Text& format_text) : text(format_text) {
    std::size_t fields = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '{' && i + 1 < text.size() && text[i + 1] == '{') {
        ++i;
        continue;
      }
      if (text[i] == '}' && i + 1 < text.size() && text[i + 1] == '}') {
        ++i;
        continue;
      }
      if (text[i] == '{') {
        ++fields;
        while (i < text.size() && text[i] != '}') ++i;
        if (i == text.size()) invalid_format("format: { without }");
      } else if (text[i] == '}') {
        invalid_format("format: } without {");
      }
    }
    if (fields != sizeof...(Arguments)) invalid_format("format: number of fields and of arguments differ");
  }
  std::string_view text;
};

void format_arguments(TextSink& sink, std::string_view text, std::span<const FormatArgument> arguments);

template <typename... Arguments>
void format(TextSink& sink, FormatText<std::type_identity_t<Arguments>...> text,
            const Arguments&... arguments) {
  if constexpr (sizeof...(Arguments) == 0) {
    format_arguments(sink, text.text, {});
  } else {
    const FormatArgument list[] = {FormatArgument(arguments)...};
    format_arguments(sink, text.text, list);
  }
}

}  // namespace base
