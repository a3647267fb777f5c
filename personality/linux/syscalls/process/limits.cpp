// getrlimit(2), setrlimit(2), prlimit64(2)
#include "linux_abi/timers.h"
#include "syscalls/process/rows.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {

bool is_resource(Resource resource) { return static_cast<unsigned>(resource) < resource_count; }

Result<void> change_limit(Context& context, Process& target, Resource resource, Rlimit wanted) {
  if (wanted.current > wanted.maximum) return error(Errno::einval);
  if (resource == Resource::nofile && wanted.maximum > vfs::limits.nr_open.load(std::memory_order_relaxed))
    return error(Errno::eperm);
  if (wanted.maximum > target.limit(resource).maximum && !context.task.can(vfs::Capability::sys_resource))
    return error(Errno::eperm);
  target.set_limit(resource, wanted);
  if (resource == Resource::cpu) cpu_limit_changed(target);
  apply_memory_limits(target);
  return {};
}

// Whose limits may be seen and set by whom: all ids must match.
Result<void> may_change(Context& context, Process& target) {
  if (&target == &context.process) return {};
  const vfs::Credentials& own = context.task.credentials();
  auto other = credentials_of(target);
  if (!other) return error(Errno::esrch);
  bool same = own.uid == other->euid && own.uid == other->suid && own.uid == other->uid &&
              own.gid == other->egid && own.gid == other->sgid && own.gid == other->gid;
  if (!same && !own.can(vfs::Capability::sys_resource)) return error(Errno::eperm);
  return {};
}

}  // namespace

Result<long> sys_prlimit64(Context& context, int pid, Resource resource, UserIn<Rlimit> wanted,
                           UserOut<Rlimit> old) {
  if (!is_resource(resource)) return error(Errno::einval);
  auto target = TRY(task_by_id(context, pid));
  Process& process = target->process();
  TRY(may_change(context, process));
  Rlimit before = process.limit(resource);
  if (wanted) TRY(change_limit(context, process, resource, TRY(wanted.read())));
  if (old) TRY(old.write(before));
  return 0;
}

Result<long> sys_getrlimit(Context& context, Resource resource, UserOut<Rlimit> out) {
  if (!is_resource(resource)) return error(Errno::einval);
  TRY(out.write(context.process.limit(resource)));
  return 0;
}

Result<long> sys_setrlimit(Context& context, Resource resource, UserIn<Rlimit> in) {
  if (!is_resource(resource)) return error(Errno::einval);
  TRY(change_limit(context, context.process, resource, TRY(in.read())));
  return 0;
}

}  // namespace linux_abi
