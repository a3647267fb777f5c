// futex(2), futex_waitv(2), futex_wake(2), futex_wait(2), futex_requeue(2)
#include "linux_abi/futex.h"

#include "core/time/clock.h"
#include "syscalls/synchronisation/rows.h"

namespace linux_abi {

namespace {

// An absolute time on one of the two clocks.
core::Deadline deadline_of(const Timespec& time, bool realtime) {
  std::uint64_t ns = to_nanoseconds(time);
  if (ns >= maximum_nanoseconds) return core::Deadline::never();
  if (!realtime) return core::Deadline::at(ns);
  std::uint64_t now = core::realtime_ns();
  return core::Deadline::after(ns > now ? ns - now : 0);
}

Result<core::Deadline> read_deadline(UserIn<Timespec> in, bool realtime, bool relative) {
  if (in.is_null()) return core::Deadline::never();
  Timespec time = TRY(in.read());
  if (!time.is_valid()) return error(Errno::einval);
  return relative ? core::Deadline::after(to_nanoseconds(time)) : deadline_of(time, realtime);
}

// arguments: address, expected, bitset, scope
Result<long> continue_wait(Task& task, RestartBlock& block) {
  auto result =
      futex_wait(task, block.arguments[0], static_cast<FutexScope>(block.arguments[3]),
                 static_cast<std::uint32_t>(block.arguments[1]),
                 static_cast<std::uint32_t>(block.arguments[2]), core::Deadline::at(block.deadline_ns));
  if (result || result.error() != Errno::eintr) return result;
  block.function = continue_wait;
  return error(Errno::restart_block);
}

// A wait with a timeout continues with what is left of it; one without simply starts again.
Result<long> wait(Task& task, std::uintptr_t address, FutexScope scope, std::uint32_t value,
                  std::uint32_t bitset, core::Deadline deadline) {
  auto result = futex_wait(task, address, scope, value, bitset, deadline);
  if (result || result.error() != Errno::eintr || deadline.is_never()) return result;
  task.restart.function = continue_wait;
  task.restart.deadline_ns = deadline.ns();
  task.restart.arguments[0] = address;
  task.restart.arguments[1] = value;
  task.restart.arguments[2] = bitset;
  task.restart.arguments[3] = static_cast<std::uint64_t>(scope);
  return error(Errno::restart_block);
}

}  // namespace

Result<long> sys_futex(Context& context, std::uintptr_t address, std::uint32_t operation, std::uint32_t value,
                       std::uint64_t timeout, std::uintptr_t second, std::uint32_t third) {
  Task& task = context.task;
  auto scope = operation & futex_private_flag ? FutexScope::private_to_process : FutexScope::shared;
  bool realtime = operation & futex_clock_realtime;
  auto command = static_cast<FutexOperation>(operation & ~(futex_private_flag | futex_clock_realtime));
  if (realtime && command != FutexOperation::wait && command != FutexOperation::wait_bitset &&
      command != FutexOperation::wait_requeue_pi && command != FutexOperation::lock_pi2)
    return error(Errno::enosys);
  UserIn<Timespec> time{UserAddress(timeout)};
  auto second_count = static_cast<std::uint32_t>(timeout);
  switch (command) {
    case FutexOperation::wait:
      return wait(task, address, scope, value, futex_match_any,
                  TRY(read_deadline(time, realtime, !realtime)));
    case FutexOperation::wait_bitset:
      return wait(task, address, scope, value, third, TRY(read_deadline(time, realtime, false)));
    case FutexOperation::wake:
      return futex_wake(task, address, scope, value, futex_match_any);
    case FutexOperation::wake_bitset:
      return futex_wake(task, address, scope, value, third);
    case FutexOperation::requeue:
    case FutexOperation::cmp_requeue:
      if (static_cast<std::int32_t>(value) < 0 || static_cast<std::int32_t>(second_count) < 0)
        return error(Errno::einval);
      return futex_requeue(task, address, second, scope, value, second_count,
                           command == FutexOperation::cmp_requeue ? &third : nullptr);
    case FutexOperation::wake_op:
      return futex_wake_op(task, address, second, scope, value, second_count, third);
    case FutexOperation::lock_pi:
      return futex_lock_pi(task, address, scope, TRY(read_deadline(time, true, false)), FutexTry::wait);
    case FutexOperation::lock_pi2:
      return futex_lock_pi(task, address, scope, TRY(read_deadline(time, realtime, false)), FutexTry::wait);
    case FutexOperation::trylock_pi:
      return futex_lock_pi(task, address, scope, core::Deadline::passed(), FutexTry::try_only);
    case FutexOperation::unlock_pi:
      return futex_unlock_pi(task, address, scope);
    case FutexOperation::wait_requeue_pi:
      return futex_wait_requeue_pi(task, address, second, scope, value, futex_match_any,
                                   TRY(read_deadline(time, realtime, false)));
    case FutexOperation::cmp_requeue_pi:
      if (value != 1) return error(Errno::einval);
      return futex_requeue_pi(task, address, second, scope, second_count, third);
    default:
      return error(Errno::enosys);
  }
}

namespace {

Result<FutexScope> futex2_scope(std::uint32_t flags) {
  if (flags & ~(futex2_size_mask | futex2_private)) return error(Errno::einval);
  if ((flags & futex2_size_mask) != futex2_size_u32) return error(Errno::einval);
  return flags & futex2_private ? FutexScope::private_to_process : FutexScope::shared;
}

Result<core::Deadline> futex2_deadline(UserIn<Timespec> time, ClockId clock) {
  if (time.is_null()) return core::Deadline::never();
  if (clock != ClockId::monotonic && clock != ClockId::realtime) return error(Errno::einval);
  return read_deadline(time, clock == ClockId::realtime, false);
}

}  // namespace

Result<long> sys_futex_waitv(Context& context, UserArray<FutexWaitv> in, std::uint32_t count, unsigned flags,
                             UserIn<Timespec> timeout, ClockId clock) {
  constexpr std::uint32_t most = 128;
  if (flags || !count || count > most || in.is_null()) return error(Errno::einval);
  core::Deadline deadline = TRY(futex2_deadline(timeout, clock));
  base::Vector<FutexWaitSpecification> futexes;
  for (std::uint32_t i = 0; i < count; ++i) {
    FutexWaitv one;
    TRY(in.read(std::span(&one, 1), i));
    if (one.reserved) return error(Errno::einval);
    TRY(futexes.try_push_back(
        {one.address, static_cast<std::uint32_t>(one.value), TRY(futex2_scope(one.flags))}));
  }
  return futex_wait_any(context.task, futexes.span(), deadline);
}

Result<long> sys_futex_wake(Context& context, std::uintptr_t address, std::uint64_t mask, int count,
                            std::uint32_t flags) {
  FutexScope scope = TRY(futex2_scope(flags));
  if (!mask || mask > 0xffffffff) return error(Errno::einval);
  if (count <= 0) return 0;
  return futex_wake(context.task, address, scope, static_cast<std::uint32_t>(count),
                    static_cast<std::uint32_t>(mask));
}

Result<long> sys_futex_wait(Context& context, std::uintptr_t address, std::uint64_t value, std::uint64_t mask,
                            std::uint32_t flags, UserIn<Timespec> timeout, ClockId clock) {
  FutexScope scope = TRY(futex2_scope(flags));
  if (!mask || mask > 0xffffffff || value > 0xffffffff) return error(Errno::einval);
  return wait(context.task, address, scope, static_cast<std::uint32_t>(value),
              static_cast<std::uint32_t>(mask), TRY(futex2_deadline(timeout, clock)));
}

Result<long> sys_futex_requeue(Context& context, UserArray<FutexWaitv> in, unsigned flags, int wake,
                               int move) {
  if (flags || in.is_null()) return error(Errno::einval);
  FutexWaitv both[2];
  TRY(in.read(both));
  for (const FutexWaitv& one : both)
    if (one.reserved) return error(Errno::einval);
  FutexScope scope = TRY(futex2_scope(both[0].flags));
  if (TRY(futex2_scope(both[1].flags)) != scope || wake < 0 || move < 0) return error(Errno::einval);
  auto expected = static_cast<std::uint32_t>(both[0].value);
  return futex_requeue(context.task, both[0].address, both[1].address, scope,
                       static_cast<std::uint32_t>(wake), static_cast<std::uint32_t>(move), &expected);
}

}  // namespace linux_abi
