#include "core/memory/page_allocator.h"
#include "core/sync/per_cpu.h"

namespace core {
namespace {

struct Counters {
  std::atomic<long> values[static_cast<unsigned>(MemoryCounter::count)] = {};
};
PER_CPU constinit PerCpu<Counters> counters;

}  // namespace

void count_memory(MemoryCounter counter, long delta) {
  // relaxed: lone statistics. Atomic, because the thread may move between finding the word and adding.
  counters.local_unchecked().values[static_cast<unsigned>(counter)].fetch_add(delta,
                                                                              std::memory_order_relaxed);
}

long memory_counter(MemoryCounter counter) {
  long sum = 0;
  for_each_cpu([&](unsigned cpu) {
    sum += counters.on(cpu).values[static_cast<unsigned>(counter)].load(std::memory_order_relaxed);
  });
  return sum < 0 ? 0 : sum;
}

}  // namespace core
