#include "page_cache/folio_tree.h"

#include "core/memory/page_allocator.h"
#include "core/sched/thread.h"
#include "core/sync/completion.h"
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

// The page that is the whole tree gets a node above it while others look for it.
struct Looker {
  FolioTree& tree;
  core::Page& page;
  std::atomic<std::uint32_t> phase{0};  // odd: the page is in the tree
  std::atomic<bool> ends{false};
  std::uint64_t looks = 0, missed = 0;
  core::Completion begun, done;

  static void run(void* argument) {
    auto& self = *static_cast<Looker*>(argument);
    self.begun.complete();
    while (!self.ends.load()) {
      std::uint32_t phase = self.phase.load();
      core::PageRef found;
      {
        core::RcuReadGuard guard;
        found = self.tree.acquire(0);
      }
      if (!(phase & 1) || phase != self.phase.load()) continue;
      ++self.looks;
      if (found.get() != &self.page) ++self.missed;
    }
    self.done.complete();
  }
};

KERNEL_TEST(folio_tree, finds_the_first_page_while_it_grows) {
  auto page = core::allocate_page(), other = core::allocate_page();
  if (!expect_ok(page) || !expect_ok(other)) return;
  FolioTree tree;
  Looker looker{.tree = tree, .page = **page};
  auto thread = core::Thread::create("looker", Looker::run, &looker);
  if (!expect_ok(thread)) return;
  (*thread)->start();
  looker.begun.wait();
  for (int round = 0; round < 5000; ++round) {
    expect_ok(tree.insert(0, **page));
    looker.phase.fetch_add(1);
    expect_ok(tree.insert(64 + static_cast<std::uint64_t>(round), **other));
    looker.phase.fetch_add(1);
    tree.remove(0);
    tree.remove(64 + static_cast<std::uint64_t>(round));
  }
  looker.ends.store(true);
  looker.done.wait();
  expect(looker.missed == 0, "a page that was there was not found");
}

}  // namespace
}  // namespace page_cache
