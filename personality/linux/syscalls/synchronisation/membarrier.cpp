// membarrier(2)
#include "arch/smp.h"
#include "core/sync/rcu.h"
#include "syscalls/synchronisation/rows.h"

namespace linux_abi {

namespace {

constexpr int registrations = membarrier::register_global_expedited | membarrier::register_private_expedited |
                              membarrier::register_private_expedited_sync_core |
                              membarrier::register_private_expedited_rseq;

// Every other CPU takes an interrupt, which is a full barrier, and on its way back to user mode synchronises
// instruction fetch and looks at rseq areas.
void interrupt_all_cpus() { core::rcu_synchronize_expedited(); }

}  // namespace

Result<long> sys_membarrier(Context& context, int command, unsigned flags, int) {
  namespace mb = membarrier;
  Process& process = context.process;
  if (flags && command != mb::private_expedited_rseq) return error(Errno::einval);
  if (flags & ~1u) return error(Errno::einval);
  int done = process.membarrier_registrations.load(std::memory_order_relaxed);
  switch (command) {
    case mb::query:
      return mb::global | mb::global_expedited | mb::private_expedited | mb::private_expedited_sync_core |
             mb::private_expedited_rseq | registrations | mb::get_registrations;
    case mb::global:
      core::rcu_synchronize();
      return 0;
    case mb::global_expedited:
      interrupt_all_cpus();
      return 0;
    case mb::register_global_expedited:
    case mb::register_private_expedited:
    case mb::register_private_expedited_sync_core:
    case mb::register_private_expedited_rseq:
      process.membarrier_registrations.fetch_or(command, std::memory_order_relaxed);
      return 0;
    case mb::private_expedited:
    case mb::private_expedited_sync_core:
    case mb::private_expedited_rseq:
      // The registration's bit is the next one up.
      if (!(done & command << 1)) return error(Errno::eperm);
      interrupt_all_cpus();
      return 0;
    case mb::get_registrations:
      return done;
    default:
      return error(Errno::einval);
  }
}

}  // namespace linux_abi
