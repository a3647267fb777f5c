// set_robust_list(2), get_robust_list(2), rseq(2)
#include "linux_abi/access_control.h"
#include "linux_abi/rseq.h"
#include "syscalls/synchronisation/rows.h"

namespace linux_abi {

Result<long> sys_set_robust_list(Context& context, std::uintptr_t head, std::size_t size) {
  if (size != sizeof(RobustListHead)) return error(Errno::einval);
  context.task.robust_list = head;
  return 0;
}

Result<long> sys_get_robust_list(Context& context, int id, UserOut<std::uintptr_t> head,
                                 UserOut<std::size_t> size) {
  auto task = TRY(task_by_id(context, id));
  TRY(may_inspect(context.task, task->process()));
  TRY(size.write(sizeof(RobustListHead)));
  TRY(head.write(task->robust_list));
  return 0;
}

Result<long> sys_rseq(Context& context, std::uintptr_t area, std::uint32_t length, int flags,
                      std::uint32_t signature) {
  Task& task = context.task;
  if (flags & rseq::flag_unregister) {
    if (flags & ~rseq::flag_unregister) return error(Errno::einval);
    if (!task.rseq_area || task.rseq_area != area || task.rseq_length != length) return error(Errno::einval);
    if (task.rseq_signature != signature) return error(Errno::eperm);
    struct Words {
      std::uint32_t start, id;
    };
    constexpr std::uint32_t uninitialised = ~0u;
    TRY(UserOut<Words>(area).write({0, uninitialised}));
    rseq_set_area(task, {});
    return 0;
  }
  if (flags) return error(Errno::einval);
  if (task.rseq_area) {
    if (task.rseq_area != area || task.rseq_length != length) return error(Errno::einval);
    return error(task.rseq_signature == signature ? Errno::ebusy : Errno::eperm);
  }
  bool original = length == rseq::original_size;
  if (length < rseq::original_size || (original ? area % rseq::original_size : area % rseq::alignment))
    return error(Errno::einval);
  if (!core::is_user_range(UserAddress(area), length)) return error(Errno::efault);
  // The area must be writable now, or the first switch would be the program's end.
  TRY(UserOut<std::uint64_t>(area + rseq::critical_section_offset).write(0));
  rseq_set_area(task, {area, length, signature});
  return 0;
}

}  // namespace linux_abi
