// pipe(2)
#include "pipe/pipe.h"
#include "linux_abi/abi/file.h"
#include "linux_abi/open_flags.h"
#include "syscalls/pipes/rows.h"

namespace linux_abi {

Result<long> sys_pipe2(Context& context, UserOut<DescriptorPair> out, unsigned flags) {
  // Decode.
  if (flags & ~(o_cloexec | o_nonblock | arch::linux_open_direct)) return error(Errno::einval);
  CloseOnExec close_on_exec = flags & o_cloexec ? CloseOnExec::yes : CloseOnExec::no;
  std::uint64_t limit = descriptor_limit(context);

  // Prepare: whatever was acquired is given back if a later step fails.
  auto ends = TRY(pipe::create_pipe(to_open_flags(flags & ~o_cloexec), context.task.credentials_reference()));
  ReservedDescriptor reader = TRY(context.task.files->reserve(close_on_exec, limit));
  ReservedDescriptor writer = TRY(context.task.files->reserve(close_on_exec, limit));
  TRY(out.write({reader.number(), writer.number()}));

  // Commit: cannot fail.
  reader.publish(std::move(ends.reader));
  writer.publish(std::move(ends.writer));
  return 0;
}

Result<long> sys_pipe(Context& context, UserOut<DescriptorPair> out) { return sys_pipe2(context, out, 0); }

}  // namespace linux_abi
