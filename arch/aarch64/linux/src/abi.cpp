#include <arch/linux_abi.h>

#include <array>

#include <arch/page_table.h>

#include "aarch64/features.h"
#include "aarch64/floating_point.h"
#include "aarch64/pointer_keys.h"
#include "hwcap.h"
#include "vector_length.h"

namespace arch {

std::uint64_t linux_hwcap() { return collect_capabilities(1); }
std::uint64_t linux_hwcap2() { return collect_capabilities(2); }
// PROT_BTI; GNU_PROPERTY_AARCH64_FEATURE_1_AND, BTI.
LinuxGuard linux_guard() {
  if (!cpu_features().branch_targets) return {};
  return {.protection = 0x10, .property = 0xc0000000, .property_bit = 1};
}
const char* linux_platform() { return "aarch64"; }

base::Result<long> linux_arch_prctl(UserRegisters&, ThreadState&, int, std::uintptr_t) {
  return base::error(base::Errno::enosys);
}

namespace {

// PR_PAC_*
constexpr long reset_keys = 54, set_enabled_keys = 60, get_enabled_keys = 61;

base::Result<long> pointer_key_call(ThreadState& state, long operation,
                                    std::span<const std::uint64_t, 4> arguments) {
  unsigned known = known_pointer_keys();
  auto [first, second, third, fourth] = std::array{arguments[0], arguments[1], arguments[2], arguments[3]};
  if (third || fourth) return base::error(base::Errno::einval);
  switch (operation) {
    case reset_keys:
      if (second || !known || first & ~std::uint64_t{known}) return base::error(base::Errno::einval);
      renew_pointer_keys(state, first ? static_cast<unsigned>(first) : known);
      return 0;
    case set_enabled_keys:
      if (!(known & address_keys) || first & ~std::uint64_t{address_keys} || second & ~first)
        return base::error(base::Errno::einval);
      set_enabled_pointer_keys(
          state, (state.enabled_keys & ~static_cast<unsigned>(first)) | static_cast<unsigned>(second));
      return 0;
    case get_enabled_keys:
      if (first || second || !(known & address_keys)) return base::error(base::Errno::einval);
      return state.enabled_keys;
    default:
      return base::error(base::Errno::einval);
  }
}

}  // namespace

base::Result<long> linux_own_prctl(ThreadState& state, long operation,
                                   std::span<const std::uint64_t, 4> arguments) {
  constexpr long set_length = 50, get_length = 51;  // PR_SVE_*_VL
  constexpr std::uint64_t length_mask = 0xffff;
  switch (operation) {
    case set_length:
      TRY(request_vector_length(state, arguments[0] & length_mask, arguments[0] & ~length_mask));
      return vector_length_status(state, arguments[0]);
    case get_length:
      if (!longest_vector_length()) return base::error(base::Errno::einval);
      return vector_length_status(state, 0);
    default:
      return pointer_key_call(state, operation, arguments);
  }
}

void linux_start_program(UserRegisters& registers, std::uintptr_t program_counter,
                         std::uintptr_t stack_pointer) {
  registers = UserRegisters::for_program_start(program_counter, stack_pointer);
}

void linux_start_child(UserRegisters& registers, ThreadState& state, std::uintptr_t stack_pointer,
                       std::optional<std::uintptr_t> thread_pointer) {
  registers.set_result(0);
  if (stack_pointer) registers.set_stack_pointer(stack_pointer);
  if (thread_pointer) set_thread_pointer(state, *thread_pointer);
}

base::Result<long> linux_own_system_call(UserRegisters&, ThreadState&) {
  return base::error(base::Errno::enosys);
}

std::uintptr_t linux_stack_top() { return user_address_limit; }

}  // namespace arch
