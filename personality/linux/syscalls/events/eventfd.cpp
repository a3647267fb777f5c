// eventfd(2)
#include "event/event_file.h"
#include "linux_abi/abi/file.h"
#include "syscalls/events/rows.h"

namespace linux_abi {

namespace {
constexpr unsigned efd_semaphore = 1;
}  // namespace

Result<long> sys_eventfd2(Context& context, unsigned initial, unsigned flags) {
  if (flags & ~(efd_semaphore | o_cloexec | o_nonblock)) return error(Errno::einval);
  auto mode = flags & efd_semaphore ? event::EventFile::Mode::semaphore : event::EventFile::Mode::counter;
  auto file =
      TRY(event::EventFile::create(initial, mode, flags & o_nonblock, context.task.credentials_reference()));
  return TRY(context.task.files->add(std::move(file), flags & o_cloexec ? CloseOnExec::yes : CloseOnExec::no,
                                     descriptor_limit(context)));
}

Result<long> sys_eventfd(Context& context, unsigned initial) { return sys_eventfd2(context, initial, 0); }

}  // namespace linux_abi
