// A row of a system call whose most frequent case can be done by a short function:
//
//   std::size_t quick_pread64(Context& context, FileDescriptor fd, ...);   // 0: not that case; nothing
//   happened quick_row<number::pread64, quick_pread64, sys_pread64>("pread64")
//
// Both have the same parameters. What the short one refuses, errors among it, is done by the full one from
// the beginning; the compiler so needs to keep nothing for it.
#pragma once

#include "linux_abi/syscall.h"

namespace linux_abi {

namespace detail {

template <auto quick, auto handler>
struct QuickInvoker;

template <typename... Arguments, std::size_t (*quick)(Context&, Arguments...), auto handler>
struct QuickInvoker<quick, handler> {
  static long invoke(Context& context) { return invoke(context, std::index_sequence_for<Arguments...>{}); }
  template <std::size_t... index>
  static long invoke(Context& context, std::index_sequence<index...>) {
    if (std::size_t done = quick(
            context, ArgumentDecoder<Arguments>::decode(context.registers.argument(index))...)) [[likely]]
      return static_cast<long>(done);
    return Invoker<handler>::invoke(context);
  }
};

}  // namespace detail

template <int call, auto quick, auto handler>
constexpr SyscallRow quick_row(const char* name) {
  SyscallRow made = row<call, handler>(name);
  made.function = &detail::QuickInvoker<quick, handler>::invoke;
  return made;
}

}  // namespace linux_abi
