// Undefined behaviour that instrumented code (KASAN flavour) notices: reported with the place in the source
// and a back trace, once per place; the kernel goes on, as the compiler's code does.
#include "core/memory/kasan.h"

#if NOS_KASAN
#include <arch/cpu.h>

#include <atomic>
#include <cstdint>

#include "core/init/panic.h"
#include "core/init/symbols.h"
#include "core/log/log.h"

namespace core {
namespace {

// The compiler's descriptions: laid out by clang (clang/lib/CodeGen/CGExpr.cpp,
// compiler-rt/lib/ubsan/ubsan_value.h).
struct SourceLocation {
  const char* file;
  std::uint32_t line, column;
};
struct TypeDescriptor {
  std::uint16_t kind;  // 0: integer
  std::uint16_t info;  // bit 0: signed; above: log2 of the width
  char name[1];
};
struct OverflowData {
  SourceLocation location;
  const TypeDescriptor& type;
};
struct ShiftData {
  SourceLocation location;
  const TypeDescriptor &left, &right;
};
struct BoundsData {
  SourceLocation location;
  const TypeDescriptor &array, &index;
};
struct MismatchData {
  SourceLocation location;
  const TypeDescriptor& type;
  unsigned char log_alignment, kind;
};
struct ValueData {
  SourceLocation location;
  const TypeDescriptor& type;
};
struct PlainData {
  SourceLocation location;
};
struct NonnullArgumentData {
  SourceLocation location, attribute;
  int index;
};

// The place's column is overwritten by the first report of it: the second stays silent. (Compiler-rt does the
// same.)
bool claim(SourceLocation& location) {
  auto& column = location.column;
  return __atomic_exchange_n(&column, ~0u, __ATOMIC_RELAXED) != ~0u;
}

std::int64_t value_of(const TypeDescriptor& type, std::uintptr_t value) {
  unsigned bits = type.kind == 0 ? 1u << (type.info >> 1) : 64;
  if (bits >= 64) return static_cast<std::int64_t>(value);
  bool is_signed = type.info & 1;
  std::uint64_t shifted = static_cast<std::uint64_t>(value) << (64 - bits);
  return is_signed ? static_cast<std::int64_t>(shifted) >> (64 - bits)
                   : static_cast<std::int64_t>(shifted >> (64 - bits));
}

template <typename... Arguments>
void report(SourceLocation& location, base::FormatText<std::type_identity_t<Arguments>...> text,
            const Arguments&... arguments) {
  std::uint32_t line = location.line, column = location.column;
  if (!claim(location)) return;
  log(LogLevel::error, "UBSAN: undefined behaviour in {}:{}:{}", location.file, line, column);
  log(LogLevel::error, text, arguments...);
  std::uintptr_t trace[24];
  std::size_t count = capture_back_trace(trace);
  log_back_trace(LogLevel::error, std::span(trace, count));
}

void overflow(OverflowData& data, const char* operation, std::uintptr_t left, std::uintptr_t right) {
  report(data.location, "{} {} {} cannot be represented in {}", value_of(data.type, left), operation,
         value_of(data.type, right), static_cast<const char*>(data.type.name));
}

}  // namespace
}  // namespace core

using namespace core;

extern "C" {
void __ubsan_handle_add_overflow(OverflowData* data, std::uintptr_t l, std::uintptr_t r) {
  overflow(*data, "+", l, r);
}
void __ubsan_handle_sub_overflow(OverflowData* data, std::uintptr_t l, std::uintptr_t r) {
  overflow(*data, "-", l, r);
}
void __ubsan_handle_mul_overflow(OverflowData* data, std::uintptr_t l, std::uintptr_t r) {
  overflow(*data, "*", l, r);
}
void __ubsan_handle_divrem_overflow(OverflowData* data, std::uintptr_t l, std::uintptr_t r) {
  overflow(*data, "/", l, r);
}
void __ubsan_handle_negate_overflow(OverflowData* data, std::uintptr_t value) {
  overflow(*data, "negated;", value, 0);
}
void __ubsan_handle_shift_out_of_bounds(ShiftData* data, std::uintptr_t l, std::uintptr_t r) {
  report(data->location, "shift of {} ({}) by {}", value_of(data->left, l),
         static_cast<const char*>(data->left.name), value_of(data->right, r));
}
void __ubsan_handle_out_of_bounds(BoundsData* data, std::uintptr_t index) {
  report(data->location, "index {} out of bounds for {}", value_of(data->index, index),
         static_cast<const char*>(data->array.name));
}
void __ubsan_handle_type_mismatch_v1(MismatchData* data, std::uintptr_t address) {
  std::uintptr_t alignment = std::uintptr_t{1} << data->log_alignment;
  if (!address)
    report(data->location, "use of a null pointer to {}", static_cast<const char*>(data->type.name));
  else if (address & (alignment - 1))
    report(data->location, "address {:#x} misaligned for {} (needs {})", address,
           static_cast<const char*>(data->type.name), alignment);
  else
    report(data->location, "address {:#x} has no room for {}", address,
           static_cast<const char*>(data->type.name));
}
void __ubsan_handle_load_invalid_value(ValueData* data, std::uintptr_t value) {
  report(data->location, "value {} is not one of {}", value_of(data->type, value),
         static_cast<const char*>(data->type.name));
}
void __ubsan_handle_pointer_overflow(PlainData* data, std::uintptr_t from, std::uintptr_t to) {
  report(data->location, "pointer arithmetic wrapped from {:#x} to {:#x}", from, to);
}
void __ubsan_handle_nonnull_return_v1(PlainData*, SourceLocation* location) {
  report(*location, "null returned where it must not be");
}
void __ubsan_handle_nonnull_arg(NonnullArgumentData* data) {
  report(data->location, "argument {} must not be null", data->index);
}
void __ubsan_handle_vla_bound_not_positive(ValueData* data, std::uintptr_t value) {
  report(data->location, "array bound {} is not positive", value_of(data->type, value));
}
[[noreturn]] void __ubsan_handle_builtin_unreachable(PlainData* data) {
  report(data->location, "unreachable code was reached");
  panic("UBSAN: unreachable code was reached");
}
[[noreturn]] void __ubsan_handle_missing_return(PlainData* data) {
  report(data->location, "a function ended without a value");
  panic("UBSAN: a function ended without a value");
}
void __ubsan_handle_invalid_builtin(PlainData* data) { report(data->location, "builtin called with zero"); }
}
#endif
