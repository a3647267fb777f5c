#include "core/init/init_step.h"
#include "ext4/ext4.h"

namespace ext4 {
namespace {
Result<void> start_ext4() { return initialize(); }
INIT_STEP ext4_step{"ext4", {"vfs.root"}, start_ext4, {"vfs"}};
}  // namespace
}  // namespace ext4
