// Reads the table that tools/symbols/make_table.py describes. The table is our own, so it is trusted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/format.h"

namespace core {

class SymbolTable {
 public:
  // `table` is 8-byte aligned. `anchor` is where kernel_symbol_anchor is now: the kernel may have been moved
  // since the link.
  SymbolTable(const unsigned char* table, std::uintptr_t anchor);

  std::size_t count() const { return header_.symbols; }
  struct Entry {
    std::size_t index = 0;
    std::uintptr_t start = 0, end = 0;  // end: the next one's start, or 0
  };
  // The last symbol at or below `address`; false when there is none.
  bool find(std::uintptr_t address, Entry& entry) const;
  std::uintptr_t address_of(std::size_t index) const;
  void put_name(std::size_t index, base::TextSink& sink) const;

 private:
  static constexpr std::size_t block = 16;
  struct Header {
    char magic[8];
    std::uint64_t anchor, first;
    std::uint32_t symbols, components, symbol_stream_size, component_stream_size;
  };
  // Position in the symbol stream.
  struct Cursor {
    const unsigned char* at;
    std::uintptr_t address;
  };
  static std::size_t blocks(std::size_t entries) { return (entries + block - 1) / block; }
  static std::uint64_t take_varint(const unsigned char*& at);
  Cursor block_start(std::size_t block_index) const;
  static void skip_name(const unsigned char*& at);
  Cursor cursor_at(std::size_t index) const;
  void put_component(std::size_t component, base::TextSink& sink) const;
  std::uint32_t word(const unsigned char* from, std::size_t index) const;

  Header header_{};
  std::uintptr_t base_ = 0;
  const unsigned char* block_addresses_ = nullptr;
  const unsigned char* block_positions_ = nullptr;
  const unsigned char* component_positions_ = nullptr;
  const unsigned char* symbols_ = nullptr;
  const unsigned char* components_ = nullptr;
};

}  // namespace core
