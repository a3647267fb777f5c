// What the files of the benchmark share: how a row is measured and how a failure ends the run.
//
// Everything runs in one thread unless a row says otherwise; a row leaves no descriptors, children or files
// behind.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "ticks.h"

namespace benchmark {

constexpr size_t page_size = 4096;

// Prints the reason with errno's text and switches the machine off: a figure after a failure would be none.
[[noreturn]] void fail(const char* what);

inline void require(bool condition, const char* what) {
  if (!condition) fail(what);
}

// One line for a row: `ticks_per_operation` in the cheapest batch; `operations` happened between the two
// marks.
void print_row(const char* name, const char* title, uint64_t ticks_per_operation, int operations);

// Runs `batch`, which does `count` operations, several times, and prints the cost of one in the cheapest
// batch. `name` is what `./nos bench --profile` calls the row, `title` what the table says.
template <typename Batch>
void measure(const char* name, const char* title, int count, Batch batch) {
  constexpr int batches = 7;
  batch(count / 4 + 1);  // caches and lazily made structures
  uint64_t best = UINT64_MAX;
  mark();
  for (int i = 0; i < batches; i++) {
    uint64_t start = ticks();
    batch(count);
    uint64_t spent = ticks() - start;
    if (spent < best) best = spent;
  }
  mark();
  print_row(name, title, best / static_cast<uint64_t>(count), count * batches);
}

// What follows measures the same things somewhere else: `prefix` stands before the names of rows, `suffix`
// behind their titles. Both must live on.
void distinguish_rows(const char* prefix, const char* suffix);

// The groups of rows, a file each.
void measure_calls();
void measure_files();
void measure_transfers();
void measure_round_trips();
void measure_processes();
void measure_memory();
void measure_signals();
void measure_waiting();
void measure_rings();
// Instead of all the others, when the first argument says "sizes": in bytes, in a kernel that has done
// nothing yet.
void measure_sizes();
// The rows of files again, for "ext4": on a loop device over /ext4.image.
void measure_ext4();
// The same for "scaling": by the clock, on several CPUs. "scaling-counted": where the clock counts
// instructions, and a quarter of the time says the same.
void measure_scaling();
void measure_counted_scaling();

}  // namespace benchmark
