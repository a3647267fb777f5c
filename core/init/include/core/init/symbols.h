// Names of kernel functions, for back traces, /proc/kallsyms and the panic report.
//
// The table is made from the linked kernel by tools/symbols/make_table.py and linked in by a second pass.
// Names are readable ones, without parameters and template arguments ("core::LogRing::store"), cut into
// components that are stored once. If an address is in no known function, it is printed as a number. Any
// context; nothing is allocated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/format.h"
#include "core/log/log.h"

namespace core {

struct SymbolPlace {
  std::uintptr_t start = 0;
  std::size_t size = 0;    // up to the next function
  std::size_t offset = 0;  // of the address that was looked up
};

// Writes the name into `name`. Nothing when the address is in no known function.
std::optional<SymbolPlace> find_symbol(std::uintptr_t address, base::TextSink& name);
// Number `index` of symbol_count(), in the order of addresses: for /proc/kallsyms.
std::size_t symbol_count();
std::uintptr_t symbol_at(std::size_t index, base::TextSink& name);

// "core::Scheduler::pick+0x1f/0x80", or "0xffffffff81001234" when unknown.
void print_symbol(base::TextSink& sink, std::uintptr_t address);

// Return addresses of the running function's callers, innermost first; returns how many there are.
std::size_t capture_back_trace(std::span<std::uintptr_t> addresses);
// Logs them, one line each.
void log_back_trace(LogLevel level, std::span<const std::uintptr_t> addresses);
// Logs the trace that begins at `program_counter` (if it is not 0) and goes on with the frame
// `frame_pointer`.
void log_back_trace_from(LogLevel level, std::uintptr_t program_counter, std::uintptr_t frame_pointer);

}  // namespace core
