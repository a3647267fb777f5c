// semget(2), semop(2), semtimedop(2), semctl(2)
#include "arch/linux_abi.h"
#include "core/init/init_step.h"
#include "procfs/procfs.h"
#include "syscalls/ipc/rows.h"
#include "syscalls/ipc/semaphore_set.h"

namespace linux_abi {

using ipc::Object;
using ipc::SemaphoreSet;

namespace {

constexpr int get_pid = 11, get_value = 12, get_all = 13, count_waiting = 14, count_waiting_zero = 15,
              set_value = 16, set_all = 17, command_stat_index = 18, command_usage = 19,
              command_stat_any = 20;
constexpr std::size_t most_sets = 32000, most_per_set = 32000, most_operations = 500;

constinit ipc::Table sets{"semaphore sets", most_sets};

// struct semid64_ds; the times have a word behind them on some machines.
template <bool padded>
struct SetTime {
  std::int64_t seconds = 0;
};
template <>
struct SetTime<true> {
  std::int64_t seconds = 0;
  std::uint64_t unused = 0;
};
struct UserSet {
  ipc::UserPermissions permissions;
  SetTime<arch::linux_semaphore_times_are_padded> operation_time, change_time;
  std::uint64_t count = 0, unused[2] = {};
};
// struct seminfo
struct UserLimits {
  std::int32_t map = 1024000000, sets = most_sets, semaphores = 1024000000, undos = 1024000000,
               per_set = most_per_set, operations = most_operations, undos_per_process = most_operations,
               undo_size = 20, largest_value = SemaphoreSet::largest_value,
               largest_adjustment = SemaphoreSet::largest_value;
};

Result<RefPtr<SemaphoreSet>> find_set(int id) {
  auto object = TRY(sets.find(id));
  return RefPtr<SemaphoreSet>(static_cast<SemaphoreSet*>(object.get()));
}

Result<long> report_all(int command, UserAddress out) {
  UserLimits limits;
  std::size_t semaphores = 0;
  auto use = sets.use([&](Object& object) { semaphores += static_cast<SemaphoreSet&>(object).size(); });
  if (command == command_usage) {
    limits.undo_size = use.count;
    limits.largest_adjustment = static_cast<std::int32_t>(semaphores);
  }
  TRY(UserOut<UserLimits>(out).write(limits));
  return use.highest_index;
}

Result<long> all_values(Context& context, SemaphoreSet& set, int command, UserAddress memory) {
  base::Vector<std::uint16_t> values;
  TRY(values.try_resize(set.size()));
  UserArray<std::uint16_t> out(memory);
  if (command == get_all) {
    TRY(set.check_access(context.task, ipc::wants_read));
    TRY(set.get_all({values.data(), values.size()}));
    TRY(out.write({values.data(), values.size()}));
    return 0;
  }
  TRY(set.check_access(context.task, ipc::wants_write));
  TRY(out.read({values.data(), values.size()}));
  for (std::uint16_t value : values)
    if (value > SemaphoreSet::largest_value) return error(Errno::erange);
  TRY(set.set_all({values.data(), values.size()}, context.process.id()));
  return 0;
}

Result<long> operate(Context& context, int id, UserAddress operations, std::size_t count,
                     core::Deadline deadline) {
  if (count < 1 || id < 0) return error(Errno::einval);
  if (count > most_operations) return error(Errno::e2big);
  base::Vector<ipc::SemaphoreOperation> wanted;
  TRY(wanted.try_resize(count));
  TRY(UserArray<ipc::SemaphoreOperation>(operations).read({wanted.data(), count}));
  auto set = TRY(find_set(id));
  unsigned access = ipc::wants_read;
  for (const auto& operation : wanted) {
    if (operation.number >= set->size()) return error(Errno::efbig);
    if (operation.amount) access = ipc::wants_write;
  }
  TRY(set->check_access(context.task, access));
  TRY(set->operate(context.process, {wanted.data(), count}, deadline));
  return 0;
}

}  // namespace

namespace {

Result<void> show_sets(base::TextSink& out) {
  base::format(out, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
  sets.for_each([&](Object& object) {
    auto& set = static_cast<SemaphoreSet&>(object);
    ipc::UserPermissions p = set.permissions();
    base::format(out, "{:>10} {:>10}  {:>4o} {:>10} {:>5} {:>5} {:>5} {:>5} {:>10} {:>10}\n",
                 static_cast<std::int32_t>(p.key), set.id(), p.mode, set.size(), p.uid, p.gid, p.creator_uid,
                 p.creator_gid, set.operation_time.load(), set.change_time.load());
  });
  return {};
}
Result<void> add_sets_file() { return procfs::add_text("sysvipc/sem", 0444, show_sets); }
INIT_STEP sets_file_step{"ipc.sem_file", {"procfs"}, add_sets_file, {"vfs"}};

}  // namespace

Result<long> sys_semget(Context& context, std::uint32_t key, int count, unsigned flags) {
  if (count < 0 || count > static_cast<int>(most_per_set)) return error(Errno::einval);
  auto wanted = static_cast<std::size_t>(count);
  auto check = [wanted](Object& object) -> Result<void> {
    if (wanted > static_cast<SemaphoreSet&>(object).size()) return error(Errno::einval);
    return {};
  };
  auto make = [&]() -> Result<RefPtr<Object>> {
    if (wanted == 0) return error(Errno::einval);
    return RefPtr<Object>(TRY(SemaphoreSet::create(context.task.credentials(), flags, wanted)));
  };
  return TRY(sets.get(context.task, key, flags, check, make));
}

Result<long> sys_semop(Context& context, int id, UserAddress operations, std::size_t count) {
  return operate(context, id, operations, count, core::Deadline::never());
}

Result<long> sys_semtimedop(Context& context, int id, UserAddress operations, std::size_t count,
                            UserIn<Timespec> limit) {
  core::Deadline deadline = core::Deadline::never();
  if (limit) {
    Timespec time = TRY(limit.read());
    if (!time.is_valid()) return error(Errno::einval);
    deadline = core::Deadline::after(to_nanoseconds(time));
  }
  return operate(context, id, operations, count, deadline);
}

Result<long> sys_semctl(Context& context, int id, int number, int command, std::uintptr_t argument) {
  if (id < 0) return error(Errno::einval);
  switch (command) {
    case ipc::command_info:
    case command_usage:
      return report_all(command, UserAddress(argument));
    case ipc::command_stat:
    case command_stat_index:
    case command_stat_any: {
      RefPtr<Object> object = TRY(command == ipc::command_stat ? sets.find(id) : sets.at(id));
      auto& set = static_cast<SemaphoreSet&>(*object);
      if (command != command_stat_any) TRY(set.check_access(context.task, ipc::wants_read));
      UserSet state{.permissions = set.permissions(),
                    .operation_time = {set.operation_time.load()},
                    .change_time = {set.change_time.load()},
                    .count = set.size()};
      TRY(UserOut<UserSet>(argument).write(state));
      return command == ipc::command_stat ? 0 : set.id();
    }
    case ipc::command_set: {
      auto wanted = TRY(UserIn<UserSet>(argument).read());
      auto set = TRY(find_set(id));
      TRY(set->check_control(context.task));
      TRY(set->set_permissions(wanted.permissions));
      return 0;
    }
    case ipc::command_remove: {
      auto set = TRY(find_set(id));
      TRY(set->check_control(context.task));
      RefPtr<Object> from_table = sets.remove(*set);
      set->wake_all();
      return 0;
    }
    case get_all:
    case set_all:
      return all_values(context, *TRY(find_set(id)), command, UserAddress(argument));
    case set_value:
    case get_value:
    case get_pid:
    case count_waiting:
    case count_waiting_zero:
      break;
    default:
      return error(Errno::einval);
  }
  auto set = TRY(find_set(id));
  auto index = static_cast<std::size_t>(number);
  if (number < 0 || index >= set->size()) return error(Errno::einval);
  TRY(set->check_access(context.task, command == set_value ? ipc::wants_write : ipc::wants_read));
  switch (command) {
    case set_value: {
      auto value = static_cast<int>(argument);
      if (value < 0 || value > SemaphoreSet::largest_value) return error(Errno::erange);
      TRY(set->set(index, static_cast<std::uint16_t>(value), context.process.id()));
      return 0;
    }
    case get_value:
      return set->value(index).value;
    case get_pid:
      return set->value(index).last_pid;
    default:
      return set->waiters(index, command == count_waiting ? SemaphoreSet::Waiting::for_more
                                                          : SemaphoreSet::Waiting::for_zero);
  }
}

}  // namespace linux_abi
