// /sys/devices/system/{cpu,node} and /sys/kernel.
#include "system_files.h"

#include <arch/cpu.h>

#include "core/init/init_step.h"
#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "core/sync/per_cpu.h"
#include "sysfs/sysfs.h"

namespace sysfs {

using base::format;
using base::TextSink;
using core::MemoryCounter;

namespace {

Result<void> show_cpu_list(TextSink& out) {
  unsigned count = arch::cpu_count();
  if (count == 1)
    format(out, "0\n");
  else
    format(out, "0-{}\n", count - 1);
  return {};
}
Result<void> show_cpu_map(TextSink& out) {
  unsigned count = arch::cpu_count();
  for (unsigned word = (count + 31) / 32; word-- > 0;) {
    unsigned here = count - word * 32 < 32 ? count - word * 32 : 32;
    std::uint32_t bits = here == 32 ? ~0u : (1u << here) - 1;
    format(out, "{:08x}{}", bits, word ? "," : "\n");
  }
  return {};
}
Result<void> show_kernel_max(TextSink& out) {
  format(out, "{}\n", arch::max_cpus - 1);
  return {};
}
Result<void> show_empty_line(TextSink& out) {
  format(out, "\n");
  return {};
}
// One node holds all there is.
Result<void> show_zero(TextSink& out) {
  format(out, "0\n");
  return {};
}
Result<void> show_distance(TextSink& out) {
  format(out, "10\n");
  return {};
}

Result<void> show_node_memory(TextSink& out) {
  auto statistics = core::memory_statistics();
  auto line = [&](std::string_view name, std::uint64_t pages) {
    format(out, "Node 0 {:<15} {:>8} kB\n", name, pages * (core::page_size / 1024));
  };
  auto counter = [](MemoryCounter which) {
    long value = core::memory_counter(which);
    return value > 0 ? static_cast<std::uint64_t>(value) : 0;
  };
  line("MemTotal:", statistics.total_pages), line("MemFree:", statistics.free_pages);
  line("MemUsed:", statistics.total_pages - statistics.free_pages);
  line("Dirty:", counter(MemoryCounter::dirty)), line("Writeback:", counter(MemoryCounter::writeback));
  line("FilePages:", counter(MemoryCounter::file_cache)),
      line("Mapped:", counter(MemoryCounter::file_mapped));
  line("AnonPages:", counter(MemoryCounter::anonymous)),
      line("Shmem:", counter(MemoryCounter::shared_memory));
  line("KernelStack:", counter(MemoryCounter::kernel_stacks)),
      line("PageTables:", counter(MemoryCounter::page_tables));
  line("Slab:", counter(MemoryCounter::slab));
  return {};
}

// Where a CPU is: each is a core of its own, all are in one package, as in /proc/cpuinfo.
enum class Topology : std::uint8_t { core_id, package_id, own_map, own_list, package_map, package_list };

class TopologyText final : public pseudo_fs::Text {
 public:
  TopologyText(Topology what, unsigned cpu) : Text(0444), what_(what), cpu_(cpu) {}
  Result<void> show(TextSink& out, const vfs::Credentials&) override {
    switch (what_) {
      case Topology::package_id:
        return show_zero(out);
      case Topology::package_map:
        return show_cpu_map(out);
      case Topology::package_list:
        return show_cpu_list(out);
      case Topology::core_id:
      case Topology::own_list:
        format(out, "{}\n", cpu_);
        return {};
      case Topology::own_map:
        for (unsigned word = (arch::cpu_count() + 31) / 32; word-- > 0;)
          format(out, "{:08x}{}", cpu_ / 32 == word ? 1u << cpu_ % 32 : 0u, word ? "," : "\n");
        return {};
    }
    return {};
  }

 private:
  const Topology what_;
  const unsigned cpu_;
};

Result<void> add_topology(pseudo_fs::StaticDirectory& cpu_directory, unsigned cpu) {
  struct Row {
    std::string_view name;
    Topology what;
  };
  static constexpr Row rows[] = {
      {"core_id", Topology::core_id},           {"physical_package_id", Topology::package_id},
      {"core_cpus", Topology::own_map},         {"core_cpus_list", Topology::own_list},
      {"thread_siblings", Topology::own_map},   {"thread_siblings_list", Topology::own_list},
      {"package_cpus", Topology::package_map},  {"package_cpus_list", Topology::package_list},
      {"core_siblings", Topology::package_map}, {"core_siblings_list", Topology::package_list},
  };
  auto directory = TRY(cpu_directory.directory("topology"));
  for (const Row& row : rows)
    TRY(directory->add(row.name,
                       RefPtr<pseudo_fs::Entry>(TRY(base::try_make_ref<TopologyText>(row.what, cpu)))));
  return {};
}

// The CPUs are known once they run.
Result<void> add_cpus() {
  Result<void> result;
  core::for_each_cpu([&](unsigned cpu) {
    char memory[64];
    base::TextBuffer path(memory);
    format(path, "devices/system/cpu/cpu{}", cpu);
    auto directory = root().directories(path.view());
    if (!directory)
      result = base::error(directory.error());
    else if (auto added = add_topology(**directory, cpu); !added)
      result = added;
    base::TextBuffer link(memory);
    format(link, "devices/system/node/node0/cpu{}", cpu);
    char target_memory[32];
    base::TextBuffer target(target_memory);
    format(target, "../../cpu/cpu{}", cpu);
    if (auto added = add_link(link.view(), target.view()); !added) result = added;
  });
  return result;
}
INIT_STEP cpus_step{"sysfs.cpus", {"sysfs"}, add_cpus, {"personality"}};

}  // namespace

Result<void> add_system_files() {
  for (std::string_view path : {"devices/system/cpu/online", "devices/system/cpu/possible",
                                "devices/system/cpu/present", "devices/system/node/node0/cpulist"})
    TRY(add_text(path, 0444, show_cpu_list));
  TRY(add_text("devices/system/cpu/offline", 0444, show_empty_line));
  TRY(add_text("devices/system/cpu/isolated", 0444, show_empty_line));
  TRY(add_text("devices/system/cpu/kernel_max", 0444, show_kernel_max));
  for (std::string_view path :
       {"devices/system/node/online", "devices/system/node/possible", "devices/system/node/has_cpu",
        "devices/system/node/has_memory", "devices/system/node/has_normal_memory"})
    TRY(add_text(path, 0444, show_zero));
  TRY(add_text("devices/system/node/node0/cpumap", 0444, show_cpu_map));
  TRY(add_text("devices/system/node/node0/distance", 0444, show_distance));
  TRY(add_text("devices/system/node/node0/meminfo", 0444, show_node_memory));
  TRY(add_constant("kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n"));
  TRY(add_constant("kernel/uevent_seqnum", "0\n"));
  return {};
}

}  // namespace sysfs
