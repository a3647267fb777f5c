#include "core/init/init_step.h"
#include "squashfs/squashfs.h"

namespace squashfs {
namespace {
Result<void> start_squashfs() { return initialize(); }
INIT_STEP squashfs_step{"squashfs", {"vfs.root"}, start_squashfs, {"vfs"}};
}  // namespace
}  // namespace squashfs
