// What core(5) reads: the pattern and its neighbours in /proc/sys, and /proc/PID/coredump_filter.
#include <cstring>

#include "linux_abi/core_dump.h"
#include "procfs/procfs.h"
#include "subject.h"

namespace linux_procfs {

using linux_abi::core_settings;
using linux_abi::CoreSettings;

namespace {

Result<void> show_pattern(TextSink& out) {
  core::MutexGuard guard{core_settings.lock};
  format(out, "{}\n", std::string_view(core_settings.pattern));
  return {};
}
// What does not fit is cut off, as on Linux.
Result<void> store_pattern(std::string_view text) {
  text = text.substr(0, text.find_first_of(std::string_view("\n\0", 2)));
  core::MutexGuard guard{core_settings.lock};
  std::memset(core_settings.pattern, 0, sizeof(core_settings.pattern));
  text.copy(core_settings.pattern, sizeof(core_settings.pattern) - 1);
  return {};
}

template <std::atomic<int> CoreSettings::* member>
Result<void> show_setting(TextSink& out) {
  format(out, "{}\n", (core_settings.*member).load(std::memory_order_relaxed));
  return {};
}
template <std::atomic<int> CoreSettings::* member, int largest>
Result<void> store_setting(std::string_view text) {
  std::int64_t value = TRY(procfs::parse_number(text));
  if (value < 0 || value > largest) return error(Errno::einval);
  // relaxed: a setting for dumps that begin later.
  (core_settings.*member).store(static_cast<int>(value), std::memory_order_relaxed);
  return {};
}

// Decimal, or with 0x or 0 in front.
Result<std::uint64_t> parse_any_base(std::string_view text) {
  text = procfs::trim(text);
  unsigned base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text.starts_with('0')) {
    base = 8;
  }
  if (text.empty()) return error(Errno::einval);
  std::uint64_t value = 0;
  for (char c : text) {
    unsigned digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                     : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A' + 10)
                                            : base;
    if (digit >= base || value >> 60) return error(Errno::einval);
    value = value * base + digit;
  }
  return value;
}

}  // namespace

Result<void> show_core_filter(const Subject& subject, TextSink& out) {
  if (!subject.process->address_space()) return {};
  format(out, "{:08x}\n", subject.process->core_filter.load(std::memory_order_relaxed));
  return {};
}
Result<void> store_core_filter(const Subject& subject, std::string_view text) {
  std::uint64_t value = TRY(parse_any_base(text));
  if (value > UINT32_MAX) return error(Errno::erange);
  if (!subject.process->address_space()) return error(Errno::esrch);
  subject.process->core_filter.store(static_cast<std::uint32_t>(value) & linux_abi::core_filter::all_bits,
                                     std::memory_order_relaxed);
  return {};
}

Result<void> add_core_dump_files() {
  TRY(procfs::add_text("sys/kernel/core_pattern", 0644, show_pattern, store_pattern));
  TRY(procfs::add_text("sys/kernel/core_uses_pid", 0644, show_setting<&CoreSettings::append_pid>,
                       store_setting<&CoreSettings::append_pid, INT32_MAX>));
  TRY(procfs::add_text("sys/kernel/core_pipe_limit", 0644, show_setting<&CoreSettings::pipe_limit>,
                       store_setting<&CoreSettings::pipe_limit, INT32_MAX>));
  TRY(procfs::add_text("sys/fs/suid_dumpable", 0644, show_setting<&CoreSettings::suid_dumpable>,
                       store_setting<&CoreSettings::suid_dumpable, 2>));
  return {};
}

}  // namespace linux_procfs
