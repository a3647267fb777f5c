// status, stat, statm, comm, schedstat, io: the state of a process in figures.
#include "arch/user.h"
#include "core/memory/address.h"
#include "core/sched/scheduler.h"
#include "core/time/clock.h"
#include "linux_abi/job_control.h"
#include "linux_abi/tracing.h"
#include "linux_abi/user_account.h"
#include "procfs/procfs.h"
#include "subject.h"
#include "vfs/lookup.h"

namespace linux_procfs {

namespace {

constexpr std::uint64_t ticks_per_second = 100;
std::uint64_t ticks(std::uint64_t ns) { return ns / (core::ns_per_second / ticks_per_second); }

struct Figures {
  char state = 'Z';
  std::string_view state_name = "zombie";
  int parent = 0, group = 0, session = 0, terminal = 0, foreground = -1;
  std::uint64_t user_ns = 0, system_ns = 0, minor = 0, major = 0, voluntary = 0, involuntary = 0;
  linux_abi::ResourceUsage children;
  linux_abi::SignalSet pending, shared_pending, blocked, ignored, caught;
  unsigned threads = 0;
  char name[16] = {};
};

void set_state(Figures& figures, const Subject& subject, const Task* task) {
  auto set = [&](char letter, std::string_view name) {
    figures.state = letter;
    figures.state_name = name;
  };
  if (subject.process->state != Process::State::running && !subject.is_thread()) return;
  if (!task) return;
  linux_abi::Tracing* tracing = linux_abi::Tracing::find(*task);
  if (tracing && tracing->stopped) return set('t', "tracing stop");
  if (subject.process->stop_state == Process::StopState::stopped) return set('T', "stopped");
  switch (task->thread().state()) {
    case core::RunState::created:
    case core::RunState::runnable:
      return set('R', "running");
    case core::RunState::asleep_interruptible:
      return set('S', "sleeping");
    case core::RunState::asleep_uninterruptible:
      return set('D', "disk sleep");
    case core::RunState::stopped:
      return set('T', "stopped");
    case core::RunState::dead:
      return set('Z', "zombie");
  }
}

bool is_dumping(Process& process) {
  core::MutexGuard guard{process.signal_lock};
  return process.dumper != nullptr;
}

Figures collect(const Subject& subject) {
  Figures result;
  Process& process = *subject.process;
  RefPtr<Task> task = subject.representative();
  RefPtr<tty::Terminal> terminal = linux_abi::terminal_of(process);
  if (terminal) {
    result.terminal = static_cast<int>(terminal->device().encoded());
    if (auto group = terminal->foreground()) result.foreground = group->id();
  }
  if (subject.is_thread()) {
    linux_abi::ResourceUsage usage = linux_abi::thread_usage(*task);
    result.user_ns = usage.user_ns, result.system_ns = usage.system_ns;
    result.minor = usage.minor_faults, result.major = usage.major_faults;
  } else {
    linux_abi::ResourceUsage usage = process.usage();
    result.user_ns = usage.user_ns, result.system_ns = usage.system_ns;
    result.minor = usage.minor_faults, result.major = usage.major_faults;
  }
  {
    core::MutexGuard tree{linux_abi::process_tree_lock()};
    result.parent = process.parent ? process.parent->id() : 0;
    result.group = process.group ? process.group->number() : 0;
    result.session = process.session ? process.session->number() : 0;
    result.children = process.waited_children;
    core::MutexGuard guard{process.signal_lock};
    set_state(result, subject, task.get());
    result.threads = process.thread_count.load(std::memory_order_relaxed);
    result.shared_pending = process.shared_pending.set();
    if (task) {
      result.pending = task->pending.set();
      result.blocked = task->blocked;
    }
    if (process.actions) {
      for (int number = 1; number <= 64; ++number) {
        std::uint64_t handler = process.actions->handler(number);
        if (handler == 1)
          result.ignored.add(number);
        else if (handler)
          result.caught.add(number);
      }
    }
  }
  if (task) {
    result.voluntary = task->thread().voluntary_switches();
    result.involuntary = task->thread().involuntary_switches();
    auto name = task->thread().name();
    std::string_view(name.data()).copy(result.name, sizeof(result.name) - 1);
  }
  return result;
}

void put_escaped_name(TextSink& out, const char* name) { vfs::put_escaped(out, name, "\n\\"); }

Result<void> show_comm(const Subject& subject, TextSink& out) {
  RefPtr<Task> task = subject.representative();
  if (!task) return error(Errno::esrch);
  auto name = task->thread().name();
  format(out, "{}\n", std::string_view(name.data()));
  return {};
}

Result<void> store_comm(const Subject& subject, std::string_view text) {
  if (&linux_abi::current_process() != subject.process.get()) return error(Errno::einval);
  RefPtr<Task> task = subject.representative();
  if (!task) return error(Errno::esrch);
  while (text.ends_with('\n')) text.remove_suffix(1);
  task->thread().set_name(text);
  return {};
}

Result<void> show_stat(const Subject& subject, TextSink& out) {
  Figures figures = collect(subject);
  Process& process = *subject.process;
  RefPtr<Task> task = subject.representative();
  auto space = process.address_space();
  auto usage = space ? space->usage() : core::AddressSpaceUsage{};
  core::ProgramLayout layout = space ? space->program() : core::ProgramLayout{};
  bool may_see = static_cast<bool>(check_inspect(subject));
  format(out, "{} (", subject.pid->number());
  put_escaped_name(out, figures.name);
  format(out, ") {} {} {} {} {} {} 0 {} {} {} {} ", figures.state, figures.parent, figures.group,
         figures.session, figures.terminal, figures.foreground, figures.minor, figures.children.minor_faults,
         figures.major, figures.children.major_faults);
  format(out, "{} {} {} {} ", ticks(figures.user_ns), ticks(figures.system_ns),
         ticks(figures.children.user_ns), ticks(figures.children.system_ns));
  int priority = task ? task->thread().proc_priority() : 20, nice = task ? task->thread().nice() : 0;
  format(out, "{} {} {} 0 {} ", priority, nice, figures.threads, ticks(process.start_boottime_ns));
  format(out, "{} {} {} ", usage.total * core::page_size, usage.resident(),
         process.limit_current(linux_abi::Resource::rss));
  format(out, "{} {} {} 0 0 ", may_see ? layout.code_start : 1, may_see ? layout.code_end : 1,
         may_see ? layout.stack_start : 0);
  // The signal sets of old: 31 signals in decimal.
  constexpr std::uint64_t old_signals = 0x7fffffff;
  format(out, "{} {} {} {} ", figures.pending.bits & old_signals, figures.blocked.bits & old_signals,
         figures.ignored.bits & old_signals, figures.caught.bits & old_signals);
  unsigned cpu = task ? task->thread().last_cpu() : 0;
  auto parameters = task ? task->thread().parameters() : core::SchedulingParameters{};
  format(out, "0 0 0 {} {} {} {} 0 0 0 ", process.exit_signal, cpu,
         static_cast<unsigned>(parameters.priority), static_cast<unsigned>(parameters.policy));
  if (may_see)
    format(out, "{} {} {} {} {} {} {} {}\n", layout.data_start, layout.data_end, layout.break_start,
           layout.arguments_start, layout.arguments_end, layout.environment_start, layout.environment_end,
           process.exit_status);
  else
    format(out, "0 0 0 0 0 0 0 0\n");
  return {};
}

// The program's own code; what else may be executed counts as libraries.
std::uint64_t own_code_pages(core::AddressSpace& space) {
  const core::ProgramLayout& layout = space.program();
  std::uintptr_t start = base::align_down(layout.code_start, std::uintptr_t{core::page_size});
  std::uintptr_t end = base::align_up(layout.code_end, std::uintptr_t{core::page_size});
  return end > start ? (end - start) / core::page_size : 0;
}

Result<void> show_statm(const Subject& subject, TextSink& out) {
  auto space = subject.process->address_space();
  if (!space) {
    format(out, "0 0 0 0 0 0 0\n");
    return {};
  }
  auto usage = space->usage();
  format(out, "{} {} {} {} 0 {} 0\n", usage.total, usage.resident(), usage.file + usage.shared_memory,
         own_code_pages(*space), usage.data + usage.stack);
  return {};
}

void put_memory(const Subject& subject, TextSink& out) {
  auto space = subject.process->address_space();
  if (!space) return;
  auto usage = space->usage();
  std::uint64_t own_code = own_code_pages(*space);
  auto line = [&](std::string_view name, std::uint64_t pages) {
    format(out, "{}:\t{:>8} kB\n", name, pages * (core::page_size / 1024));
  };
  line("VmPeak", usage.total_peak), line("VmSize", usage.total), line("VmLck", usage.locked),
      line("VmPin", usage.pinned);
  line("VmHWM", usage.resident_peak > usage.resident() ? usage.resident_peak : usage.resident());
  line("VmRSS", usage.resident()), line("RssAnon", usage.anonymous), line("RssFile", usage.file);
  line("RssShmem", usage.shared_memory), line("VmData", usage.data), line("VmStk", usage.stack);
  line("VmExe", own_code), line("VmLib", usage.executable > own_code ? usage.executable - own_code : 0),
      line("VmPTE", usage.page_tables), line("VmSwap", usage.swapped);
}

void put_cpus(TextSink& out, const core::CpuMask& mask) {
  unsigned count = core::CpuMask::first_cpus(arch::cpu_count()).count();
  format(out, "Cpus_allowed:\t");
  for (unsigned word = (count + 31) / 32; word-- > 0;) {
    std::uint32_t bits = 0;
    for (unsigned bit = 0; bit < 32; ++bit)
      if (word * 32 + bit < count && mask.test(word * 32 + bit)) bits |= 1u << bit;
    unsigned digits = word == (count + 31) / 32 - 1 && count % 32 ? (count % 32 + 3) / 4 : 8;
    char text[9];
    base::TextBuffer buffer(text);
    format(buffer, "{:08x}", bits);
    out.put(buffer.view().substr(8 - digits));
    if (word) format(out, ",");
  }
  format(out, "\nCpus_allowed_list:\t");
  bool first = true;
  for (unsigned cpu = 0; cpu < count; ++cpu) {
    if (!mask.test(cpu)) continue;
    unsigned last = cpu;
    while (last + 1 < count && mask.test(last + 1)) ++last;
    if (!first) format(out, ",");
    first = false;
    if (last == cpu)
      format(out, "{}", cpu);
    else
      format(out, "{}-{}", cpu, last);
    cpu = last;
  }
  format(out, "\n");
}

Result<void> show_status(const Subject& subject, TextSink& out) {
  Figures figures = collect(subject);
  Process& process = *subject.process;
  RefPtr<Task> task = subject.representative();
  auto credentials = task ? linux_abi::credentials_of(*task) : linux_abi::credentials_of(process);
  auto context = task ? linux_abi::file_system_of(*task) : nullptr;
  auto files = task ? linux_abi::files_of(*task) : nullptr;
  format(out, "Name:\t");
  put_escaped_name(out, figures.name);
  format(out, "\n");
  if (context) format(out, "Umask:\t{:04o}\n", context->umask());
  format(out, "State:\t{} ({})\nTgid:\t{}\nNgid:\t0\nPid:\t{}\nPPid:\t{}\nTracerPid:\t{}\n", figures.state,
         figures.state_name, process.id(), subject.pid->number(), figures.parent,
         task ? linux_abi::tracer_id(*task) : 0);
  if (credentials) {
    const vfs::Credentials& c = *credentials;
    format(out, "Uid:\t{}\t{}\t{}\t{}\nGid:\t{}\t{}\t{}\t{}\n", c.uid, c.euid, c.suid, c.fsuid, c.gid, c.egid,
           c.sgid, c.fsgid);
  }
  format(out, "FDSize:\t{}\nGroups:\t", files ? files->capacity() : 0u);
  if (credentials)
    for (vfs::GroupId group : credentials->groups()) format(out, "{} ", group);
  format(out, "\nNStgid:\t{}\nNSpid:\t{}\nNSpgid:\t{}\nNSsid:\t{}\nKthread:\t0\n", process.id(),
         subject.pid->number(), figures.group, figures.session);
  put_memory(subject, out);
  if (process.address_space())
    format(out, "CoreDumping:\t{}\nTHP_enabled:\t1\n", is_dumping(process) ? 1 : 0);
  if (task && task->account)
    format(out, "Threads:\t{}\nSigQ:\t{}/{}\n", figures.threads,
           task->account->pending_signals.load(std::memory_order_relaxed),
           process.limit_current(linux_abi::Resource::sigpending));
  else
    format(out, "Threads:\t{}\n", figures.threads);
  format(out, "SigPnd:\t{:016x}\nShdPnd:\t{:016x}\nSigBlk:\t{:016x}\nSigIgn:\t{:016x}\nSigCgt:\t{:016x}\n",
         figures.pending.bits, figures.shared_pending.bits, figures.blocked.bits, figures.ignored.bits,
         figures.caught.bits);
  if (credentials) {
    const vfs::Credentials& c = *credentials;
    format(out, "CapInh:\t{:016x}\nCapPrm:\t{:016x}\nCapEff:\t{:016x}\nCapBnd:\t{:016x}\nCapAmb:\t{:016x}\n",
           c.inheritable.bits(), c.permitted.bits(), c.effective.bits(), c.bounding.bits(), c.ambient.bits());
    format(out, "NoNewPrivs:\t{}\n",
           c.no_new_privileges || (task && linux_abi::shares_no_new_privileges(*task)) ? 1 : 0);
  }
  format(out, "Seccomp:\t{}\nSeccomp_filters:\t{}\n",
         task ? static_cast<unsigned>(linux_abi::seccomp_mode(*task)) : 0u,
         task ? linux_abi::seccomp_filter_count(*task) : 0u);
  if (task) put_cpus(out, task->thread().affinity());
  format(out,
         "Mems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t{}\nnonvoluntary_ctxt_switches:"
         "\t{}\n",
         figures.voluntary, figures.involuntary);
  return {};
}

Result<void> show_schedstat(const Subject& subject, TextSink& out) {
  RefPtr<Task> task = subject.representative();
  if (!task) return error(Errno::esrch);
  auto& thread = task->thread();
  format(out, "{} {} {}\n", thread.runtime_ns(), thread.wait_ns(), thread.switches());
  return {};
}

Result<void> show_io(const Subject& subject, TextSink& out) {
  std::uint64_t read = 0, written = 0, reads = 0, writes = 0;
  auto add = [&](Task& task) {
    read += task.bytes_read.load(std::memory_order_relaxed),
        written += task.bytes_written.load(std::memory_order_relaxed);
    reads += task.read_calls.load(std::memory_order_relaxed),
        writes += task.write_calls.load(std::memory_order_relaxed);
  };
  if (subject.task) {
    add(*subject.task);
  } else {
    core::MutexGuard guard{subject.process->signal_lock};
    subject.process->for_each_thread(add);
  }
  format(
      out,
      "rchar: {}\nwchar: {}\nsyscr: {}\nsyscw: {}\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n",
      read, written, reads, writes);
  return {};
}

constexpr TextRow rows[] = {
    {"status", 0444, show_status},       {"stat", 0444, show_stat},
    {"statm", 0444, show_statm},         {"comm", 0644, show_comm, store_comm},
    {"schedstat", 0444, show_schedstat}, {"io", 0400, show_io, nullptr, TextRow::Inspect::checked},
};

}  // namespace

std::span<const TextRow> status_rows() { return rows; }

}  // namespace linux_procfs
