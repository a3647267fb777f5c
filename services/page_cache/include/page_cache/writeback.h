// What keeps dirty pages from staying in memory for ever: every 5 s those that are older than 30 s are
// written, all of them when they are more than a tenth of memory, and writers write their own file when they
// are more than a fifth. Also the reclaimer for pages of files on disk. Works by itself once the first page
// of a disk has been cached.
#pragma once

#include <cstdint>

#include "page_cache/page_cache.h"

namespace page_cache {

// Writes everything that is dirty now, in the caller's thread (sync(2) before the file systems write their
// own).
void write_back_everything();
// After a write, with no lock held: whoever makes pages dirty faster than they are written waits here.
void throttle_writer(PageCache& cache);
// Gives back up to `wanted` clean pages; how many. Never sleeps for long: what is locked is left alone.
std::uint64_t reclaim_clean_pages(std::uint64_t wanted);

}  // namespace page_cache
