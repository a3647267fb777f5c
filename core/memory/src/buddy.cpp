#include "buddy.h"

#include <bit>

#include "page_internal.h"

namespace core {
namespace {

// While a block is free the two words are its neighbours in the list.
Page*& next_of(Page& page) {
  // SAFETY: the union holds list links while PageFlag::buddy is set; written and read only here.
  return reinterpret_cast<Page*&>(page.words[0]);
}
Page*& previous_of(Page& page) { return reinterpret_cast<Page*&>(page.words[1]); }  // SAFETY: as above

}  // namespace

void Buddy::link(Page& page, unsigned order) {
  page.reset_flags(static_cast<std::uint32_t>(PageFlag::buddy), order);
  next_of(page) = lists_[order];
  previous_of(page) = nullptr;
  if (lists_[order]) previous_of(*lists_[order]) = &page;
  lists_[order] = &page;
  ++counts_[order];
  nonempty_ |= 1u << order;
}

void Buddy::unlink(Page& page, unsigned order) {
  base::debug_verify(page.has(PageFlag::buddy) && page.order() == order, "block is not in this list");
  if (previous_of(page))
    next_of(*previous_of(page)) = next_of(page);
  else
    lists_[order] = next_of(page);
  if (next_of(page)) previous_of(*next_of(page)) = previous_of(page);
  if (!lists_[order]) nonempty_ &= ~(1u << order);
  --counts_[order];
  page.reset_flags(0, 0);
}

Page* Buddy::take(unsigned order) {
  std::uint32_t candidates = nonempty_ & (~0u << order);
  if (!candidates) return nullptr;
  unsigned found = static_cast<unsigned>(std::countr_zero(candidates));
  Page* page = lists_[found];
  unlink(*page, found);
  while (found > order) {
    --found;
    link(page[std::size_t{1} << found], found);
  }
  free_pages_ -= std::uint64_t{1} << order;
  return page;
}

void Buddy::give(Page& page, unsigned order) {
  std::uint64_t number = number_of(page);
  base::debug_verify(!page.has(PageFlag::buddy), "page freed twice");
  base::debug_verify((number & ((std::uint64_t{1} << order) - 1)) == 0, "block is not aligned to its size");
  base::debug_verify(number >= first_ && number < end_, "block of another zone");
  free_pages_ += std::uint64_t{1} << order;
  while (order < max_page_order) {
    std::uint64_t neighbour = number ^ (std::uint64_t{1} << order);
    if (neighbour < first_ || neighbour + (std::uint64_t{1} << order) > end_) break;
    // Within one group of descriptors the neighbour exists because we do.
    if (order >= presence_shift && !descriptor_exists(neighbour)) break;
    Page& other = memory_map[neighbour];
    // relaxed reads: blocks join and leave only under our lock; pages in use change their flags but never set
    // `buddy`.
    if (!other.has(PageFlag::buddy) || other.order() != order) break;
    unlink(other, order);
    number &= ~(std::uint64_t{1} << order);
    ++order;
  }
  link(memory_map[number], order);
}

void Buddy::give_range(std::uint64_t first, std::uint64_t end) {
  while (first < end) {
    unsigned order = first ? static_cast<unsigned>(std::countr_zero(first)) : max_page_order;
    if (order > max_page_order) order = max_page_order;
    while ((std::uint64_t{1} << order) > end - first) --order;
    give(memory_map[first], order);
    first += std::uint64_t{1} << order;
  }
}

}  // namespace core
