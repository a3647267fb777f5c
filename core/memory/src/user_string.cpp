#include <new>

#include "core/memory/user_pointer.h"

namespace core {

base::Result<base::String> UserString::read(std::size_t limit) const {
  // Most strings are short; the first piece is taken on the stack so that the allocation has the right size.
  char piece[128];
  base::String result;
  for (std::size_t at = 0; at < limit;) {
    std::size_t wanted = limit - at < sizeof(piece) ? limit - at : sizeof(piece);
    auto length = read_user_string({piece, wanted}, address_ + at);
    if (length) {
      TRY(result.try_append({piece, *length}));
      return result;
    }
    if (length.error() != base::Errno::enametoolong) return base::error(length.error());
    TRY(result.try_append({piece, wanted}));
    at += wanted;
  }
  return base::error(base::Errno::enametoolong);
}

}  // namespace core
