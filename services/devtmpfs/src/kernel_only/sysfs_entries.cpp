// The memory devices in /sys.
#include "core/init/init_step.h"
#include "sysfs/sysfs.h"

namespace devtmpfs {

namespace {

base::Result<void> add_to_sysfs() {
  struct Node {
    const char* name;
    std::uint32_t minor;
  };
  static constexpr Node nodes[] = {{"null", 3},   {"zero", 5},    {"full", 7},
                                   {"random", 8}, {"urandom", 9}, {"kmsg", 11}};
  for (const Node& node : nodes)
    TRY(sysfs::add_device({.subsystem = "mem", .name = node.name, .number = {1, node.minor}}));
  return {};
}
INIT_STEP devices_step{"devtmpfs.sysfs", {"sysfs"}, add_to_sysfs, {"vfs"}};

}  // namespace

}  // namespace devtmpfs
