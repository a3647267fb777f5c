// slab/CACHE/alloc_traces: who allocated the objects of a cache that live (core/memory/slab_traces.h). The
// place and the form are Linux's; ages, tasks and CPUs are not known. Debug builds only.
#include <optional>

#include "core/init/init_step.h"
#include "core/init/symbols.h"
#include "core/memory/slab.h"
#include "core/memory/slab_traces.h"
#include "debugfs/debugfs.h"

namespace debugfs {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;
using pseudo_fs::Entry;

namespace {

class AllocationTraces final : public pseudo_fs::Text {
 public:
  explicit AllocationTraces(std::uint32_t cache) : Text(0400), cache_(cache) {}
  // A line with the number of objects, then the call path, innermost function first.
  Result<void> show(base::TextSink& out, const vfs::Credentials&) override {
    core::for_each_slab_trace(cache_, [&](const core::SlabTrace& trace) {
      base::format(out, "{:>7} {}\n", trace.live_objects, trace.addresses.empty() ? "unknown" : "from");
      for (std::uintptr_t address : trace.addresses) {
        base::format(out, "        ");
        // A return address may be the first byte of the next function when the call does not return.
        core::print_symbol(out, address - 1);
        base::format(out, "\n");
      }
    });
    return {};
  }

 private:
  std::uint32_t cache_;
};

constexpr std::string_view traces_name = "alloc_traces";

class CacheDirectory final : public pseudo_fs::Directory {
 public:
  explicit CacheDirectory(std::uint32_t cache) : cache_(cache) {}
  Result<RefPtr<Entry>> find(std::string_view name) override {
    if (name != traces_name) return error(Errno::enoent);
    return RefPtr<Entry>(TRY(base::try_make_ref<AllocationTraces>(cache_)));
  }
  Result<void> list(std::uint64_t position, pseudo_fs::ListSink& sink) override {
    if (position <= first_position)
      sink.entry(traces_name, number(), vfs::directory_entry_type(vfs::mode_regular), first_position);
    return {};
  }

 private:
  std::uint32_t cache_;
};

// A directory for each cache that was ever used.
class CachesDirectory final : public pseudo_fs::Directory {
 public:
  Result<RefPtr<Entry>> find(std::string_view name) override {
    std::uint32_t id = 0, found = 0;
    core::for_each_slab_cache([&](const core::SlabStatistics& cache) {
      ++id;
      if (name == cache.name) found = id;
    });
    if (!found) return error(Errno::enoent);
    return RefPtr<Entry>(TRY(base::try_make_ref<CacheDirectory>(found)));
  }
  Result<void> list(std::uint64_t position, pseudo_fs::ListSink& sink) override {
    bool full = false;
    std::uint64_t place = first_position - 1;
    core::for_each_slab_cache([&](const core::SlabStatistics& cache) {
      ++place;
      if (full || place < position) return;
      full = sink.entry(cache.name, number(), vfs::directory_entry_type(vfs::mode_directory), place) ==
             vfs::SinkState::full;
    });
    return {};
  }
};

Result<void> add_slab_files() {
  if constexpr (core::slab_traces_build) return add("slab", TRY(base::try_make_ref<CachesDirectory>()));
  return {};
}
INIT_STEP slab_step{"debugfs.slab", {"debugfs"}, add_slab_files, {"vfs"}};

}  // namespace
}  // namespace debugfs
