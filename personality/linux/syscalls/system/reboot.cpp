// reboot(2)
#include "arch/power.h"
#include "core/log/console.h"
#include "core/log/log.h"
#include "syscalls/system/rows.h"
#include "vfs/operations.h"

namespace linux_abi {

Result<long> sys_reboot(Context& context, std::uint32_t magic1, std::uint32_t magic2, std::uint32_t command) {
  constexpr std::uint32_t first_magic = 0xfee1dead,
                          second_magics[] = {672274793, 85072278, 369367448, 537993216};
  constexpr std::uint32_t restart = 0x01234567, halt = 0xcdef0123, cad_on = 0x89abcdef, cad_off = 0,
                          power_off = 0x4321fedc, restart2 = 0xa1b2c3d4;
  if (!context.task.can(vfs::Capability::sys_boot)) return error(Errno::eperm);
  bool known = false;
  for (std::uint32_t magic : second_magics) known |= magic == magic2;
  if (magic1 != first_magic || !known) return error(Errno::einval);
  switch (command) {
    case cad_on:
    case cad_off:
      return 0;  // there is no keyboard interrupt to divert yet: nothing changes either way
    case restart:
    case restart2:
      core::log(core::LogLevel::emergency, "reboot: Restarting system");
      core::finish_printing();
      arch::restart();
    case power_off:
      core::log(core::LogLevel::emergency, "reboot: Power down");
      core::finish_printing();
      arch::power_off();
    case halt:
      core::log(core::LogLevel::emergency, "reboot: System halted");
      core::finish_printing();
      arch::halt_forever();
    default:
      return error(Errno::einval);
  }
}

}  // namespace linux_abi
