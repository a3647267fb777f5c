// memfd_create(2)
#include "syscalls/files/rows.h"
#include "tmpfs/tmpfs.h"

namespace linux_abi {

Result<long> sys_memfd_create(Context& context, UserString name_argument, unsigned flags) {
  constexpr std::string_view prefix = "/memfd:";
  constexpr std::size_t longest = name_max - std::string_view("memfd:").size();
  if (flags & ~(mfd_cloexec | mfd_allow_sealing | mfd_noexec_seal | mfd_exec)) return error(Errno::einval);
  if ((flags & mfd_exec) && (flags & mfd_noexec_seal)) return error(Errno::einval);
  char name[prefix.size() + longest + 1];
  prefix.copy(name, prefix.size());
  auto text = name_argument.read(std::span(name).subspan(prefix.size()));
  if (!text) return error(text.error() == Errno::enametoolong ? Errno::einval : text.error());
  bool no_execute = flags & mfd_noexec_seal;
  auto sealing =
      (flags & mfd_allow_sealing) || no_execute ? tmpfs::Sealing::allowed : tmpfs::Sealing::refused;
  auto file = TRY(tmpfs::create_memory_file(std::string_view(name, prefix.size() + text->size()),
                                            no_execute ? 0666 : 0777, sealing,
                                            context.task.credentials_reference(), vfs::open_read_write));
  if (no_execute) TRY(file->add_seals(tmpfs::seal_execute));
  auto close_on_exec = flags & mfd_cloexec ? CloseOnExec::yes : CloseOnExec::no;
  return TRY(context.task.files->add(std::move(file), close_on_exec, descriptor_limit(context)));
}

}  // namespace linux_abi
