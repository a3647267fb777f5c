// The output of a decoder: a piece of memory that keeps at least the last `history` bytes produced, because
// the formats refer back to them, and hands everything to the sink in order.
//
//   begin_ ......... flushed_ ......... position ............ limit_ . slack
//          history            not yet in the sink   room              may be overwritten by wide copies
//
// Decoders make room, write at `position` without further checks up to the room they asked for, and call
// make_room again. When there is none left, the bytes not flushed go to the sink and the last `history` bytes
// move to the front.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "base/bits.h"
#include "base/result.h"
#include "bytes.h"
#include "checksums.h"
#include "decompress/decompress.h"

namespace decompress {

// Uninitialised bytes whose allocation can fail.
class Memory {
 public:
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { ::operator delete(static_cast<void*>(data_)); }
  base::Result<void> allocate(std::size_t size);
  std::uint8_t* data() { return data_; }
  std::size_t size() const { return size_; }

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

class OutputWindow {
 public:
  static constexpr std::size_t slack = 32;

  explicit OutputWindow(Sink sink) : sink_(sink) {}
  // `chunk` is the most make_room() can be asked for.
  base::Result<void> allocate(std::size_t history, std::size_t chunk);
  // The checksum is updated with all output; null for none.
  void set_checksum(Checksum* checksum) { checksum_ = checksum; }

  // Where the next byte goes; decoders advance it.
  std::uint8_t* position = nullptr;

  std::size_t room() const { return static_cast<std::size_t>(limit_ - position); }
  base::Result<void> make_room(std::size_t size) {
    if (room() >= size) [[likely]]
      return {};
    return slide();
  }
  // Bytes before `position` that a match may refer to.
  std::size_t reachable() const { return static_cast<std::size_t>(position - begin_); }
  std::uint64_t total() const { return flushed_total_ + static_cast<std::size_t>(position - flushed_); }
  base::Result<void> flush();
  // Any amount, with flushes as needed.
  base::Result<void> put(std::span<const std::uint8_t> bytes);
  base::Result<void> fill(std::uint8_t value, std::size_t size);
  // Any length; EINVAL when the distance is zero or reaches before the beginning.
  base::Result<void> copy(std::size_t distance, std::size_t length);

 private:
  base::Result<void> slide();

  Sink sink_;
  Checksum* checksum_ = nullptr;
  Memory memory_;
  std::size_t history_ = 0;
  std::uint8_t* begin_ = nullptr;
  std::uint8_t* flushed_ = nullptr;
  std::uint8_t* limit_ = nullptr;
  std::uint64_t flushed_total_ = 0;
};

// Copies `length` bytes from `distance` bytes before `to` (which may overlap: then the bytes repeat) and
// returns the end. Writes up to 16 bytes more; `distance` bytes before `to` and OutputWindow::slack behind
// the end are ours.
inline std::uint8_t* copy_match(std::uint8_t* to, std::size_t distance, std::size_t length) {
  std::uint8_t* const end = to + length;
  const std::uint8_t* from = to - distance;
  if (distance >= 16) [[likely]] {
    do {
      std::uint64_t low = load<std::uint64_t>(from), high = load<std::uint64_t>(from + 8);
      std::memcpy(to, &low, 8);
      std::memcpy(to + 8, &high, 8);
      to += 16, from += 16;
    } while (to < end);
    return end;
  }
  if (distance >= 8) {
    do {
      std::uint64_t word = load<std::uint64_t>(from);
      std::memcpy(to, &word, 8);
      to += 8, from += 8;
    } while (to < end);
    return end;
  }
  // Short period: a word that holds the pattern as often as it fits, written at steps that keep the phase.
  std::uint64_t word = 0;
  for (unsigned i = 0; i < 8; ++i) word |= std::uint64_t{from[i % distance]} << (8 * i);
  std::size_t step = 8 - 8 % distance;
  do {
    std::memcpy(to, &word, 8);
    to += step;
  } while (to < end);
  return end;
}

// Copies `length` bytes in steps of 16: may read and write up to 15 more on each side.
inline std::uint8_t* copy_wide(std::uint8_t* to, const std::uint8_t* from, std::size_t length) {
  std::uint8_t* const end = to + length;
  do {
    std::uint64_t low = load<std::uint64_t>(from), high = load<std::uint64_t>(from + 8);
    std::memcpy(to, &low, 8);
    std::memcpy(to + 8, &high, 8);
    to += 16, from += 16;
  } while (to < end);
  return end;
}

}  // namespace decompress
