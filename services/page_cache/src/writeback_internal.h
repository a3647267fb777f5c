// All caches of stores on disk, and those of them with dirty pages.
#pragma once

#include "page_cache/page_cache.h"

namespace page_cache {

class Writeback {
 public:
  static void add(PageCache& cache);
  static void remove(PageCache& cache);
  // Dirty no more, and left alone from here on: returns when nobody writes it back.
  static void detach(PageCache& cache);
  static bool is_listed(const PageCache& cache);
  static void became_dirty(PageCache& cache);
  // Its dirty pages are written; it may have new ones.
  static void became_clean(PageCache& cache);
  // A writer has dirtied pages and waits here when there are too many.
  static void throttle(PageCache& cache);
  static void write_aged(std::uint64_t minimum_age_ns);
  static std::uint64_t reclaim(std::uint64_t wanted);

 private:
  struct Lists;
};

}  // namespace page_cache
