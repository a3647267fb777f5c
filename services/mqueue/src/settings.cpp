// /proc/sys/fs/mqueue
#include "core/init/init_step.h"
#include "mqueue/mqueue.h"
#include "procfs/procfs.h"

namespace mqueue {

namespace {

using Setting = std::atomic<std::uint32_t> Limits::*;

template <Setting setting>
Result<void> show(base::TextSink& out) {
  base::format(out, "{}\n", (limits.*setting).load(std::memory_order_relaxed));
  return {};
}
template <Setting setting, std::int64_t smallest, std::int64_t largest>
Result<void> store(std::string_view text) {
  std::int64_t value = TRY(procfs::parse_number(text));
  if (value < smallest || value > largest) return base::error(base::Errno::einval);
  // relaxed: a setting for queues that are made later.
  (limits.*setting).store(static_cast<std::uint32_t>(value), std::memory_order_relaxed);
  return {};
}
template <Setting setting, std::int64_t smallest, std::int64_t largest>
Result<void> add(std::string_view path) {
  return procfs::add_text(path, 0644, show<setting>, store<setting, smallest, largest>);
}

Result<void> add_settings() {
  TRY((add<&Limits::queues_max, 0, INT32_MAX>("sys/fs/mqueue/queues_max")));
  TRY((add<&Limits::messages_max, 1, 65536>("sys/fs/mqueue/msg_max")));
  TRY((add<&Limits::message_size_max, 128, 16 << 20>("sys/fs/mqueue/msgsize_max")));
  TRY((add<&Limits::messages_default, 1, 65536>("sys/fs/mqueue/msg_default")));
  TRY((add<&Limits::message_size_default, 128, 16 << 20>("sys/fs/mqueue/msgsize_default")));
  return {};
}

INIT_STEP settings_step{"mqueue.settings", {"procfs"}, add_settings, {"vfs"}};

}  // namespace

}  // namespace mqueue
