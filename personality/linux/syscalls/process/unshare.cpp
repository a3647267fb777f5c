// unshare(2)
#include "linux_abi/namespaces.h"
#include "syscalls/process/rows.h"

namespace linux_abi {

Result<long> sys_unshare(Context& context, std::uint64_t flags) {
  constexpr std::uint64_t known =
      clone_fs | clone_files | clone_sysvsem | clone_vm | clone_sighand | clone_thread | clone_newuts;
  Task& task = context.task;
  // Namespaces of the other kinds: as in a kernel built without them.
  if (flags & ~known) return error(Errno::einval);
  if ((flags & (clone_thread | clone_sighand | clone_vm)) && context.process.thread_count.load() > 1)
    return error(Errno::einval);
  if ((flags & clone_sighand) && context.process.actions->reference_count() > 1) return error(Errno::einval);
  if ((flags & clone_newuts) && !task.can(vfs::Capability::sys_admin)) return error(Errno::eperm);
  RefPtr<UtsNamespace> uts;
  if (flags & clone_newuts) uts = TRY(UtsNamespace::copy_of(task.uts.get()));
  RefPtr<vfs::FileSystemContext> file_system;
  RefPtr<FileTable> files;
  if ((flags & clone_fs) && task.file_system->reference_count() > 1)
    file_system = TRY(task.file_system->try_clone());
  if ((flags & clone_files) && task.files->reference_count() > 1) files = TRY(task.files->try_clone());
  if (uts) task.set_uts(std::move(uts));
  if (file_system) task.set_file_system(std::move(file_system));
  if (files) task.set_files(std::move(files));
  return 0;
}

}  // namespace linux_abi
