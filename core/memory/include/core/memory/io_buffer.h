// The memory of one read or write: the caller's iovecs, or memory of the kernel. Every File::read and write
// gets one.
//
//   Result<std::size_t> Zero::read(IoBuffer& buffer, ...) { return buffer.zero(buffer.remaining()); }
//   std::size_t done = buffer.copy_out(bytes);   // our bytes -> caller's memory (a read)
//   std::size_t got = buffer.copy_in(space);     // caller's memory -> our space (a write)
//
// Each call continues where the last one stopped and gives the bytes done, fewer than asked only at the end
// of the buffer or at a fault; faulted() tells the two apart. The usual end of a system call: if nothing was
// done and faulted(), EFAULT; else the count.
//
// User segments are copied as user_copy.h says: may sleep, current program only. The segments given to the
// constructor must outlive the buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/memory/address.h"

namespace core {

// Layout of struct iovec.
struct UserSegment {
  std::uintptr_t address = 0;
  std::size_t length = 0;
};

class IoBuffer {
 public:
  static IoBuffer user(UserAddress address, std::size_t length) { return IoBuffer(address, length); }
  // The segments must have been checked: their sum fits in a signed 64-bit number.
  static IoBuffer user(std::span<const UserSegment> segments) { return IoBuffer(segments); }
  template <std::size_t extent>
  static IoBuffer kernel(std::span<std::byte, extent> memory) {
    return IoBuffer(memory.data(), memory.size(), Access::both);
  }
  // Only to be read from.
  template <std::size_t extent>
  static IoBuffer kernel(std::span<const std::byte, extent> memory) {
    return IoBuffer(const_cast<std::byte*>(memory.data()), memory.size(), Access::read_only);
  }
  IoBuffer(const IoBuffer&) = delete;
  IoBuffer& operator=(const IoBuffer&) = delete;

  std::size_t remaining() const { return remaining_; }
  bool empty() const { return remaining_ == 0; }
  std::size_t transferred() const { return transferred_; }
  bool faulted() const { return faulted_; }
  bool is_user() const { return kind_ != Kind::kernel; }
  // Whether every piece of what remains begins and ends at a multiple of `alignment`, a power of two.
  bool is_aligned(std::size_t alignment) const;

  std::size_t copy_out(std::span<const std::byte> from);
  std::size_t copy_in(std::span<std::byte> to);
  std::size_t zero(std::size_t count);
  void skip(std::size_t count);
  // Takes back the last `count` bytes (a writer that could not use all it copied).
  void revert(std::size_t count);
  // Makes the rest at most `count` long; gives how much was cut off, for extend().
  std::size_t truncate(std::size_t count);
  void extend(std::size_t count) { remaining_ += count; }

  // Object by object, for the usual "write one structure" readers.
  template <typename T>
  bool put(const T& value) {
    return copy_out(std::as_bytes(std::span(&value, 1))) == sizeof(T);
  }
  template <typename T>
  bool get(T& value) {
    return copy_in(std::as_writable_bytes(std::span(&value, 1))) == sizeof(T);
  }

 private:
  enum class Kind : std::uint8_t { user_single, user_vector, kernel };
  enum class Access : std::uint8_t { both, read_only };

  IoBuffer(UserAddress address, std::size_t length)
      : kind_(Kind::user_single), address_(address.value()), remaining_(length) {}
  explicit IoBuffer(std::span<const UserSegment> segments);
  IoBuffer(std::byte* memory, std::size_t length, Access access);

  // Calls `move(address, count, done)` for each contiguous piece until one is short.
  template <typename Move>
  std::size_t for_pieces(std::size_t count, Move&& move);

  Kind kind_;
  Access access_ = Access::both;
  bool faulted_ = false;
  std::uintptr_t address_ = 0;             // single and kernel: the next byte; vector: of the current segment
  const UserSegment* segments_ = nullptr;  // vector: the current one
  const UserSegment* first_segment_ = nullptr;
  std::size_t offset_ = 0;  // vector: into the current segment
  std::size_t remaining_ = 0;
  std::size_t transferred_ = 0;
};

}  // namespace core
