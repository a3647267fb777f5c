#include "symbol_table.h"

#include <cstring>
#include <string_view>

namespace core {

SymbolTable::SymbolTable(const unsigned char* table, std::uintptr_t anchor) {
  std::memcpy(&header_, table, sizeof(header_));
  if (std::string_view(header_.magic, sizeof(header_.magic)) != "NOSSYM01") {
    header_ = {};
    return;
  }
  base_ = anchor - header_.anchor + header_.first;
  block_addresses_ = table + sizeof(header_);
  block_positions_ = block_addresses_ + 4 * blocks(header_.symbols);
  component_positions_ = block_positions_ + 4 * blocks(header_.symbols);
  symbols_ = component_positions_ + 4 * blocks(header_.components);
  components_ = symbols_ + header_.symbol_stream_size;
}

std::uint32_t SymbolTable::word(const unsigned char* from, std::size_t index) const {
  std::uint32_t value;
  std::memcpy(&value, from + 4 * index, sizeof(value));
  return value;
}

std::uint64_t SymbolTable::take_varint(const unsigned char*& at) {
  std::uint64_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
    unsigned char byte = *at++;
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
}

void SymbolTable::skip_name(const unsigned char*& at) {
  for (unsigned parts = *at++; parts > 0; --parts) take_varint(at);
}

SymbolTable::Cursor SymbolTable::block_start(std::size_t block_index) const {
  return {symbols_ + word(block_positions_, block_index), base_ + word(block_addresses_, block_index)};
}

// Stands behind the symbol's distance, before its name.
SymbolTable::Cursor SymbolTable::cursor_at(std::size_t index) const {
  Cursor cursor = block_start(index / block);
  cursor.address += take_varint(cursor.at);
  for (std::size_t i = 0; i < index % block; ++i) {
    skip_name(cursor.at);
    cursor.address += take_varint(cursor.at);
  }
  return cursor;
}

bool SymbolTable::find(std::uintptr_t address, Entry& entry) const {
  if (!count() || address < base_) return false;
  std::size_t low = 0, high = blocks(count());  // block_start(low) <= address < block_start(high)
  while (high - low > 1) {
    std::size_t middle = low + (high - low) / 2;
    (block_start(middle).address <= address ? low : high) = middle;
  }
  std::size_t index = low * block, end = index + block < count() ? index + block : count();
  Cursor cursor = cursor_at(index);
  entry = {index, cursor.address, end < count() ? block_start(end / block).address : 0};
  while (++index < end) {
    skip_name(cursor.at);
    cursor.address += take_varint(cursor.at);
    if (cursor.address > address) {
      entry.end = cursor.address;
      break;
    }
    entry.index = index;
    entry.start = cursor.address;
  }
  return true;
}

std::uintptr_t SymbolTable::address_of(std::size_t index) const { return cursor_at(index).address; }

void SymbolTable::put_name(std::size_t index, base::TextSink& sink) const {
  const unsigned char* at = cursor_at(index).at;
  unsigned parts = *at++;
  for (unsigned i = 0; i < parts; ++i) {
    if (i) sink.put("::");
    put_component(static_cast<std::size_t>(take_varint(at)), sink);
  }
}

void SymbolTable::put_component(std::size_t component, base::TextSink& sink) const {
  const unsigned char* at = components_ + word(component_positions_, component / block);
  for (std::size_t i = 0; i < component % block; ++i) at += 1 + *at;
  char text[256];
  std::memcpy(text, at + 1, *at);
  sink.put({text, *at});
}

}  // namespace core
