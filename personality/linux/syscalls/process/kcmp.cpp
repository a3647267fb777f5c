// kcmp(2): whether two processes share something, without telling where it is.
#include "syscalls/process/rows.h"

namespace linux_abi {

namespace {

// 0: the same, 1 and 2: smaller and larger in some order that does not change.
long order(const void* a, const void* b) {
  if (a == b) return 0;
  return a < b ? 1 : 2;
}

}  // namespace

Result<long> sys_kcmp(Context& context, int first_id, int second_id, int kind, std::uint64_t first_index,
                      std::uint64_t second_index) {
  constexpr int file = 0, memory = 1, files = 2, directories = 3, actions = 4, io = 5, semaphores = 6;
  if (first_id <= 0 || second_id <= 0) return error(Errno::esrch);
  auto first = TRY(task_by_id(context, first_id)), second = TRY(task_by_id(context, second_id));
  TRY(may_inspect(context.task, first->process()));
  TRY(may_inspect(context.task, second->process()));
  switch (kind) {
    case file: {
      auto first_table = files_of(*first), second_table = files_of(*second);
      if (!first_table || !second_table) return error(Errno::ebadf);
      auto a = TRY(first_table->get(static_cast<int>(first_index)));
      auto b = TRY(second_table->get(static_cast<int>(second_index)));
      return order(a.get(), b.get());
    }
    case memory:
      return order(first->process().address_space().get(), second->process().address_space().get());
    case files:
      return order(files_of(*first).get(), files_of(*second).get());
    case directories:
      return order(file_system_of(*first).get(), file_system_of(*second).get());
    case actions:
      return order(first->process().actions.get(), second->process().actions.get());
    case semaphores:
      // What is to be undone; processes that have nothing to undo have the same.
      return order(first->process().exit_duty.load(), second->process().exit_duty.load());
    case io:
      return order(&first->process(), &second->process());
    default:
      return error(Errno::einval);
  }
}

}  // namespace linux_abi
