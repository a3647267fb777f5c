// _exit(2), exit_group(2)
#include "linux_abi/lifecycle.h"
#include "syscalls/process/rows.h"

namespace linux_abi {

Result<long> sys_exit(Context& context, int status) { exit_task(context.task, (status & 0xff) << 8); }
Result<long> sys_exit_group(Context& context, int status) { exit_group(context.task, (status & 0xff) << 8); }

}  // namespace linux_abi
