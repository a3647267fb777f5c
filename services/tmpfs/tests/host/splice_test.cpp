// Pages handed over to a file: taken as they are when they are nobody else's, copied otherwise.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "core/memory/page_allocator.h"
#include "core/memory/page_transfer.h"
#include "world.h"

using namespace vfs;
using core::page_size;
using test::World;

namespace {

class OnePage final : public core::PageSource {
 public:
  OnePage(core::PageRef page, std::uint32_t offset, std::uint32_t length)
      : piece_{std::move(page), offset, length} {}
  Piece next() override { return std::exchange(piece_, {}); }

 private:
  Piece piece_;
};

core::PageRef filled(char letter) {
  core::PageRef page = *core::allocate_page(core::AllocationFlags::none);
  std::memset(page.data(), letter, page_size);
  return page;
}

std::string text(char letter, std::size_t count = page_size) { return std::string(count, letter); }

}  // namespace

TEST(Splice, AWholePageOfOursBecomesTheFiles) {
  World w;
  auto file = *w.open("/f", open_read_write | open_create);
  core::PageRef page = filled('a');
  core::Page* same = page.get();
  OnePage source(std::move(page), 0, page_size);
  EXPECT_EQ(*file->splice_write(0, page_size, source), page_size);
  EXPECT_EQ(w.read_file("/f"), text('a'));
  EXPECT_EQ(same->reference_count(), 1u);  // the file's
  EXPECT_TRUE(same->has(core::PageFlag::up_to_date));
  EXPECT_EQ(w.stat("/f").size, page_size);
}

TEST(Splice, APageThatSomebodyElseHasIsCopied) {
  World w;
  auto file = *w.open("/f", open_read_write | open_create);
  core::PageRef page = filled('a');
  OnePage source(page.clone(), 0, page_size);
  EXPECT_EQ(*file->splice_write(0, page_size, source), page_size);
  // What its other user writes does not reach the file.
  std::memset(page.data(), 'b', page_size);
  EXPECT_EQ(w.read_file("/f"), text('a'));
  EXPECT_EQ(page->reference_count(), 1u);
}

TEST(Splice, PartsAndPlacesInsideTheFileAreCopied) {
  World w;
  auto file = *w.open("/f", open_read_write | open_create);
  OnePage part(filled('a'), 10, 100);
  EXPECT_EQ(*file->splice_write(0, page_size, part), 100u);
  EXPECT_EQ(w.read_file("/f"), text('a', 100));
  OnePage over(filled('b'), 0, page_size);
  EXPECT_EQ(*file->splice_write(0, page_size, over), page_size);
  EXPECT_EQ(w.read_file("/f"), text('b'));
  OnePage askew(filled('c'), 0, page_size);
  EXPECT_EQ(*file->splice_write(page_size + 5, page_size, askew), page_size);
  EXPECT_EQ(w.read_file("/f"), text('b') + text('\0', 5) + text('c'));
}

TEST(Splice, APageMadeBehindTheEndIsNotInTheWay) {
  World w;
  auto file = *w.open("/f", open_read_write | open_create);
  ASSERT_TRUE(file->allocate(1, 0, 2 * page_size));  // FALLOC_FL_KEEP_SIZE
  OnePage source(filled('a'), 0, page_size);
  EXPECT_EQ(*file->splice_write(0, page_size, source), page_size);
  EXPECT_EQ(w.read_file("/f"), text('a'));
}
