// getrandom(2)
#include "core/random/random.h"
#include "syscalls/system/rows.h"

namespace linux_abi {

Result<long> sys_getrandom(Context& context, UserAddress to, std::size_t size, unsigned flags) {
  if (flags & ~(grnd_nonblock | grnd_random | grnd_insecure)) return error(Errno::einval);
  if ((flags & grnd_random) && (flags & grnd_insecure)) return error(Errno::einval);
  if (size > max_transfer) size = max_transfer;
  std::byte block[256];
  std::size_t done = 0;
  while (done < size) {
    std::size_t part = size - done < sizeof(block) ? size - done : sizeof(block);
    core::random_bytes(std::span(block).first(part));
    std::size_t copied = core::copy_to_user_partial(to + done, std::span<const std::byte>(block).first(part));
    done += copied;
    if (copied < part) break;
    if (context.task.thread().interrupted(core::WaitMode::interruptible)) break;
  }
  if (!done && size) return error(Errno::efault);
  return static_cast<long>(done);
}

}  // namespace linux_abi
