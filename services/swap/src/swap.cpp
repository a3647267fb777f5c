#include "swap/swap.h"

#include "area.h"
#include "base/format.h"
#include "core/init/init_step.h"
#include "core/log/log.h"
#include "core/sync/mutex.h"
#include "procfs/procfs.h"

namespace swap {

using base::Errno;
using base::error;
using base::format;

namespace {

using Areas = base::IntrusiveList<Area, &Area::hook>;
// The list, and one swapon or swapoff at a time.
[[clang::no_destroy]] constinit core::Mutex mutex{"swap areas"};
[[clang::no_destroy]] constinit Areas areas GUARDED_BY(mutex);
// The next priority of who asks for none: each area after those before it.
constinit int least_priority GUARDED_BY(mutex) = -1;

Result<void> show_areas(base::TextSink& out) {
  core::MutexGuard guard{mutex};
  format(out, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
  for (Area& area : areas) {
    char memory[256];
    base::TextBuffer name(memory);
    area.file().put_path(name);
    auto state = area.state();
    constexpr std::uint64_t kib = core::page_size / 1024;
    format(out, "{:<40}{}\t{}{}\t{}{}\t{}\n", name.view(), area.is_partition() ? "partition" : "file\t",
           state.total_pages * kib, state.total_pages * kib < 10'000'000 ? "\t" : "", state.used_pages * kib,
           state.used_pages * kib < 10'000'000 ? "\t" : "", state.priority);
  }
  return {};
}

template <std::atomic<std::uint32_t>& knob>
Result<void> show_knob(base::TextSink& out) {
  format(out, "{}\n", knob.load(std::memory_order_relaxed));
  return {};
}

template <std::atomic<std::uint32_t>& knob, std::uint32_t largest>
Result<void> store_knob(std::string_view text) {
  std::int64_t value = TRY(procfs::parse_number(text));
  if (value < 0 || value > largest) return error(Errno::einval);
  knob.store(static_cast<std::uint32_t>(value), std::memory_order_relaxed);
  return {};
}

Result<void> start_swap() {
  TRY(procfs::add_text("swaps", 0444, show_areas));
  TRY(procfs::add_text("sys/vm/swappiness", 0644, show_knob<core::swappiness>,
                       store_knob<core::swappiness, 200>));
  return procfs::add_text("sys/vm/page-cluster", 0644, show_knob<core::swap_read_ahead_order>,
                          store_knob<core::swap_read_ahead_order, 31>);
}
INIT_STEP swap_step{"swap", {"procfs"}, start_swap, {"vfs"}};

}  // namespace

Result<void> enable(base::RefPtr<vfs::File> file, unsigned flags) {
  core::MutexGuard guard{mutex};
  for (Area& area : areas)
    if (&area.inode() == &file->inode()) return error(Errno::ebusy);
  auto area = TRY(Area::create(std::move(file), flags));
  bool chosen = flags & prefer;
  TRY(area->start(chosen ? static_cast<int>(flags & priority_mask) : least_priority - 1));
  if (!chosen) --least_priority;
  core::log(core::LogLevel::info, "swap: {} KiB added", area->state().total_pages * (core::page_size / 1024));
  areas.push_back(*area.release());
  return {};
}

Result<void> disable(const vfs::Inode& inode) {
  core::MutexGuard guard{mutex};
  Area* found = nullptr;
  for (Area& area : areas)
    if (&area.inode() == &inode ||
        (area.is_partition() && (inode.mode() & vfs::mode_type_mask) == vfs::mode_block &&
         area.inode().device() == inode.device()))
      found = &area;
  if (!found) return error(Errno::einval);
  TRY(found->stop());
  areas.remove(*found);
  delete found;
  return {};
}

}  // namespace swap
