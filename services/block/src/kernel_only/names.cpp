// /dev, /sys/block, /sys/class/block, /proc/diskstats, /proc/partitions.
#include "names.h"

#include "block/ram_disk.h"
#include "block_file.h"
#include "core/init/command_line.h"
#include "core/init/init_step.h"
#include "core/log/log.h"
#include "core/time/clock.h"
#include "procfs/procfs.h"
#include "sysfs/sysfs.h"
#include "vfs/operations.h"

namespace block {

namespace {

using base::format;

std::uint64_t ms(std::uint64_t ns) { return ns / core::ns_per_ms; }
std::uint64_t value(const std::atomic<std::uint64_t>& counter) {
  return counter.load(std::memory_order_relaxed);
}

// Documentation/ABI of both files: reads, merged, sectors, ms; the same for writes; in flight, busy ms,
// weighted ms; discards; flushes.
void put_statistics(base::TextSink& out, Volume& volume) {
  Statistics& s = volume.statistics;
  std::uint32_t in_flight = s.in_flight.load(std::memory_order_relaxed);
  std::uint64_t busy = value(s.busy_ns), all = value(s.reads.nanoseconds) + value(s.writes.nanoseconds) +
                                               value(s.discards.nanoseconds) + value(s.flushes.nanoseconds);
  if (in_flight) busy += core::monotonic_ns() - value(s.busy_since_ns);
  for (const Statistics::Kind* kind : {&s.reads, &s.writes})
    format(out, "{} {} {} {} ", value(kind->operations), value(kind->merged), value(kind->sectors),
           ms(value(kind->nanoseconds)));
  format(out, "{} {} {} ", in_flight, ms(busy), ms(all));
  format(out, "{} {} {} {} ", value(s.discards.operations), value(s.discards.merged),
         value(s.discards.sectors), ms(value(s.discards.nanoseconds)));
  format(out, "{} {}\n", value(s.flushes.operations), ms(value(s.flushes.nanoseconds)));
}

Result<void> show_disk_statistics(base::TextSink& out) {
  for_each_volume([&](Volume& volume) {
    format(out, "{:>4} {:>7} {} ", volume.device().major, volume.device().minor, volume.name());
    put_statistics(out, volume);
  });
  return {};
}

Result<void> show_partitions(base::TextSink& out) {
  format(out, "major minor  #blocks  name\n\n");
  for_each_volume([&](Volume& volume) {
    format(out, "{:>4}  {:>7} {:>10} {}\n", volume.device().major, volume.device().minor,
           volume.sectors() / 2, volume.name());
  });
  return {};
}

// An attribute that looks at its volume when it is read.
class Attribute final : public pseudo_fs::Text {
 public:
  using Show = void (*)(base::TextSink&, Volume&);
  Attribute(vfs::DeviceNumber device, Show show) : Text(0444), device_(device), show_(show) {}
  Result<void> show(base::TextSink& out, const vfs::Credentials&) override {
    auto volume = TRY(find_volume(device_));
    show_(out, *volume);
    return {};
  }

 private:
  vfs::DeviceNumber device_;
  Show show_;
};

struct Row {
  const char* name;
  Attribute::Show show;
  bool partitions;  // whether they have it too
};
constexpr Row rows[] = {
    {"size", [](base::TextSink& out, Volume& v) { format(out, "{}\n", v.sectors()); }, true},
    {"start", [](base::TextSink& out, Volume& v) { format(out, "{}\n", v.start()); }, true},
    {"partition", [](base::TextSink& out, Volume& v) { format(out, "{}\n", v.number()); }, true},
    {"ro", [](base::TextSink& out, Volume& v) { format(out, "{}\n", v.is_read_only() ? 1 : 0); }, true},
    {"stat", put_statistics, true},
    {"inflight",
     [](base::TextSink& out, Volume& v) {
       format(out, "{:>8} {:>8}\n", v.statistics.in_flight.load(std::memory_order_relaxed), 0);
     },
     true},
    {"removable",
     [](base::TextSink& out, Volume& v) { format(out, "{}\n", v.disk().limits().removable ? 1 : 0); }, false},
    {"serial", [](base::TextSink& out, Volume& v) { format(out, "{}\n", v.disk().serial()); }, false},
    {"queue/logical_block_size",
     [](base::TextSink& out, Volume& v) { format(out, "{}\n", v.disk().limits().logical_block); }, false},
    {"queue/hw_sector_size",
     [](base::TextSink& out, Volume& v) { format(out, "{}\n", v.disk().limits().logical_block); }, false},
    {"queue/physical_block_size",
     [](base::TextSink& out, Volume& v) { format(out, "{}\n", v.disk().limits().physical_block); }, false},
    {"queue/minimum_io_size",
     [](base::TextSink& out, Volume& v) { format(out, "{}\n", v.disk().limits().physical_block); }, false},
    {"queue/rotational",
     [](base::TextSink& out, Volume& v) { format(out, "{}\n", v.disk().limits().rotational ? 1 : 0); },
     false},
    {"queue/nr_requests",
     [](base::TextSink& out, Volume& v) { format(out, "{}\n", v.disk().limits().queue_depth); }, false},
    {"queue/max_sectors_kb",
     [](base::TextSink& out, Volume& v) { format(out, "{}\n", v.disk().limits().request_bytes_max / 1024); },
     false},
    {"queue/max_segments",
     [](base::TextSink& out, Volume& v) { format(out, "{}\n", v.disk().limits().segments_max); }, false},
    {"queue/discard_max_bytes",
     [](base::TextSink& out, Volume& v) {
       format(out, "{}\n", v.disk().limits().discard_sectors_max * sector_size);
     },
     false},
    {"queue/write_zeroes_max_bytes",
     [](base::TextSink& out, Volume& v) {
       format(out, "{}\n", v.disk().limits().write_zeroes_sectors_max * sector_size);
     },
     false},
    {"queue/write_cache",
     [](base::TextSink& out, Volume& v) {
       format(out, "{}\n", v.disk().limits().volatile_cache ? "write back" : "write through");
     },
     false},
    {"queue/fua",
     [](base::TextSink& out, Volume& v) { format(out, "{}\n", v.disk().limits().force_unit_access ? 1 : 0); },
     false},
    {"queue/scheduler", [](base::TextSink& out, Volume&) { format(out, "[deadline]\n"); }, false},
};

struct PathText {
  char memory[160];
  base::TextBuffer text{memory};
};

Result<void> add_attributes(Volume& volume, pseudo_fs::StaticDirectory& directory) {
  bool is_partition = volume.number() != 0;
  for (const Row& row : rows) {
    std::string_view name = row.name;
    bool only_partition = name == "start" || name == "partition";
    if (is_partition ? !row.partitions : only_partition) continue;
    RefPtr<pseudo_fs::StaticDirectory> place(&directory);
    if (std::size_t slash = name.find('/'); slash != std::string_view::npos) {
      place = TRY(directory.directories(name.substr(0, slash)));
      name.remove_prefix(slash + 1);
    }
    TRY(place->add(name, TRY(base::try_make_ref<Attribute>(volume.device(), row.show))));
  }
  return {};
}

sysfs::Device sysfs_device(Volume& volume, PathText& parent) {
  // Partitions lie in the directory of their disk: parent/SUBSYSTEM/NAME is how sysfs builds paths.
  format(parent.text, "virtual");
  return {.subsystem = "block",
          .name = volume.name(),
          .kind = vfs::DeviceKind::block,
          .number = volume.device(),
          .parent = parent.text.view()};
}

}  // namespace

Result<void> publish_names(Volume& volume) {
  TRY(vfs::create_device_node(volume.name(), vfs::mode_block | 0660, volume.device(), 0, 6));
  PathText parent;
  sysfs::Device device = sysfs_device(volume, parent);
  auto directory = TRY(sysfs::add_device(device));
  TRY(add_attributes(volume, *directory));
  if (volume.number() == 0) {
    PathText path, target;
    format(path.text, "block/{}", volume.name());
    format(target.text, "../devices/virtual/block/{}", volume.name());
    TRY(sysfs::add_link(path.text.view(), target.text.view()));
  } else {
    // lsblk and friends look for NAME/NAMEn below the disk.
    PathText path, target;
    format(path.text, "devices/virtual/block/{}/{}", volume.disk().name(), volume.name());
    format(target.text, "../{}", volume.name());
    TRY(sysfs::add_link(path.text.view(), target.text.view()));
  }
  return {};
}

void withdraw_names(Volume& volume) {
  vfs::remove_device_node(volume.name());
  PathText parent;
  sysfs::remove_device(sysfs_device(volume, parent));
  PathText path;
  if (volume.number() == 0) {
    if (auto directory = sysfs::root().directories("block")) (*directory)->remove(volume.name());
  } else {
    format(path.text, "devices/virtual/block/{}", volume.disk().name());
    if (auto directory = sysfs::root().directories(path.text.view())) (*directory)->remove(volume.name());
  }
}

namespace {

// What programs wrote to /dev/… themselves.
void sync_devices() {
  base::Vector<RefPtr<Volume>> dirty;
  for_each_volume([&](Volume& volume) {
    if (!volume.is_read_only() && volume.cache().has_dirty_pages())
      (void)dirty.try_push_back(RefPtr<Volume>(&volume));  // without memory: it is written when it is old
  });
  for (auto& volume : dirty) (void)!volume->sync();  // recorded for those who have it open
}

// Every number may be a disk's: the registry of volumes knows better than a list of majors.
Result<void> start_block() {
  vfs::set_sync_devices_hook(sync_devices);
  for (std::uint32_t major : {1u, 7u, 254u, 259u}) {
    const char* name = major == 1 ? "ramdisk" : major == 7 ? "loop" : major == 254 ? "virtblk" : "blkext";
    TRY(vfs::register_devices(vfs::DeviceKind::block, {major, 0}, 1u << 20, block_devices(), name));
  }
  TRY(procfs::add_text("diskstats", 0444, show_disk_statistics));
  TRY(procfs::add_text("partitions", 0444, show_partitions));
  // brd.rd_nr=N, brd.rd_size=KiB: disks in memory, as Linux's brd makes them.
  std::uint64_t count = core::command_line().get_number("brd.rd_nr").value_or(0);
  std::uint64_t kib = core::command_line().get_number("brd.rd_size").value_or(4096);
  for (std::uint64_t i = 0; i < count && i < 16; ++i) {
    PathText name;
    format(name.text, "ram{}", i);
    TRY(RamDisk::create(name.text.view(), {1, static_cast<std::uint32_t>(i * 16)}, 16, kib << 10));
  }
  return {};
}
INIT_STEP block_step{"block", {"sysfs", "procfs", "vfs.root"}, start_block, {"vfs"}};

}  // namespace

}  // namespace block
