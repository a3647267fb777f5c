// An iovec array of a program, checked, in kernel memory: short ones on the stack. Used by readv, sendmsg and
// the like.
#pragma once

#include "base/vector.h"
#include "core/memory/io_buffer.h"
#include "linux_abi/abi/types.h"
#include "linux_abi/prelude.h"

namespace linux_abi {

class IoVectors {
 public:
  IoVectors() = default;
  IoVectors(const IoVectors&) = delete;

  // EINVAL: more than IOV_MAX, or lengths that do not fit; EFAULT. The total is cut at what one transfer may
  // move.
  Result<void> read(UserArray<Iovec> from, std::size_t count) {
    if (count > iov_max) return error(Errno::einval);
    std::span<core::UserSegment> to(short_);
    if (count > to.size()) {
      TRY(long_.try_resize(count));
      to = long_.span();
    }
    to = to.first(count);
    static_assert(sizeof(Iovec) == sizeof(core::UserSegment));
    TRY(core::copy_from_user(std::as_writable_bytes(to), from.address()));
    std::uint64_t total = 0;
    for (core::UserSegment& segment : to) {
      if (static_cast<std::int64_t>(segment.length) < 0) return error(Errno::einval);
      if (!core::is_user_range(UserAddress(segment.address), segment.length)) return error(Errno::efault);
      if (segment.length > max_transfer - total) segment.length = max_transfer - total;
      total += segment.length;
    }
    used_ = to;
    return {};
  }
  std::span<const core::UserSegment> span() const { return used_; }

 private:
  core::UserSegment short_[8];
  base::Vector<core::UserSegment> long_;
  std::span<core::UserSegment> used_;
};

}  // namespace linux_abi
