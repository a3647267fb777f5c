#include "page_cache/folio_tree.h"

#include "core/memory/page_allocator.h"
#include "core/test/test.h"

namespace page_cache {
namespace {

using core::test::expect;
using core::test::expect_ok;

// A page far behind in an otherwise empty tree: taking it out again leaves nothing.
KERNEL_TEST(folio_tree, a_far_page_leaves_nothing_behind) {
  auto page = core::allocate_page();
  if (!expect_ok(page)) return;
  FolioTree tree;
  for (std::uint64_t index :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 40, ~std::uint64_t{0} >> 12}) {
    expect_ok(tree.insert(index, **page));
    expect(tree.find(index) == page->get(), "not found");
    std::uint64_t next = 0;
    expect(tree.find_next(next, ~std::uint64_t{0}) == page->get() && next == index, "not the next");
    expect(tree.remove(index) == page->get(), "not removed");
    next = 0;
    expect(!tree.find_next(next, ~std::uint64_t{0}), "something is left");
  }
}

}  // namespace
}  // namespace page_cache
