// Names of kernel functions, for back traces, /proc/kallsyms and the panic report. The table is made from the linked
// kernel and linked in by a second pass (tools/symbols); without it every look-up finds nothing and addresses are printed
// as numbers.
//
// Back traces follow frame pointers, which every function of the kernel keeps. Any context.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/format.h"
#include "base/function_ref.h"

namespace core {

// A name as the compiler mangled it; demangle_name() makes it readable.
struct SymbolPlace {
  std::uintptr_t start = 0;
  std::size_t size = 0;   // up to the next symbol
  std::size_t offset = 0; // of the address that was looked up
};

// Writes the mangled name into `name` (truncated if need be). Nothing when the address is in no known function.
std::optional<SymbolPlace> find_symbol(std::uintptr_t address, base::TextBuffer& name);
// All of them, in the order of their addresses: for /proc/kallsyms.
void for_each_symbol(base::FunctionRef<bool(std::uintptr_t address, char type, std::string_view name)> visit);
std::size_t symbol_count();

// "core::Scheduler::pick(core::Thread&)+0x1f/0x80", or "0xffffffff81001234" when unknown.
void print_symbol(base::TextSink& sink, std::uintptr_t address);

// Writes the readable form of a mangled name as far as it understands it, else the name itself.
void demangle_name(base::TextSink& sink, std::string_view mangled);

// Return addresses, innermost first, beginning with the caller of the function whose frame is `frame`.
std::size_t capture_back_trace(std::span<std::uintptr_t> addresses,
                               const void* frame = __builtin_frame_address(0));
enum class TraceLine { log_error, log_info };
// Logs them, one line each.
void log_back_trace(std::span<const std::uintptr_t> addresses, TraceLine line = TraceLine::log_info);
void log_back_trace_from(const void* frame, TraceLine line = TraceLine::log_info);

}  // namespace core
