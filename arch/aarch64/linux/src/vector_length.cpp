#include "vector_length.h"

#include <arch/linux_abi.h>

#include "aarch64/floating_point.h"

namespace arch {
namespace {

// What Linux's interface can express.
constexpr std::uint64_t length_limit = 8192;

bool is_length(std::uint64_t length) {
  return length && length <= length_limit && length % vector_length_unit == 0;
}

long show_default() { return default_vector_length(); }
base::Result<void> store_default(long value) {
  constexpr long longest = -1;
  if (value == longest) {
    set_default_vector_length(longest_vector_length());
    return {};
  }
  if (value < 0 || !is_length(static_cast<std::uint64_t>(value))) return base::error(base::Errno::einval);
  set_default_vector_length(supported_vector_length(static_cast<unsigned>(value)));
  return {};
}

}  // namespace

base::Result<void> request_vector_length(ThreadState& state, std::uint64_t length, std::uint64_t flags) {
  if (!longest_vector_length() || !is_length(length) ||
      flags & ~(inherit_vector_length | vector_length_of_next_program))
    return base::error(base::Errno::einval);
  unsigned supported = supported_vector_length(static_cast<unsigned>(length));
  state.next_vector_length = static_cast<std::uint16_t>(flags ? supported : 0);
  if (!(flags & vector_length_of_next_program)) set_vector_length(state, supported);
  state.inherits_vector_length = flags & inherit_vector_length;
  return {};
}

long vector_length_status(const ThreadState& state, std::uint64_t flags) {
  unsigned length = flags & vector_length_of_next_program ? state.next_vector_length : state.vector_length;
  return static_cast<long>(length | (state.inherits_vector_length ? inherit_vector_length : 0));
}

std::span<const LinuxSetting> linux_own_settings() {
  static constexpr LinuxSetting settings[] = {
      {"sys/abi/sve_default_vector_length", show_default, store_default}};
  return std::span(settings).first(longest_vector_length() ? 1 : 0);
}

}  // namespace arch
