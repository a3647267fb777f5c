// prctl(2)
#include <array>

#include <arch/linux_abi.h>

#include "linux_abi/seccomp.h"
#include "syscalls/process/rows.h"

namespace linux_abi {

namespace {

using vfs::Capability;

constexpr std::uint32_t secure_keep_caps = 0x10, secure_keep_caps_locked = 0x20,
                        secure_no_cap_ambient_raise = 0x40, secure_all_bits = 0x55, secure_known = 0xff;

Result<RefPtr<vfs::Credentials>> editable(Context& context) { return context.task.credentials().try_clone(); }

Result<long> set_secure_bits(Context& context, std::uint32_t wanted) {
  const auto& own = context.task.credentials();
  std::uint32_t locked = (own.secure_bits >> 1) & secure_all_bits;
  if ((locked & (own.secure_bits ^ wanted)) || (own.secure_bits & (secure_all_bits << 1) & ~wanted) ||
      (wanted & ~secure_known) || !own.can(Capability::setpcap))
    return error(Errno::eperm);
  auto changed = TRY(editable(context));
  changed->secure_bits = wanted;
  context.task.set_credentials(std::move(changed));
  return 0;
}

Result<long> set_keep_capabilities(Context& context, std::uint64_t on) {
  const auto& own = context.task.credentials();
  if (on > 1) return error(Errno::einval);
  if (own.secure_bits & secure_keep_caps_locked) return error(Errno::eperm);
  auto changed = TRY(editable(context));
  changed->secure_bits = on ? own.secure_bits | secure_keep_caps : own.secure_bits & ~secure_keep_caps;
  context.task.set_credentials(std::move(changed));
  return 0;
}

Result<long> bounding_set(Context& context, Prctl operation, std::uint64_t number) {
  if (number > vfs::last_capability) return error(Errno::einval);
  auto capability = static_cast<Capability>(number);
  if (operation == Prctl::capbset_read) return context.task.credentials().bounding.has(capability);
  if (!context.task.can(Capability::setpcap)) return error(Errno::eperm);
  auto changed = TRY(editable(context));
  changed->bounding.drop(capability);
  context.task.set_credentials(std::move(changed));
  return 0;
}

Result<long> ambient_set(Context& context, std::uint64_t operation, std::uint64_t number,
                         std::uint64_t unused1, std::uint64_t unused2) {
  constexpr std::uint64_t is_set = 1, raise = 2, lower = 3, clear_all = 4;
  const auto& own = context.task.credentials();
  if (unused1 || unused2) return error(Errno::einval);
  if (operation == clear_all) {
    if (number) return error(Errno::einval);
    auto changed = TRY(editable(context));
    changed->ambient = {};
    context.task.set_credentials(std::move(changed));
    return 0;
  }
  if (number > vfs::last_capability || operation < is_set || operation > lower) return error(Errno::einval);
  auto capability = static_cast<Capability>(number);
  if (operation == is_set) return own.ambient.has(capability);
  auto changed = TRY(editable(context));
  if (operation == raise) {
    if (!own.permitted.has(capability) || !own.inheritable.has(capability) ||
        (own.secure_bits & secure_no_cap_ambient_raise))
      return error(Errno::eperm);
    changed->ambient.add(capability);
  } else {
    changed->ambient.drop(capability);
  }
  context.task.set_credentials(std::move(changed));
  return 0;
}

Result<long> thread_name(Context& context, Prctl operation, UserAddress address) {
  using Name = std::array<char, core::Thread::name_capacity>;
  if (operation == Prctl::get_name) {
    TRY(UserOut<Name>(address).write(context.task.thread().name()));
    return 0;
  }
  char name[core::Thread::name_capacity] = {};
  auto length = core::read_user_string(name, address);
  if (!length && length.error() != Errno::enametoolong) return error(length.error());
  name[sizeof(name) - 1] = 0;
  context.task.thread().set_name(name);
  return 0;
}

Result<long> set_no_new_privileges(Context& context, std::uint64_t value, bool rest_is_zero) {
  if (value != 1 || !rest_is_zero) return error(Errno::einval);
  auto changed = TRY(editable(context));
  changed->no_new_privileges = true;
  context.task.set_credentials(std::move(changed));
  return 0;
}

Result<long> get_auxv(Context& context, UserAddress to, std::uint64_t size) {
  auto space = context.process.address_space();
  auto& layout = space->program();
  std::uint64_t have = layout.auxiliary_words * sizeof(std::uint64_t);
  auto bytes = std::as_bytes(std::span(layout.auxiliary, layout.auxiliary_words));
  TRY(core::copy_to_user(to, bytes.first(size < have ? size : have)));
  return static_cast<long>(have);
}

}  // namespace

Result<long> sys_prctl(Context& context, Prctl operation, std::uint64_t a, std::uint64_t b, std::uint64_t c,
                       std::uint64_t d) {
  Task& task = context.task;
  Process& process = context.process;
  bool rest_is_zero = !b && !c && !d;
  switch (operation) {
    case Prctl::set_pdeathsig:
      if (a > static_cast<std::uint64_t>(signal_count)) return error(Errno::einval);
      task.parent_death_signal = static_cast<int>(a);
      return 0;
    case Prctl::get_pdeathsig:
      TRY(UserOut<int>(a).write(task.parent_death_signal));
      return 0;
    case Prctl::get_dumpable:
      return static_cast<long>(process.dumpable.load());
    case Prctl::set_dumpable:
      if (a > 1) return error(Errno::einval);
      process.dumpable.store(static_cast<std::uint32_t>(a));
      return 0;
    case Prctl::get_keepcaps:
      return (task.credentials().secure_bits & secure_keep_caps) != 0;
    case Prctl::set_keepcaps:
      return set_keep_capabilities(context, a);
    case Prctl::get_securebits:
      return static_cast<long>(task.credentials().secure_bits);
    case Prctl::set_securebits:
      return set_secure_bits(context, static_cast<std::uint32_t>(a));
    case Prctl::capbset_read:
    case Prctl::capbset_drop:
      return bounding_set(context, operation, a);
    case Prctl::cap_ambient:
      return ambient_set(context, a, b, c, d);
    case Prctl::set_name:
    case Prctl::get_name:
      return thread_name(context, operation, UserAddress(a));
    case Prctl::get_timing:
      return 0;
    case Prctl::set_timing:
      return a == 0 ? Result<long>(0) : error(Errno::einval);
    case Prctl::set_timerslack:
      task.timer_slack_ns = a ? a : task.default_timer_slack_ns;
      return 0;
    case Prctl::get_timerslack:
      return static_cast<long>(task.timer_slack_ns);
    case Prctl::set_child_subreaper: {
      core::MutexGuard guard{process_tree_lock()};
      process.subreaper = a != 0;
      return 0;
    }
    case Prctl::get_child_subreaper:
      TRY(UserOut<int>(a).write(process.subreaper));
      return 0;
    case Prctl::set_no_new_privs:
      return set_no_new_privileges(context, a, rest_is_zero);
    case Prctl::get_no_new_privs:
      if (a || !rest_is_zero) return error(Errno::einval);
      return task.credentials().no_new_privileges || shares_no_new_privileges(task);
    case Prctl::get_tid_address:
      TRY(UserOut<std::uintptr_t>(a).write(task.clear_child_tid));
      return 0;
    case Prctl::get_seccomp:
      return static_cast<long>(seccomp_mode(task));
    case Prctl::set_seccomp:
      if (a == static_cast<std::uint64_t>(seccomp::Mode::filter))
        return add_seccomp_filter(task, UserAddress(b), 0);
      if (a != static_cast<std::uint64_t>(seccomp::Mode::strict)) return error(Errno::einval);
      TRY(enter_strict_seccomp(task));
      return 0;
    case Prctl::get_thp_disable:
      return a || !rest_is_zero ? Result<long>(error(Errno::einval)) : Result<long>(0);
    case Prctl::get_auxv:
      return c || d ? Result<long>(error(Errno::einval)) : get_auxv(context, UserAddress(a), b);
    case Prctl::set_vma:
      return error(Errno::einval);  // as without CONFIG_ANON_VMA_NAME
    default:
      return arch::linux_own_prctl(task.thread().arch_state, static_cast<long>(operation),
                                   std::array{a, b, c, d});
  }
}

}  // namespace linux_abi
