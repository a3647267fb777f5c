// How a system call is written and found.
//
// A system call is a free function with typed parameters:
//
//   Result<long> sys_dup2(Context& context, FileDescriptor from, FileDescriptor to);
//
// and one row in the rows.h of its subject folder (personality/linux/syscalls/<subject>/):
//
//   inline constexpr SyscallRow rows[] = {
//       row<number::dup2, sys_dup2>("dup2"),
//   };
//
// The row deduces from the function's type how the registers become arguments, and keeps name and kinds of
// arguments for tracing and for docs/system-calls.md. table/table.cpp merges all rows into one array indexed
// by number. A number without a row returns ENOSYS, and the first use of each is logged.
//
// `number::x` comes from <arch/linux_syscall_numbers.h>; a call that an architecture does not have is
// negative there and its row is skipped.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "arch/linux_syscall_numbers.h"
#include "arch/user.h"
#include "base/address.h"
#include "base/result.h"

namespace linux_abi {

using base::Errno;
using base::error;
using base::Result;
using base::UserAddress;
namespace number = arch::linux_number;

class Task;
class Process;

// What a system call may touch; made once per thread.
struct Context {
  Task& task;
  Process& process;
  arch::UserRegisters& registers;
};

// A descriptor as a program gave it: any number.
struct FileDescriptor {
  int number = -1;
};

enum class ArgumentKind : std::uint8_t {
  none,
  signed_number,
  unsigned_number,
  descriptor,
  address,
  user_in,
  user_out,
  user_in_out,
  string,
};

// How one register becomes a parameter of type T. Specialise for further types.
template <typename T>
struct ArgumentDecoder;

template <std::integral T>
struct ArgumentDecoder<T> {
  static constexpr ArgumentKind kind =
      std::is_signed_v<T> ? ArgumentKind::signed_number : ArgumentKind::unsigned_number;
  static T decode(std::uint64_t value) { return static_cast<T>(value); }
};
template <typename T>
  requires std::is_enum_v<T>
struct ArgumentDecoder<T> {
  static constexpr ArgumentKind kind = ArgumentKind::unsigned_number;
  static T decode(std::uint64_t value) {
    return static_cast<T>(static_cast<std::underlying_type_t<T>>(value));
  }
};
template <>
struct ArgumentDecoder<FileDescriptor> {
  static constexpr ArgumentKind kind = ArgumentKind::descriptor;
  static FileDescriptor decode(std::uint64_t value) { return {static_cast<int>(value)}; }
};
// UserAddress, UserIn<T>, UserOut<T>, UserArray<T>, UserString ...: whatever is made from an address.
template <typename T>
  requires std::constructible_from<T, UserAddress>
struct ArgumentDecoder<T> {
  static constexpr ArgumentKind kind = ArgumentKind::address;
  static T decode(std::uint64_t value) { return T{UserAddress{value}}; }
};

using SyscallFunction = long (*)(Context&);

struct SyscallRow {
  int number = -1;
  SyscallFunction function = nullptr;
  const char* name = nullptr;
  // What of the call is supported, for docs/system-calls.md: flags or operations; empty means all of it.
  const char* supported = "";
  std::uint8_t argument_count = 0;
  ArgumentKind arguments[6] = {};
};

namespace detail {

template <auto handler>
struct Invoker;

template <typename... Arguments, Result<long> (*handler)(Context&, Arguments...)>
struct Invoker<handler> {
  static_assert(sizeof...(Arguments) <= 6);
  static long invoke(Context& context) { return invoke(context, std::index_sequence_for<Arguments...>{}); }
  template <std::size_t... index>
  static long invoke(Context& context, std::index_sequence<index...>) {
    Result<long> result =
        handler(context, ArgumentDecoder<Arguments>::decode(context.registers.argument(index))...);
    return result ? *result : -static_cast<long>(result.error());
  }
  static constexpr SyscallRow make(int call, const char* name, const char* supported) {
    SyscallRow made{call, &Invoker::invoke, name, supported, sizeof...(Arguments), {}};
    std::size_t next = 0;
    ((made.arguments[next++] = ArgumentDecoder<Arguments>::kind), ...);
    return made;
  }
};

}  // namespace detail

template <int call, auto handler>
constexpr SyscallRow row(const char* name, const char* supported = "") {
  return detail::Invoker<handler>::make(call, name, supported);
}

// The merged table (personality/linux/table). Numbers without a row have none in the first and a function
// that answers ENOSYS in the second.
inline constexpr std::size_t syscall_table_size = 512;
extern const std::array<const SyscallRow*, syscall_table_size> syscall_rows_by_number;
extern const std::array<SyscallFunction, syscall_table_size> syscall_functions;

}  // namespace linux_abi
