#include "header.h"

#include <cstring>

#include "core/memory/address.h"

namespace swap {

namespace {
// Behind 1024 bytes that belong to boot loaders; in the byte order of the machine.
constexpr std::size_t version_at = 1024, last_page_at = 1028, bad_count_at = 1032, bad_pages_at = 1536;
constexpr char magic[] = "SWAPSPACE2";  // the last ten bytes of the page
constexpr std::size_t magic_length = 10;
constexpr std::uint32_t bad_pages_max =
    (core::page_size - bad_pages_at - magic_length) / sizeof(std::uint32_t);

std::uint32_t word_at(const std::byte* page, std::size_t offset) {
  std::uint32_t value;
  std::memcpy(&value, page + offset, sizeof(value));
  return value;
}
}  // namespace

Result<Header> parse_header(const std::byte* page, std::uint64_t area_pages) {
  if (std::memcmp(page + core::page_size - magic_length, magic, magic_length) != 0)
    return base::error(base::Errno::einval);
  std::uint32_t last_page = word_at(page, last_page_at), bad_count = word_at(page, bad_count_at);
  if (word_at(page, version_at) != 1 || last_page == 0 || last_page >= area_pages ||
      bad_count > bad_pages_max)
    return base::error(base::Errno::einval);
  Header header;
  header.pages = std::uint64_t{last_page} + 1;
  for (std::uint32_t i = 0; i < bad_count; ++i) {
    std::uint32_t bad = word_at(page, bad_pages_at + i * sizeof(std::uint32_t));
    if (bad == 0 || bad > last_page) return base::error(base::Errno::einval);
    TRY(header.bad_pages.try_push_back(bad));
  }
  return header;
}

}  // namespace swap
