// Moving pages by reference: between a page cache, pipes and files (splice, sendfile).
//
// The functions that hand pages to a sink hold no lock meanwhile, so that a sink may sleep; it runs in the
// caller's thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/memory/page.h"

namespace core {

class PageSink {
 public:
  // Takes bytes [offset, offset + length) of a page; how many of them: fewer ends the transfer. The page may
  // be somebody else's too: it is only read.
  virtual std::size_t take(PageRef page, std::uint32_t offset, std::uint32_t length) = 0;

 protected:
  ~PageSink() = default;
};

class PageSource {
 public:
  struct Piece {
    PageRef page;
    std::uint32_t offset = 0, length = 0;
  };
  // The next piece; an empty reference at the end.
  virtual Piece next() = 0;

 protected:
  ~PageSource() = default;
};

}  // namespace core
