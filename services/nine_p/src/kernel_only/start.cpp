#include "core/init/init_step.h"
#include "nine_p/nine_p.h"

namespace nine_p {
namespace {
Result<void> start_nine_p() { return initialize(); }
INIT_STEP nine_p_step{"9p", {"vfs.root"}, start_nine_p, {"vfs"}};
}  // namespace
}  // namespace nine_p
