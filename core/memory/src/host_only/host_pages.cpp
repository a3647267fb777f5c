// Pages for unit tests of what stands on them (page cache, tmpfs): one reserved stretch of memory plays RAM.
// Allocation fails when host_memory_limit_pages are in use, so that tests can run out.
#include <sys/mman.h>

#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "core/memory/host_memory.h"
#include "core/memory/memory_object.h"
#include "core/memory/oom.h"
#include "core/memory/page_allocator.h"
#include "core/memory/swap.h"

namespace core {

std::atomic<std::uint64_t> host_memory_limit_pages{64 * 1024};

namespace {

constexpr std::uint64_t ram_pages = 64 * 1024;  // 256 MiB, touched only where used

struct Ram {
  std::mutex mutex;
  std::vector<std::uint64_t> free;
  std::uint64_t next = 1;
  std::uint64_t used = 0;
  std::atomic<long> counters[static_cast<unsigned>(MemoryCounter::count)] = {};
  std::atomic<std::uint64_t> committed{0};

  Ram() {
    void* memory = mmap(nullptr, ram_pages << page_shift, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    base::verify(memory != MAP_FAILED, "no memory to play RAM");
    direct_map_base = reinterpret_cast<std::uintptr_t>(memory);
    memory_map = static_cast<Page*>(::operator new(ram_pages * sizeof(Page)));
    std::memset(static_cast<void*>(memory_map), 0, ram_pages * sizeof(Page));
    memory_map_end = ram_pages;
  }
};
Ram& ram() {
  static Ram* instance = new Ram;
  return *instance;
}

}  // namespace

Result<Page*> allocate_pages(unsigned order, AllocationFlags flags) {
  base::verify(order == 0, "the host has single pages only");
  Ram& all = ram();
  std::uint64_t number;
  {
    std::lock_guard guard{all.mutex};
    if (all.used >= host_memory_limit_pages.load()) return error(Errno::enomem);
    if (!all.free.empty()) {
      number = all.free.back();
      all.free.pop_back();
    } else if (all.next < ram_pages) {
      number = all.next++;
    } else {
      return error(Errno::enomem);
    }
    ++all.used;
  }
  Page& page = memory_map[number];
  page.reset_flags(0, 0);
  page.mapped = {nullptr, 0};
  page.map_count.store(0);
  page.references.store(1);
  std::memset(data_of<void>(page), has(flags, AllocationFlags::zero) ? 0 : 0xa5, page_size);
  return &page;
}

void free_pages(Page& page, unsigned) {
  Ram& all = ram();
  std::memset(data_of<void>(page), 0x6b, page_size);
  std::lock_guard guard{all.mutex};
  all.free.push_back(number_of(page));
  --all.used;
}

Result<PageRef> allocate_page(AllocationFlags flags) { return PageRef::adopt(TRY(allocate_pages(0, flags))); }

void release_page(Page& page) { release_head_page(*page.head()); }
void release_head_page(Page& page) {
  if (page.references.fetch_sub(1) == 1) free_pages(page, 0);
}

void count_memory(MemoryCounter counter, long delta) {
  ram().counters[static_cast<unsigned>(counter)] += delta;
}
long memory_counter(MemoryCounter counter) { return ram().counters[static_cast<unsigned>(counter)]; }
std::uint64_t host_pages_in_use() {
  std::lock_guard guard{ram().mutex};
  return ram().used;
}

MemoryStatistics memory_statistics() {
  MemoryStatistics result{};
  result.total_pages = host_memory_limit_pages.load();
  result.free_pages = result.available_pages = result.total_pages - host_pages_in_use();
  return result;
}

base::Result<void> charge_commit(std::uint64_t pages) {
  ram().committed += pages;
  return {};
}
void uncharge_commit(std::uint64_t pages) { ram().committed -= pages; }
std::uint64_t committed_pages() { return ram().committed; }

// A swap device: what is there keeps its page, which nobody can find any more.
struct SwapSources {
  std::mutex mutex;
  SwapSource* first = nullptr;
  void add(SwapSource& source) {
    source.next_ = first;
    first = &source;
  }
  void swap_out(SwapOut& out, std::uint64_t wanted) const {
    for (SwapSource* at = first; at; at = at->next_) at->swap_out(out, wanted);
  }
  std::map<std::uint64_t, Page*> slots;
  std::uint64_t next_slot = 1;
};
namespace {
SwapSources& swap() {
  static SwapSources* sources = new SwapSources;
  return *sources;
}
class HostSwapOut final : public SwapOut {
 public:
  bool is_full() const override { return false; }
  SwapEntry take(Page& page) override {
    std::lock_guard guard(swap().mutex);
    SwapEntry entry(0, swap().next_slot++);
    swap().slots[entry.value()] = &page;
    return entry;
  }
};
}  // namespace

void register_swap_source(SwapSource& source) { swap().add(source); }
std::uint64_t host_swap_out(std::uint64_t wanted) {
  HostSwapOut out;
  swap().swap_out(out, wanted);
  return swap().slots.size();
}
Result<PageRef> swap_in(SwapEntry entry) {
  std::lock_guard guard(swap().mutex);
  auto found = swap().slots.find(entry.value());
  if (found == swap().slots.end()) return error(Errno::eagain);
  return PageRef::share(*found->second);
}
bool take_from_swap(SwapEntry entry, Page& page) {
  std::lock_guard guard(swap().mutex);
  // Every fourth page is just being written.
  if (entry.slot() % 4 == 0) return false;
  return swap().slots.erase(entry.value()) == 1 && page.reference_count() > 1;
}
void release_swap(SwapEntry entry) {
  Page* page;
  {
    std::lock_guard guard(swap().mutex);
    page = swap().slots.at(entry.value());
    swap().slots.erase(entry.value());
  }
  release_page(*page);
}
bool is_in_swap_cache(SwapEntry) { return false; }

void register_reclaimer(Reclaimer&) {}
bool is_reclaiming() { return false; }

MemoryObject::~MemoryObject() = default;
void MemoryObject::unmap_range(std::uint64_t, std::uint64_t, PrivateCopies) { invalidations_.fetch_add(1); }
bool MemoryObject::write_protect_page(Page&, std::uint64_t) { return false; }

}  // namespace core
