// All caches whose pages may lie on a swap device: files of tmpfs.
#pragma once

#include "page_cache/page_cache.h"

namespace page_cache {

class SwappableCaches {
 public:
  static void add(PageCache& cache);
  static void remove(PageCache& cache);

 private:
  class Source;
  struct Lists;
};

}  // namespace page_cache
