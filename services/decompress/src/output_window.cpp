#include "output_window.h"

#include <new>

namespace decompress {

base::Result<void> Memory::allocate(std::size_t size) {
  ::operator delete(static_cast<void*>(data_));
  data_ = static_cast<std::uint8_t*>(::operator new(size, std::nothrow));
  size_ = data_ ? size : 0;
  if (!data_) return base::error(base::Errno::enomem);
  return {};
}

base::Result<void> OutputWindow::allocate(std::size_t history, std::size_t chunk) {
  history_ = history;
  TRY(memory_.allocate(history + chunk + slack));
  begin_ = flushed_ = position = memory_.data();
  limit_ = begin_ + history + chunk;
  return {};
}

base::Result<void> OutputWindow::flush() {
  std::span<const std::uint8_t> fresh{flushed_, position};
  if (fresh.empty()) return {};
  if (checksum_) checksum_->update(fresh);
  flushed_ = position;
  flushed_total_ += fresh.size();
  return sink_(fresh);
}

base::Result<void> OutputWindow::slide() {
  TRY(flush());
  std::size_t kept = reachable() < history_ ? reachable() : history_;
  std::memmove(begin_, position - kept, kept);
  position = flushed_ = begin_ + kept;
  return {};
}

base::Result<void> OutputWindow::put(std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    TRY(make_room(1));
    std::size_t size = bytes.size() < room() ? bytes.size() : room();
    std::memcpy(position, bytes.data(), size);
    position += size;
    bytes = bytes.subspan(size);
  }
  return {};
}

base::Result<void> OutputWindow::fill(std::uint8_t value, std::size_t size) {
  while (size) {
    TRY(make_room(1));
    std::size_t piece = size < room() ? size : room();
    std::memset(position, value, piece);
    position += piece;
    size -= piece;
  }
  return {};
}

base::Result<void> OutputWindow::copy(std::size_t distance, std::size_t length) {
  if (distance == 0 || distance > reachable()) return base::error(base::Errno::einval);
  while (length) {
    TRY(make_room(1));
    std::size_t piece = length < room() ? length : room();
    position = copy_match(position, distance, piece);
    length -= piece;
  }
  return {};
}

}  // namespace decompress
