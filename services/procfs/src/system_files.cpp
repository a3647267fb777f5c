// cmdline, filesystems, devices, interrupts, uptime, cpuinfo, consoles, locks, and links.
#include <arch/cpu.h>
#include <arch/linux_cpuinfo.h>

#include "core/init/command_line.h"
#include "core/init/symbols.h"
#include "core/interrupt/interrupt.h"
#include "core/sched/scheduler.h"
#include "core/sync/per_cpu.h"
#include "core/time/clock.h"
#include "procfs/procfs.h"
#include "procfs_files.h"
#include "vfs/credentials.h"
#include "vfs/device.h"
#include "vfs/locks.h"
#include "vfs/operations.h"

namespace procfs {

using base::format;

namespace {

Result<void> show_cmdline(base::TextSink& out) {
  format(out, "{}\n", core::command_line().text());
  return {};
}

Result<void> show_filesystems(base::TextSink& out) {
  vfs::for_each_file_system([&](const vfs::FileSystemType& type) {
    format(out, "{}\t{}\n", type.needs_device() ? "" : "nodev", type.name());
  });
  return {};
}

Result<void> show_devices(base::TextSink& out) {
  auto list = [&](vfs::DeviceKind kind) {
    vfs::for_each_device_major(
        kind, [&](std::uint32_t major, std::string_view name) { format(out, "{:>3} {}\n", major, name); });
  };
  format(out, "Character devices:\n");
  list(vfs::DeviceKind::character);
  format(out, "\nBlock devices:\n");
  list(vfs::DeviceKind::block);
  return {};
}

// Interrupts are handled by threads here: of Linux's soft interrupts there never is one.
Result<void> show_soft_interrupts(base::TextSink& out) {
  static constexpr std::string_view kinds[] = {"HI",       "TIMER",   "NET_TX", "NET_RX",  "BLOCK",
                                               "IRQ_POLL", "TASKLET", "SCHED",  "HRTIMER", "RCU"};
  format(out, "                    ");
  core::for_each_cpu([&](unsigned cpu) { format(out, "CPU{:<8}", cpu); });
  for (std::string_view kind : kinds) {
    format(out, "\n{:>12}:", kind);
    core::for_each_cpu([&](unsigned) { format(out, " {:>10}", 0); });
  }
  format(out, "\n");
  return {};
}

Result<void> show_interrupts(base::TextSink& out) {
  format(out, "    ");
  core::for_each_cpu([&](unsigned cpu) { format(out, "       CPU{:<4}", cpu); });
  format(out, "\n");
  core::InterruptInformation information;
  for (unsigned number = 0; core::next_interrupt(number, information); number = information.number + 1) {
    format(out, "{:>3}:", information.number);
    core::for_each_cpu(
        [&](unsigned cpu) { format(out, " {:>10}", core::interrupt_count(information.number, cpu)); });
    format(out, "  {} {:>4}-{}  {}\n", std::string_view(information.controller ? information.controller : ""),
           information.hardware_number, information.level_triggered ? "fasteoi" : "edge",
           std::string_view(information.handlers));
  }
  return {};
}

Result<void> show_uptime(base::TextSink& out) {
  std::uint64_t idle = 0;
  core::for_each_cpu([&](unsigned cpu) { idle += core::cpu_statistics(cpu).idle_ns; });
  auto put = [&](std::uint64_t ns, std::string_view end) {
    std::uint64_t hundredths = ns / 10'000'000;
    format(out, "{}.{:02}{}", hundredths / 100, hundredths % 100, end);
  };
  put(core::boot_ns(), " ");
  put(idle, "\n");
  return {};
}

Result<void> show_cpuinfo(base::TextSink& out) {
  core::for_each_cpu([&](unsigned cpu) { arch::describe_linux_cpu(out, cpu); });
  return {};
}

Result<void> show_locks(base::TextSink& out) {
  unsigned number = 0;
  vfs::for_each_lock([&](const vfs::LockRange& lock, vfs::Inode& inode, bool blocked) {
    static constexpr const char* kinds[] = {"POSIX ", "OFDLCK", "FLOCK "};
    vfs::DeviceNumber device = inode.file_system().device();
    if (!blocked) ++number;
    format(out, "{}: {}{}  ADVISORY  {} {} {:02x}:{:02x}:{} {} ", number, blocked ? "-> " : "",
           kinds[static_cast<unsigned>(lock.kind)], lock.type == vfs::LockType::write ? "WRITE" : "READ ",
           lock.process_id, device.major, device.minor, inode.number(), lock.start);
    if (lock.end >= static_cast<std::uint64_t>(INT64_MAX))
      format(out, "EOF\n");
    else
      format(out, "{}\n", lock.end);
  });
  return {};
}

// Where the kernel's functions are: zeros for whoever may not know.
class KernelSymbols final : public pseudo_fs::Text {
 public:
  KernelSymbols() : Text(0444) {}
  Result<void> show(base::TextSink& out, const vfs::Credentials& credentials) override {
    bool allowed = credentials.can(vfs::Capability::syslog);
    for (std::size_t i = 0; i < core::symbol_count(); ++i) {
      char memory[256];
      base::TextBuffer name{memory};
      std::uintptr_t address = core::symbol_at(i, name);
      format(out, "{:016x} T {}\n", allowed ? address : 0, name.view());
    }
    return {};
  }
};

// What there is none of.
Result<void> show_nothing(base::TextSink&) { return {}; }

}  // namespace

Result<void> add_system_files() {
  TRY(add_text("cmdline", 0444, show_cmdline));
  TRY(add_text("filesystems", 0444, show_filesystems));
  TRY(add_text("devices", 0444, show_devices));
  TRY(add_text("interrupts", 0444, show_interrupts));
  TRY(add_text("softirqs", 0444, show_soft_interrupts));
  TRY(add_text("uptime", 0444, show_uptime));
  TRY(add_text("cpuinfo", 0444, show_cpuinfo));
  TRY(add_text("locks", 0444, show_locks));
  TRY(add_text("modules", 0444, show_nothing));
  TRY(add("kallsyms", TRY(base::try_make_ref<KernelSymbols>())));
  TRY(add("mounts", TRY(pseudo_fs::make_link("self/mounts"))));
  TRY(add("net", TRY(pseudo_fs::make_link("self/net"))));
  TRY(root_directory().directories("tty"));
  return {};
}

}  // namespace procfs
