// What nearly every system call needs.
#pragma once

#include "core/memory/user_pointer.h"
#include "linux_abi/syscall.h"
#include "linux_abi/task.h"

namespace core {
// The constructor zeroes the whole union.
template <>
inline constexpr bool has_zeroed_padding<linux_abi::SigInfo> = true;
}  // namespace core

namespace linux_abi {

using base::RefPtr;
using core::UserArray;
using core::UserBuffer;
using core::UserIn;
using core::UserInOut;
using core::UserOut;
using core::UserString;

// RLIMIT_NOFILE of the caller.
inline std::uint64_t descriptor_limit(const Context& context) {
  return context.process.limit_current(Resource::nofile);
}

// The target of a call that takes a pid: 0 is the caller. ESRCH.
inline Result<RefPtr<Process>> process_by_id(Context& context, int id) {
  if (id == 0) return RefPtr<Process>(&context.process);
  RefPtr<Pid> pid = id > 0 ? Pid::get(id) : RefPtr<Pid>{};
  RefPtr<Process> process = pid ? pid->process_reference() : RefPtr<Process>{};
  if (!process) return error(Errno::esrch);
  return process;
}
// The same for calls that take a thread id.
inline Result<RefPtr<Task>> task_by_id(Context& context, int id) {
  if (id == 0) return RefPtr<Task>(&context.task);
  RefPtr<Pid> pid = id > 0 ? Pid::get(id) : RefPtr<Pid>{};
  RefPtr<Task> task = pid ? pid->task_reference() : RefPtr<Task>{};
  if (!task) return error(Errno::esrch);
  return task;
}

}  // namespace linux_abi
