#include "core/init/symbols.h"

#include <arch/cpu.h>

#include "../symbol_table.h"

// Made by the second link pass.
extern "C" const unsigned char kernel_symbol_table[];
// Where the kernel was linked and where it is now differ by as much as this function's address.
extern "C" [[gnu::used, gnu::noinline]] void kernel_symbol_anchor() {}

namespace core {
namespace {

SymbolTable table() {
  // SAFETY: the address is only calculated with.
  return SymbolTable(kernel_symbol_table, reinterpret_cast<std::uintptr_t>(&kernel_symbol_anchor));
}

// The last function's size is unknown; what is farther away than this is not in it.
constexpr std::size_t last_symbol_size = 0x1000;

}  // namespace

std::optional<SymbolPlace> find_symbol(std::uintptr_t address, base::TextSink& name) {
  SymbolTable symbols = table();
  SymbolTable::Entry entry;
  if (!symbols.find(address, entry)) return std::nullopt;
  std::size_t size = entry.end ? entry.end - entry.start : last_symbol_size;
  if (address - entry.start >= size) return std::nullopt;
  symbols.put_name(entry.index, name);
  return SymbolPlace{entry.start, size, address - entry.start};
}

std::size_t symbol_count() { return table().count(); }

std::uintptr_t symbol_at(std::size_t index, base::TextSink& name) {
  SymbolTable symbols = table();
  symbols.put_name(index, name);
  return symbols.address_of(index);
}

void print_symbol(base::TextSink& sink, std::uintptr_t address) {
  if (auto place = find_symbol(address, sink)) {
    base::format(sink, "+{:#x}/{:#x}", place->offset, place->size);
  } else {
    base::format(sink, "{:#018x}", address);
  }
}

// Not inlined, not even by an optimisation of the whole kernel: the trace begins at whoever called.
[[gnu::noinline]] std::size_t capture_back_trace(std::span<std::uintptr_t> addresses) {
  struct State {
    std::span<std::uintptr_t> addresses;
    std::size_t count = 0;
  } state{addresses};
  // SAFETY: the frame address is only handed on; walk_stack checks what it follows.
  arch::walk_stack(
      reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)), 0,
      [](std::uintptr_t program_counter, void* argument) {
        State& s = *static_cast<State*>(argument);
        if (program_counter && s.count < s.addresses.size()) s.addresses[s.count++] = program_counter;
        return s.count < s.addresses.size();
      },
      &state);
  return state.count;
}

namespace {

void log_trace_line(LogLevel level, std::uintptr_t address, std::uintptr_t looked_up) {
  LogLine line{level};
  base::format(line, "  {:016x} ", address);
  print_symbol(line, looked_up);
}

}  // namespace

void log_back_trace(LogLevel level, std::span<const std::uintptr_t> addresses) {
  // A return address may be the first byte of the next function when the call does not return.
  for (std::uintptr_t address : addresses) log_trace_line(level, address, address - 1);
}

void log_back_trace_from(LogLevel level, std::uintptr_t program_counter, std::uintptr_t frame_pointer) {
  struct State {
    LogLevel level;
    bool exact;  // the first address is where something happened, not where a call returns to
    unsigned left = 64;
  } state{level, program_counter != 0};
  arch::walk_stack(
      frame_pointer, program_counter,
      [](std::uintptr_t address, void* argument) {
        State& s = *static_cast<State*>(argument);
        if (address) log_trace_line(s.level, address, s.exact ? address : address - 1);
        s.exact = false;
        return --s.left > 0;
      },
      &state);
}

}  // namespace core
