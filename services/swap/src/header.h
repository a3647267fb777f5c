// What mkswap(8) writes into the first page of a swap area.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/vector.h"

namespace swap {

using base::Result;

struct Header {
  std::uint64_t pages = 0;  // with the header's own
  base::Vector<std::uint32_t> bad_pages;
};

// `page` is a whole page; `area_pages` what the device or file has. EINVAL.
Result<Header> parse_header(const std::byte* page, std::uint64_t area_pages);

}  // namespace swap
