// The system-call table: the rows of every subject, by number. A folder that joins syscalls/ adds its two
// lines here.
#include <array>

#include "linux_abi/lifecycle.h"
#include "linux_abi/syscall.h"
#include "syscalls/accounting/rows.h"
#include "syscalls/async_io/rows.h"
#include "syscalls/credentials/rows.h"
#include "syscalls/events/rows.h"
#include "syscalls/files/rows.h"
#include "syscalls/handles/rows.h"
#include "syscalls/ipc/rows.h"
#include "syscalls/keys/rows.h"
#include "syscalls/memory/rows.h"
#include "syscalls/memory_nodes/rows.h"
#include "syscalls/pipes/rows.h"
#include "syscalls/polling/rows.h"
#include "syscalls/process/rows.h"
#include "syscalls/scheduling/rows.h"
#include "syscalls/security/rows.h"
#include "syscalls/signals/rows.h"
#include "syscalls/sockets/rows.h"
#include "syscalls/synchronisation/rows.h"
#include "syscalls/system/rows.h"
#include "syscalls/time/rows.h"
#include "syscalls/tracing/rows.h"
#include "syscalls/user_faults/rows.h"
#include "syscalls/watches/rows.h"

namespace linux_abi {

namespace {

struct Table {
  std::array<SyscallFunction, syscall_table_size> functions{};
  std::array<const SyscallRow*, syscall_table_size> rows{};
};

// Not constexpr on purpose: two rows for one number make the build fail with this name in the message.
void two_rows_for_one_number() {}

template <std::size_t... sizes>
consteval Table merge(const SyscallRow (&... subjects)[sizes]) {
  Table table;
  for (SyscallFunction& function : table.functions) function = &missing_system_call;
  auto add = [&](const SyscallRow* rows, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      if (rows[i].number < 0) continue;  // not on this architecture
      auto index = static_cast<std::size_t>(rows[i].number);
      if (table.rows[index]) two_rows_for_one_number();
      table.functions[index] = rows[i].function;
      table.rows[index] = &rows[i];
    }
  };
  (add(subjects, sizes), ...);
  return table;
}

constexpr Table table = merge(
    syscalls::accounting::rows, syscalls::async_io::rows, syscalls::credentials::rows, syscalls::events::rows,
    syscalls::files::rows, syscalls::handles::rows, syscalls::ipc::rows, syscalls::keys::rows,
    syscalls::memory::rows, syscalls::memory_nodes::rows, syscalls::pipes::rows, syscalls::polling::rows,
    syscalls::process::rows, syscalls::scheduling::rows, syscalls::security::rows, syscalls::signals::rows,
    syscalls::sockets::rows, syscalls::synchronisation::rows, syscalls::system::rows, syscalls::time::rows,
    syscalls::tracing::rows, syscalls::user_faults::rows, syscalls::watches::rows);

}  // namespace

constinit const std::array<const SyscallRow*, syscall_table_size> syscall_rows_by_number = table.rows;
constinit const std::array<SyscallFunction, syscall_table_size> syscall_functions = table.functions;

}  // namespace linux_abi
