// What the vfs asks the tasks for: RLIMIT_FSIZE at each write that may grow a file, the files behind
// descriptors, and who acts.
#include "core/init/init_step.h"
#include "linux_abi/file_table.h"
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

Result<RefPtr<vfs::File>> descriptor_of_task(int descriptor) {
  Task* task = current_task_or_null();
  if (!task || !task->files) return error(Errno::ebadf);
  return task->files->get(descriptor);
}

RefPtr<const vfs::Credentials> credentials_of_task() {
  Task* task = current_task_or_null();
  if (!task) return nullptr;
  return RefPtr<const vfs::Credentials>(task->credentials_reference().get());
}

Result<void> install_size_limit() {
  vfs::set_size_limit_hook(limited_size);
  vfs::set_descriptor_hook(descriptor_of_task);
  vfs::set_credentials_hook(credentials_of_task);
  return {};
}
INIT_STEP size_limit_step{"files.size_limit", {"threads"}, install_size_limit, {"personality"}};

}  // namespace

}  // namespace linux_abi
