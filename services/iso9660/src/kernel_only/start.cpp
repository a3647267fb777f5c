#include "core/init/init_step.h"
#include "iso9660/iso9660.h"

namespace iso9660 {
namespace {
Result<void> start_iso9660() { return initialize(); }
INIT_STEP iso9660_step{"iso9660", {"vfs.root"}, start_iso9660, {"vfs"}};
}  // namespace
}  // namespace iso9660
