// Moving pages by reference between a file and a pipe or socket (splice, sendfile).
#pragma once

#include <cstdint>

#include "core/memory/page.h"

namespace vfs {

class PageSink {
 public:
  // Takes bytes [offset, offset + length) of a page; how many of them: fewer ends the transfer.
  virtual std::size_t take(core::PageRef page, std::uint32_t offset, std::uint32_t length) = 0;

 protected:
  ~PageSink() = default;
};

class PageSource {
 public:
  struct Piece {
    core::PageRef page;
    std::uint32_t offset = 0, length = 0;
  };
  // The next piece; an empty reference at the end.
  virtual Piece next() = 0;

 protected:
  ~PageSource() = default;
};

}  // namespace vfs
