// uname(2), sethostname(2), setdomainname(2)
#include <cstring>

#include "arch/linux_abi.h"
#include "linux_abi/system_names.h"
#include "syscalls/system/rows.h"

namespace linux_abi {

Result<long> sys_uname(Context& context, UserOut<Utsname> out) {
  constexpr std::uint32_t uname26 = 0x0020000;
  Utsname names = system_names();
  if (context.task.personality & uname26) std::memcpy(names.release, "2.6.72", 7);
  constexpr std::uint32_t domain_mask = 0xff, linux_32 = 8;  // PER_MASK, PER_LINUX32
  if ((context.task.personality & domain_mask) == linux_32) {
    std::memset(names.machine, 0, sizeof(names.machine));
    std::memcpy(names.machine, arch::linux_machine_32, sizeof(arch::linux_machine_32));
  }
  TRY(out.write(names));
  return 0;
}

namespace {

Result<long> set_name(Context& context, UserBuffer from, int length, char (Utsname::*field)[65]) {
  if (!context.task.can(vfs::Capability::sys_admin)) return error(Errno::eperm);
  if (length < 0 || length > 64) return error(Errno::einval);
  char text[65] = {};
  TRY(from.read(std::as_writable_bytes(std::span(text)).first(static_cast<std::size_t>(length))));
  set_system_name(field, text);
  return 0;
}

}  // namespace

Result<long> sys_sethostname(Context& context, UserBuffer name, int length) {
  return set_name(context, name, length, &Utsname::node_name);
}
Result<long> sys_setdomainname(Context& context, UserBuffer name, int length) {
  return set_name(context, name, length, &Utsname::domain_name);
}

}  // namespace linux_abi
