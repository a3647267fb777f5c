// failslab and fail_page_alloc: allocations that fail on purpose (core/memory/failure_injection.h). The names
// are Linux's; the two folders share interval, times and task-filter here.
#include "base/parse.h"
#include "core/init/init_step.h"
#include "core/memory/failure_injection.h"
#include "debugfs/debugfs.h"

namespace debugfs {

using base::Errno;
using base::error;
using base::Result;

namespace {

Result<std::int64_t> number_in(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with(' ')) text.remove_suffix(1);
  bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  auto value = base::parse_unsigned(text);
  if (!value || *value > 0x7fffffff) return error(Errno::einval);
  return negative ? -static_cast<std::int64_t>(*value) : static_cast<std::int64_t>(*value);
}

Result<void> show(base::TextSink& out, std::int64_t value) {
  base::format(out, "{}\n", value);
  return {};
}

Result<void> show_interval(base::TextSink& out) { return show(out, core::failure_injection().interval); }
Result<void> store_interval(std::string_view text) {
  std::int64_t value = TRY(number_in(text));
  if (value < 0) return error(Errno::einval);
  auto settings = core::failure_injection();
  settings.interval = static_cast<std::uint32_t>(value);
  core::configure_failure_injection(settings);
  return {};
}

// -1: without end
Result<void> show_times(base::TextSink& out) {
  return show(out, static_cast<std::int32_t>(core::failure_injection().times));
}
Result<void> store_times(std::string_view text) {
  std::int64_t value = TRY(number_in(text));
  if (value < -1) return error(Errno::einval);
  auto settings = core::failure_injection();
  settings.times = static_cast<std::uint32_t>(value);
  core::configure_failure_injection(settings);
  return {};
}

Result<void> show_task_filter(base::TextSink& out) {
  base::format(out, "{}\n", core::failure_injection().all_threads ? "N" : "Y");
  return {};
}
Result<void> store_task_filter(std::string_view text) {
  bool on = text.starts_with('Y') || text.starts_with('y') || text.starts_with('1');
  bool off = text.starts_with('N') || text.starts_with('n') || text.starts_with('0');
  if (!on && !off) return error(Errno::einval);
  auto settings = core::failure_injection();
  settings.all_threads = off;
  core::configure_failure_injection(settings);
  return {};
}

// 0 or 100 per cent: every interval-th fails, or none.
Result<void> show_page_probability(base::TextSink& out) {
  return show(out, core::failure_injection().pages ? 100 : 0);
}
Result<void> store_page_probability(std::string_view text) {
  std::int64_t value = TRY(number_in(text));
  if (value != 0 && value != 100) return error(Errno::einval);
  auto settings = core::failure_injection();
  settings.pages = value != 0;
  core::configure_failure_injection(settings);
  return {};
}

Result<void> show_injected(base::TextSink& out) {
  return show(out, static_cast<std::int64_t>(core::injected_failures()));
}

Result<void> add_failure_files() {
  TRY(add_text("failslab/interval", 0600, show_interval, store_interval));
  TRY(add_text("failslab/times", 0600, show_times, store_times));
  TRY(add_text("failslab/task-filter", 0600, show_task_filter, store_task_filter));
  TRY(add_text("failslab/injected", 0400, show_injected));
  return add_text("fail_page_alloc/probability", 0600, show_page_probability, store_page_probability);
}
INIT_STEP failures_step{"debugfs.failures", {"debugfs"}, add_failure_files, {"vfs"}};

}  // namespace
}  // namespace debugfs
