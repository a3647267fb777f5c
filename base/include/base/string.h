// An owned string whose creation can fail. Immutable once made, except through try_append; always followed by
// a zero byte in memory, so c_str() is free.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/vector.h"

namespace base {

class String {
 public:
  String() = default;
  String(String&&) = default;
  String& operator=(String&&) = default;

  static Result<String> create(std::string_view text) {
    String result;
    TRY(result.try_append(text));
    return result;
  }
  Result<String> try_clone() const { return create(view()); }
  [[nodiscard]] Result<void> try_append(std::string_view text) {
    TRY(bytes_.try_reserve(size() + text.size() + 1));
    if (!bytes_.empty()) bytes_.pop_back();
    TRY(bytes_.try_append({text.data(), text.size()}));
    bytes_.push_back_reserved('\0');
    return {};
  }
  [[nodiscard]] Result<void> try_push_back(char character) { return try_append({&character, 1}); }

  std::size_t size() const { return bytes_.empty() ? 0 : bytes_.size() - 1; }
  bool empty() const { return size() == 0; }
  std::string_view view() const { return {bytes_.data(), size()}; }
  operator std::string_view() const { return view(); }
  const char* c_str() const { return bytes_.empty() ? "" : bytes_.data(); }
  bool operator==(std::string_view other) const { return view() == other; }

 private:
  Vector<char> bytes_;
};

}  // namespace base
