// setns(2)
#include "linux_abi/namespaces.h"
#include "syscalls/process/rows.h"

namespace linux_abi {

namespace {

// The only one of its kind is joined by whoever is in it already; what that still changes is done here.
Result<void> join_again(Context& context, const NamespaceKind& kind) {
  Task& task = context.task;
  switch (kind.clone_flag) {
    case clone_newuser:
      return error(Errno::einval);  // the own one cannot be entered again
    case clone_newtime:
      if (context.process.thread_count.load() > 1) return error(Errno::eusers);
      return {};
    case clone_newns: {
      if (!task.can(vfs::Capability::sys_chroot)) return error(Errno::eperm);
      if (task.file_system->reference_count() > 1) return error(Errno::einval);
      // Out of any chroot, to the root that the first process sees.
      Process* init = Process::init();
      auto leader = init ? init->leader() : nullptr;
      auto first = leader ? file_system_of(*leader) : nullptr;
      if (!first) return {};
      task.file_system->set_root(first->root());
      task.file_system->set_current_directory(first->root());
      return {};
    }
    default:
      return {};
  }
}

}  // namespace

Result<long> sys_setns(Context& context, FileDescriptor fd, int kind) {
  FileUse file = TRY(context.task.files->use(fd.number));
  auto* space = file->as<NamespaceFile>();
  if (!space) return error(Errno::einval);
  const NamespaceKind& found = space->namespace_kind();
  if (kind && static_cast<std::uint64_t>(kind) != found.clone_flag) return error(Errno::einval);
  if (!context.task.can(vfs::Capability::sys_admin)) return error(Errno::eperm);
  if (found.clone_flag == clone_newuts)
    context.task.set_uts(space->uts());
  else
    TRY(join_again(context, found));
  return 0;
}

}  // namespace linux_abi
