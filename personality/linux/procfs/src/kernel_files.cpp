// version, loadavg, stat, sys/kernel/*: what needs the processes or the kernel's names.
#include <arch/linux_abi.h>

#include "core/init/panic.h"
#include "core/interrupt/interrupt.h"
#include "core/log/console.h"
#include "core/sched/parameters.h"
#include "core/sched/scheduler.h"
#include "core/sync/per_cpu.h"
#include "core/time/clock.h"
#include "linux_abi/system_names.h"
#include "linux_abi/vdso.h"
#include "procfs/procfs.h"
#include "subject.h"

namespace linux_procfs {

namespace {

Result<void> show_version(TextSink& out) {
  linux_abi::Utsname names = linux_abi::system_names();
  format(out, "{} version {} (clang) {}\n", std::string_view(names.system_name),
         std::string_view(names.release), std::string_view(names.version));
  return {};
}

Result<void> show_loadavg(TextSink& out) {
  core::LoadAverage load = core::load_average();
  for (std::uint64_t value : load.average) {
    constexpr std::uint64_t one = 1u << core::LoadAverage::fraction_bits;
    format(out, "{}.{:02} ", value / one, value % one * 100 / one);
  }
  format(out, "{}/{} {}\n", core::runnable_threads(), linux_abi::thread_total(),
         linux_abi::Pid::last_allocated());
  return {};
}

std::uint64_t ticks(std::uint64_t ns) { return ns / 10'000'000; }

Result<void> show_stat(TextSink& out) {
  core::CpuStatistics total;
  auto line = [&](const core::CpuStatistics& s) {
    format(out, " {} {} {} {} 0 {} 0 0 0 0\n", ticks(s.user_ns), ticks(s.nice_ns), ticks(s.system_ns),
           ticks(s.idle_ns), ticks(s.interrupt_ns));
  };
  core::for_each_cpu([&](unsigned cpu) {
    auto s = core::cpu_statistics(cpu);
    total.user_ns += s.user_ns, total.nice_ns += s.nice_ns, total.system_ns += s.system_ns;
    total.idle_ns += s.idle_ns, total.interrupt_ns += s.interrupt_ns;
  });
  format(out, "cpu ");
  line(total);
  core::for_each_cpu([&](unsigned cpu) {
    format(out, "cpu{}", cpu);
    line(core::cpu_statistics(cpu));
  });
  std::uint64_t interrupts = 0;
  core::InterruptInformation information;
  for (unsigned number = 0; core::next_interrupt(number, information); number = information.number + 1)
    core::for_each_cpu([&](unsigned cpu) { interrupts += core::interrupt_count(information.number, cpu); });
  format(out, "intr {}\nctxt {}\nbtime {}\nprocesses {}\nprocs_running {}\nprocs_blocked {}\n", interrupts,
         core::context_switches(), (core::realtime_ns() - core::boot_ns()) / core::ns_per_second,
         linux_abi::forks_since_boot(), core::runnable_threads(), core::uninterruptible_threads());
  return {};
}

// ---- sys/kernel ----

template <char (linux_abi::Utsname::*field)[65]>
Result<void> show_name(TextSink& out) {
  linux_abi::Utsname names = linux_abi::system_names();
  format(out, "{}\n", std::string_view(names.*field));
  return {};
}
template <char (linux_abi::Utsname::*field)[65]>
Result<void> store_name(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\0')) text.remove_suffix(1);
  char memory[65] = {};
  text.copy(memory, sizeof(memory) - 1);
  linux_abi::set_system_name(field, memory);
  return {};
}

Result<void> show_pid_max(TextSink& out) {
  format(out, "{}\n", linux_abi::Pid::maximum());
  return {};
}
Result<void> store_pid_max(std::string_view text) {
  std::int64_t value = TRY(procfs::parse_number(text));
  if (value < 1 || value > INT32_MAX) return error(Errno::einval);
  return linux_abi::Pid::set_maximum(static_cast<int>(value));
}

Result<void> show_printk(TextSink& out) {
  format(out, "{}\t4\t{}\t{}\n", core::console_level(), core::console_level_minimum,
         core::console_level_default);
  return {};
}
Result<void> store_printk(std::string_view text) {
  text = procfs::trim(text);
  std::size_t end = text.find_first_of(" \t");
  std::int64_t level = TRY(procfs::parse_number(text.substr(0, end)));
  if (level < core::console_level_minimum || level > 15) return error(Errno::einval);
  core::set_console_level(static_cast<int>(level));
  return {};
}

Result<void> show_randomize(TextSink& out) {
  format(out, "{}\n", linux_abi::randomize_va_space().load(std::memory_order_relaxed));
  return {};
}
Result<void> store_randomize(std::string_view text) {
  std::int64_t value = TRY(procfs::parse_number(text));
  if (value < 0 || value > 2) return error(Errno::einval);
  // relaxed: a setting for programs that start later.
  linux_abi::randomize_va_space().store(static_cast<int>(value), std::memory_order_relaxed);
  return {};
}

Result<void> show_panic(TextSink& out) {
  format(out, "{}\n", core::panic_timeout_seconds());
  return {};
}
Result<void> store_panic(std::string_view text) {
  std::int64_t value = TRY(procfs::parse_number(text));
  if (value < INT32_MIN || value > INT32_MAX) return error(Errno::einval);
  core::set_panic_timeout_seconds(static_cast<int>(value));
  return {};
}

Result<void> show_last_pid(TextSink& out) {
  format(out, "{}\n", linux_abi::Pid::last_allocated());
  return {};
}

// ---- What there is of consoles, control groups and ways to run programs ----

Result<void> show_consoles(TextSink& out) {
  core::for_each_console([&](core::Console& console) {
    format(out, "{:<20} -W- (E{}{} p a)", std::string_view(console.name()), console.preferred() ? 'C' : ' ',
           console.kind() == core::Console::Kind::early ? 'B' : ' ');
    if (console.device_major) format(out, " {:>4}:{}", console.device_major, console.device_minor);
    format(out, "\n");
  });
  return {};
}
Result<void> show_cgroups(TextSink& out) {
  format(out, "#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
  return {};
}
Result<void> show_domains(TextSink& out) {
  format(out, "0-0\t{:<16}\t[kernel]\n", "Linux");
  return {};
}

// The terminals there are, for ps and the like, which look up names by number here.
Result<void> show_terminal_drivers(TextSink& out) {
  auto line = [&](std::string_view name, std::string_view node, unsigned major, std::string_view minors,
                  std::string_view kind) {
    format(out, "{:<20} {:<14} {:>3} {:>7} {}\n", name, node, major, minors, kind);
  };
  line("/dev/tty", "/dev/tty", 5, "0", "system:/dev/tty");
  line("/dev/console", "/dev/console", 5, "1", "system:console");
  line("/dev/ptmx", "/dev/ptmx", 5, "2", "system");
  line("serial", "/dev/ttyS", 4, "64-95", "serial");
  line("pty_slave", "/dev/pts", 136, "0-1048575", "pty:slave");
  return {};
}

// A setting that only this architecture has.
class ArchitectureSetting final : public pseudo_fs::Text {
 public:
  explicit ArchitectureSetting(const arch::LinuxSetting& setting) : Text(0644), setting_(setting) {}
  Result<void> show(TextSink& out, const vfs::Credentials&) override {
    format(out, "{}\n", setting_.show());
    return {};
  }
  Result<void> store(std::string_view text, const vfs::Credentials&) override {
    return setting_.store(TRY(procfs::parse_number(text)));
  }

 private:
  const arch::LinuxSetting& setting_;
};

template <std::uint64_t value>
Result<void> show_constant(TextSink& out) {
  format(out, "{}\n", value);
  return {};
}

}  // namespace

Result<void> add_kernel_files() {
  using linux_abi::Utsname;
  TRY(procfs::add_text("version", 0444, show_version));
  TRY(procfs::add_text("loadavg", 0444, show_loadavg));
  TRY(procfs::add_text("stat", 0444, show_stat));
  TRY(procfs::add_text("sys/kernel/ostype", 0444, show_name<&Utsname::system_name>));
  TRY(procfs::add_text("sys/kernel/osrelease", 0444, show_name<&Utsname::release>));
  TRY(procfs::add_text("sys/kernel/version", 0444, show_name<&Utsname::version>));
  TRY(procfs::add_text("sys/kernel/arch", 0444, show_name<&Utsname::machine>));
  TRY(procfs::add_text("sys/kernel/hostname", 0644, show_name<&Utsname::node_name>,
                       store_name<&Utsname::node_name>));
  TRY(procfs::add_text("sys/kernel/domainname", 0644, show_name<&Utsname::domain_name>,
                       store_name<&Utsname::domain_name>));
  TRY(procfs::add_text("sys/kernel/pid_max", 0644, show_pid_max, store_pid_max));
  TRY(procfs::add_text("sys/kernel/printk", 0644, show_printk, store_printk));
  TRY(procfs::add_text("sys/kernel/randomize_va_space", 0644, show_randomize, store_randomize));
  TRY(procfs::add_text("sys/kernel/panic", 0644, show_panic, store_panic));
  TRY(procfs::add_text("sys/kernel/ns_last_pid", 0444, show_last_pid));
  TRY(procfs::add_text("sys/kernel/tainted", 0444, show_constant<0>));
  TRY(procfs::add_text("sys/kernel/sched_rr_timeslice_ms", 0444,
                       show_constant<core::round_robin_slice_ns / 1'000'000>));
  TRY(procfs::add_text("sys/fs/overflowuid", 0444, show_constant<vfs::overflow_id>));
  TRY(procfs::add_text("sys/fs/overflowgid", 0444, show_constant<vfs::overflow_id>));
  TRY(procfs::add_text("consoles", 0444, show_consoles));
  TRY(procfs::add_text("tty/drivers", 0444, show_terminal_drivers));
  TRY(procfs::add_text("cgroups", 0444, show_cgroups));
  TRY(procfs::add_text("execdomains", 0444, show_domains));
  TRY(procfs::add_text("sys/kernel/cap_last_cap", 0444, show_constant<vfs::last_capability>));
  TRY(procfs::add_text("sys/kernel/ngroups_max", 0444, show_constant<65536>));
  TRY(procfs::add_text("sys/kernel/overflowuid", 0444, show_constant<vfs::overflow_id>));
  TRY(procfs::add_text("sys/kernel/overflowgid", 0444, show_constant<vfs::overflow_id>));
  for (const arch::LinuxSetting& setting : arch::linux_own_settings())
    TRY(procfs::add(setting.path, TRY(base::try_make_ref<ArchitectureSetting>(setting))));
  return {};
}

}  // namespace linux_procfs
