// personality(2): PER_LINUX with its flags is the only domain.
#include "syscalls/process/rows.h"

namespace linux_abi {

Result<long> sys_personality(Context& context, std::uint32_t wanted) {
  std::uint32_t old = context.task.personality;
  if (wanted != 0xffffffff) context.task.personality = wanted;
  return static_cast<long>(old);
}

}  // namespace linux_abi
