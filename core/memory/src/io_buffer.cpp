#include "core/memory/io_buffer.h"

#include <cstring>

#include "base/check.h"
#include "core/memory/user_copy.h"

namespace core {
namespace {

std::size_t smaller(std::size_t a, std::size_t b) { return a < b ? a : b; }

std::byte* kernel_pointer(std::uintptr_t address) {
  return reinterpret_cast<std::byte*>(address);  // SAFETY: came from the span given to IoBuffer::kernel()
}

}  // namespace

IoBuffer::IoBuffer(std::span<const UserSegment> segments)
    : kind_(Kind::user_vector), segments_(segments.data()), first_segment_(segments.data()) {
  for (const UserSegment& segment : segments) remaining_ += segment.length;
}

IoBuffer::IoBuffer(std::byte* memory, std::size_t length, Access access)
    : kind_(Kind::kernel),
      access_(access),
      address_(reinterpret_cast<std::uintptr_t>(memory)),
      remaining_(length) {}

template <typename Move>
std::size_t IoBuffer::for_pieces(std::size_t count, Move&& move) {
  count = smaller(count, remaining_);
  std::size_t done = 0;
  if (kind_ != Kind::user_vector) {
    if (count) done = move(address_, count, std::size_t{0});
    address_ += done;
  } else {
    while (done < count) {
      if (offset_ == segments_->length) {
        ++segments_;
        offset_ = 0;
        continue;
      }
      std::size_t piece = smaller(count - done, segments_->length - offset_);
      std::size_t moved = move(segments_->address + offset_, piece, done);
      offset_ += moved;
      done += moved;
      if (moved < piece) break;
    }
  }
  if (done < count) faulted_ = true;
  remaining_ -= done;
  transferred_ += done;
  return done;
}

std::size_t IoBuffer::copy_out(std::span<const std::byte> from) {
  base::debug_verify(access_ == Access::both, "IoBuffer: writing into memory given as read-only");
  return for_pieces(from.size(),
                    [&](std::uintptr_t address, std::size_t size, std::size_t done) -> std::size_t {
                      if (kind_ != Kind::kernel)
                        return copy_to_user_partial(UserAddress(address), from.subspan(done, size));
                      std::memcpy(kernel_pointer(address), from.data() + done, size);
                      return size;
                    });
}

std::size_t IoBuffer::copy_in(std::span<std::byte> to) {
  return for_pieces(to.size(),
                    [&](std::uintptr_t address, std::size_t size, std::size_t done) -> std::size_t {
                      if (kind_ != Kind::kernel)
                        return copy_from_user_partial(to.subspan(done, size), UserAddress(address));
                      std::memcpy(to.data() + done, kernel_pointer(address), size);
                      return size;
                    });
}

std::size_t IoBuffer::zero(std::size_t count) {
  base::debug_verify(access_ == Access::both, "IoBuffer: writing into memory given as read-only");
  return for_pieces(count, [&](std::uintptr_t address, std::size_t size, std::size_t) -> std::size_t {
    if (kind_ != Kind::kernel) return clear_user_partial(UserAddress(address), size);
    std::memset(kernel_pointer(address), 0, size);
    return size;
  });
}

void IoBuffer::skip(std::size_t count) {
  for_pieces(count, [](std::uintptr_t, std::size_t size, std::size_t) { return size; });
}

void IoBuffer::revert(std::size_t count) {
  base::debug_verify(count <= transferred_, "IoBuffer: more taken back than was done");
  transferred_ -= count;
  remaining_ += count;
  if (kind_ != Kind::user_vector) {
    address_ -= count;
    return;
  }
  while (count > offset_) {
    count -= offset_;
    base::verify(segments_ > first_segment_, "IoBuffer: before its beginning");
    --segments_;
    offset_ = segments_->length;
  }
  offset_ -= count;
}

bool IoBuffer::is_aligned(std::size_t alignment) const {
  std::size_t mask = alignment - 1;
  if (kind_ != Kind::user_vector) return ((address_ | remaining_) & mask) == 0;
  std::size_t left = remaining_, offset = offset_;
  for (const UserSegment* segment = segments_; left; ++segment, offset = 0) {
    std::size_t length = segment->length - offset < left ? segment->length - offset : left;
    if (length && ((segment->address + offset) | length) & mask) return false;
    left -= length;
  }
  return true;
}

std::size_t IoBuffer::truncate(std::size_t count) {
  if (count >= remaining_) return 0;
  std::size_t cut = remaining_ - count;
  remaining_ = count;
  return cut;
}

}  // namespace core
