#include "core/init/init_step.h"
#include "vfat/vfat.h"

namespace vfat {
namespace {
Result<void> start_vfat() { return initialize(); }
INIT_STEP vfat_step{"vfat", {"vfs.root"}, start_vfat, {"vfs"}};
}  // namespace
}  // namespace vfat
