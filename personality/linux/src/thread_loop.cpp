// The life of a thread, from top to bottom.
#include "arch/linux_abi.h"
#include "arch/linux_trace.h"
#include "arch/user.h"
#include "core/log/log.h"
#include "core/memory/user_pointer.h"
#include "linux_abi/fault.h"
#include "linux_abi/lifecycle.h"
#include "linux_abi/rseq.h"
#include "linux_abi/signal_delivery.h"
#include "linux_abi/tracing.h"
#include "linux_abi/user_helper.h"

namespace linux_abi {

namespace {

constinit std::atomic<std::uint64_t> missing_calls_logged[syscall_table_size / 64] = {};

bool is_restart_request(long result) {
  return result <= -static_cast<long>(Errno::restart_always) &&
         result >= -static_cast<long>(Errno::restart_block);
}

// Interrupted waits report EINTR; a program sees it only if a handler without SA_RESTART runs.
[[gnu::noinline]] long finish_error(Task& task, long result) {
  if (task.registers.system_call_number() < 0) return result;  // rt_sigreturn: not a result of ours
  if (result == -static_cast<long>(Errno::interrupted_finally)) return -static_cast<long>(Errno::eintr);
  if (result == -static_cast<long>(Errno::eintr)) result = -static_cast<long>(Errno::restart_always);
  if (is_restart_request(result)) task.add_work(task_work::signal);
  return result;
}

static_assert(plain_calls_all == syscall_table_size);

// Somebody watches the calls of this thread.
[[gnu::noinline]] void watched_system_call(Context& context) {
  Task& task = context.task;
  arch::begin_traced_system_call(context.registers);
  if (trace_call_entry(task) && seccomp_allows(context)) {
    auto call = static_cast<unsigned long>(context.registers.system_call_number());
    if (static_cast<long>(call) != -1) {
      long result =
          call < syscall_table_size ? syscall_functions[call](context) : missing_system_call(context);
      if (result < 0) result = finish_error(task, result);
      context.registers.set_result(static_cast<std::uint64_t>(result));
      // A new program's registers know of no call; tracers expect to see the end of this one.
      bool executed = call == number::execve || call == number::execveat;
      if (executed && result == 0) context.registers.set_system_call_number(static_cast<long>(call));
    }
  }
  trace_call_exit(task);
  // A stop there settles what is pending; a call that is to be restarted still is.
  long left = static_cast<long>(context.registers.result());
  if (left < 0 && context.registers.system_call_number() >= 0 && is_restart_request(left))
    task.add_work(task_work::signal);
}

// The registers are used through the task: after enter_user() the compiler has to fetch everything from the
// stack anew, and that is one pointer then.
inline void system_call(Task& task, Context& context) {
  auto call = static_cast<unsigned long>(task.registers.system_call_number());
  long result;
  // relaxed: whoever closes this way and wants it closed at once waits until the thread is stopped.
  std::uint32_t plain_calls = task.plain_calls.load(std::memory_order_relaxed);
  if (call < plain_calls) [[likely]]
    result = syscall_functions.data()[call](context);  // not [call]: it would check the index a second time
  else if (plain_calls == 0)
    return watched_system_call(context);
  else
    result = missing_system_call(context);
  if (result < 0) [[unlikely]]
    result = finish_error(task, result);
  task.registers.set_result(static_cast<std::uint64_t>(result));
}

// Set by others at any time; whoever sets a bit also makes enter_user() return.
bool has_work(const Task& task) { return task.work.load(std::memory_order_acquire) != 0; }

// Most often a call has slept, and nothing else has happened.
[[gnu::noinline]] void work_after_call(Context& context) {
  Task& task = context.task;
  std::uint32_t only_switched = task_work::rseq;
  // acquire: as in has_work().
  if (task.work.compare_exchange_strong(only_switched, 0, std::memory_order_acquire))
    return rseq_update(task);
  handle_user_work(context, EnteredBy::system_call);
}

}  // namespace

long missing_system_call(Context& context) {
  Task& task = context.task;
  auto own = arch::linux_own_system_call(task.registers, task.thread().arch_state);
  if (own) return *own;
  if (own.error() != Errno::enosys) return -static_cast<long>(own.error());
  auto call = static_cast<unsigned long>(task.registers.system_call_number());
  if (call < syscall_table_size) {
    std::uint64_t bit = std::uint64_t{1} << (call % 64);
    // relaxed: only whether somebody was first matters.
    if (!(missing_calls_logged[call / 64].fetch_or(bit, std::memory_order_relaxed) & bit))
      core::log(core::LogLevel::info, "{}[{}]: system call {} is not implemented",
                task.thread().name().data(), task.id(), call);
  }
  return -static_cast<long>(Errno::enosys);
}

void thread_loop(Task& task) {
  Context context{task, task.process(), task.registers};
  if (task.set_child_tid)
    // CLONE_CHILD_SETTID: a bad address is the program's own loss, as on Linux.
    (void)!core::UserOut<int>(std::exchange(task.set_child_tid, 0)).write(task.id());
  if (task.starts_as_init) first_thread(task);
  // A task that was made to work for its process in the kernel (asynchronous I/O) begins with what it has to
  // do, and does not come back.
  if (task.restart.function) (void)!task.restart.function(task, task.restart);
  if (task.helper) run_user_helper(task);
  if (has_work(task)) handle_user_work(context, EnteredBy::other);
  for (;;) {
    task.thread().account_user_enter();
    arch::UserEvent event = arch::enter_user(task.registers);
    task.thread().account_user_leave();
    if (event == arch::UserEvent::system_call) [[likely]] {
      system_call(task, context);
      if (has_work(task)) [[unlikely]]
        work_after_call(context);
    } else {
      if (event == arch::UserEvent::fault) handle_user_fault(task);
      if (has_work(task)) handle_user_work(context, EnteredBy::other);
    }
  }
}

}  // namespace linux_abi
