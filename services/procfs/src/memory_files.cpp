// meminfo, vmstat, buddyinfo, zoneinfo, slabinfo.
#include "core/memory/oom.h"
#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "core/memory/slab_traces.h"
#include "core/memory/swap.h"
#include "procfs/procfs.h"
#include "procfs_files.h"

namespace procfs {

using base::format;
using core::MemoryCounter;

namespace {

std::uint64_t pages(MemoryCounter counter) {
  long value = core::memory_counter(counter);
  return value > 0 ? static_cast<std::uint64_t>(value) : 0;
}
std::uint64_t kib(std::uint64_t count) { return count * (core::page_size / 1024); }
std::uint64_t kib(MemoryCounter counter) { return kib(pages(counter)); }

void line(base::TextSink& out, std::string_view name, std::uint64_t value) {
  // "MemTotal:       16384 kB": the number ends in column 24.
  char label[24];
  base::TextBuffer text(label);
  format(text, "{}:", name);
  char number[24];
  base::TextBuffer digits(number);
  format(digits, "{}", value);
  std::size_t used = text.view().size() + digits.view().size();
  format(out, "{}", text.view());
  for (std::size_t i = used; i < 24; ++i) out.put(" ");
  format(out, "{} kB\n", digits.view());
}

// The lines of Linux in its order, as programs read them. There is no huge page and no list of
// active and inactive pages: what is mapped by name or not at all counts as active.
Result<void> show_meminfo(base::TextSink& out) {
  auto statistics = core::memory_statistics();
  auto swap = core::swap_statistics();
  std::uint64_t cached = pages(MemoryCounter::file_cache), shared = pages(MemoryCounter::shared_memory);
  std::uint64_t files = cached > shared ? cached - shared : 0;
  std::uint64_t anonymous = pages(MemoryCounter::anonymous) + shared;
  std::uint64_t locked = pages(MemoryCounter::locked);
  line(out, "MemTotal", kib(statistics.total_pages));
  line(out, "MemFree", kib(statistics.free_pages));
  line(out, "MemAvailable", kib(statistics.available_pages));
  line(out, "Buffers", 0);
  line(out, "Cached", kib(cached));
  line(out, "SwapCached", kib(swap.cached_pages));
  line(out, "Active", kib(anonymous + files));
  line(out, "Inactive", 0);
  line(out, "Active(anon)", kib(anonymous));
  line(out, "Inactive(anon)", 0);
  line(out, "Active(file)", kib(files));
  line(out, "Inactive(file)", 0);
  line(out, "Unevictable", kib(locked));
  line(out, "Mlocked", kib(locked));
  line(out, "SwapTotal", kib(swap.total_pages));
  line(out, "SwapFree", kib(swap.free_pages));
  line(out, "Dirty", kib(MemoryCounter::dirty));
  line(out, "Writeback", kib(MemoryCounter::writeback));
  line(out, "AnonPages", kib(MemoryCounter::anonymous));
  line(out, "Mapped", kib(MemoryCounter::file_mapped));
  line(out, "Shmem", kib(shared));
  line(out, "KReclaimable", 0);
  line(out, "Slab", kib(MemoryCounter::slab));
  line(out, "SReclaimable", 0);
  line(out, "SUnreclaim", kib(MemoryCounter::slab));
  line(out, "KernelStack", kib(MemoryCounter::kernel_stacks));
  line(out, "PageTables", kib(MemoryCounter::page_tables));
  line(out, "NFS_Unstable", 0);
  line(out, "Bounce", 0);
  line(out, "WritebackTmp", 0);
  line(out, "CommitLimit", kib(core::commit_limit_pages()));
  line(out, "Committed_AS", kib(core::committed_pages()));
  line(out, "VmallocUsed", kib(MemoryCounter::virtual_mappings));
  line(out, "VmallocChunk", 0);
  return {};
}

Result<void> show_vmstat(base::TextSink& out) {
  auto statistics = core::memory_statistics();
  auto put = [&](std::string_view name, std::uint64_t value) { format(out, "{} {}\n", name, value); };
  put("nr_free_pages", statistics.free_pages);
  put("nr_anon_pages", pages(MemoryCounter::anonymous));
  put("nr_mapped", pages(MemoryCounter::file_mapped));
  put("nr_file_pages", pages(MemoryCounter::file_cache));
  put("nr_dirty", pages(MemoryCounter::dirty));
  put("nr_writeback", pages(MemoryCounter::writeback));
  put("nr_shmem", pages(MemoryCounter::shared_memory));
  put("nr_slab_unreclaimable", pages(MemoryCounter::slab));
  put("nr_page_table_pages", pages(MemoryCounter::page_tables));
  put("nr_kernel_stack", kib(MemoryCounter::kernel_stacks));
  put("nr_mlock", pages(MemoryCounter::locked));
  put("pgpgin", 0);
  put("pgpgout", 0);
  auto swap = core::swap_statistics();
  put("pswpin", swap.pages_in);
  put("pswpout", swap.pages_out);
  put("pgalloc_normal", pages(MemoryCounter::pages_allocated));
  put("pgfree", pages(MemoryCounter::pages_freed));
  put("pgfault", pages(MemoryCounter::faults));
  put("pgmajfault", pages(MemoryCounter::major_faults));
  put("oom_kill", pages(MemoryCounter::out_of_memory_kills));
  return {};
}

constexpr const char* zone_names[2] = {"DMA32", "Normal"};

Result<void> show_buddyinfo(base::TextSink& out) {
  auto statistics = core::memory_statistics();
  for (unsigned zone = 0; zone < 2; ++zone) {
    format(out, "Node 0, zone {:>8}", zone_names[zone]);
    for (unsigned order = 0; order <= core::max_page_order; ++order)
      format(out, " {:>6}", statistics.free_blocks[zone][order]);
    format(out, "\n");
  }
  return {};
}

Result<void> show_zoneinfo(base::TextSink& out) {
  auto statistics = core::memory_statistics();
  for (unsigned zone = 0; zone < 2; ++zone) {
    std::uint64_t free = 0;
    for (unsigned order = 0; order <= core::max_page_order; ++order)
      free += statistics.free_blocks[zone][order] << order;
    format(out, "Node 0, zone {:>8}\n  pages free     {}\n", zone_names[zone], free);
  }
  return {};
}

Result<void> show_slabinfo(base::TextSink& out) {
  format(
      out,
      "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab> "
      "<pagesperslab> : "
      "tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
  std::uint32_t id = 0;
  core::for_each_slab_cache([&](const core::SlabStatistics& slab) {
    ++id;
    std::uint64_t active = core::slab_traces_build ? core::slab_live_objects(id) : slab.active_objects;
    format(out,
           "{:<17} {:>6} {:>6} {:>6} {:>4} {:>4} : tunables    0    0    0 : slabdata {:>6} {:>6}      0\n",
           std::string_view(slab.name), active, slab.total_objects, slab.slot_size, slab.objects_per_slab,
           slab.pages_per_slab, slab.slabs, slab.slabs);
  });
  return {};
}

}  // namespace

Result<void> add_memory_files() {
  TRY(add_text("meminfo", 0444, show_meminfo));
  TRY(add_text("vmstat", 0444, show_vmstat));
  TRY(add_text("buddyinfo", 0444, show_buddyinfo));
  TRY(add_text("zoneinfo", 0444, show_zoneinfo));
  return add_text("slabinfo", 0400, show_slabinfo);
}

}  // namespace procfs
