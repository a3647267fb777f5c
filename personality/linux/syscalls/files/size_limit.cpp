// RLIMIT_FSIZE, which the vfs asks for at each write that may grow a file.
#include "core/init/init_step.h"
#include "linux_abi/signal_state.h"
#include "linux_abi/task.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {

// How much of a write the limit leaves; the signal and EFBIG when nothing. Threads of the kernel have no
// limit.
Result<std::size_t> limited_size(std::uint64_t offset, std::size_t count) {
  Task* task = current_task_or_null();
  if (!task) return count;
  std::uint64_t limit = task->process().limit_current(Resource::fsize);
  if (limit == rlim_infinity || count == 0) return count;
  if (offset >= limit) {
    (void)send_signal(*task, SigInfo(signal::xfsz, si::user));
    return error(Errno::efbig);
  }
  return count < limit - offset ? count : static_cast<std::size_t>(limit - offset);
}

Result<void> install_size_limit() {
  vfs::set_size_limit_hook(limited_size);
  return {};
}
INIT_STEP size_limit_step{"files.size_limit", {"threads"}, install_size_limit, {"personality"}};

}  // namespace

}  // namespace linux_abi
