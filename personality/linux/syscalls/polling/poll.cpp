// poll(2), ppoll(2)
#include "poll/poll_table.h"
#include "syscalls/polling/wait.h"

namespace linux_abi {

namespace {

// One entry, with its file held for the length of the call.
struct Watched {
  PollDescriptor entry;
  RefPtr<vfs::File> file;
};

vfs::PollEvents events_of(Watched& watched, poll::PollTable& table) {
  if (watched.entry.fd < 0) return 0;
  if (!watched.file) return vfs::poll_invalid;
  auto wanted = static_cast<std::uint16_t>(watched.entry.events) | vfs::poll_error | vfs::poll_hang_up;
  return watched.file->poll(table.registering() ? &table.watching(wanted) : nullptr) & wanted;
}

Result<long> wait_for_any(base::Vector<Watched>& list, core::Deadline deadline) {
  poll::PollTable table;
  if (deadline == core::Deadline::passed()) table.registered();  // only looks
  for (;;) {
    table.rearm();
    long ready = 0;
    for (Watched& watched : list) {
      watched.entry.returned = static_cast<std::int16_t>(events_of(watched, table));
      if (watched.entry.returned) {
        ++ready;
        table.registered();  // no need to wait any more
      }
    }
    table.registered();
    if (ready || deadline == core::Deadline::passed()) return ready;
    auto waited = table.wait(deadline);
    if (waited) continue;
    if (waited.error() == Errno::etimedout) return 0;
    return error(waited.error());
  }
}

Result<long> poll_list(Context& context, UserArray<PollDescriptor> list, unsigned count,
                       core::Deadline deadline) {
  if (count > descriptor_limit(context)) return error(Errno::einval);
  base::Vector<Watched> watched;
  TRY(watched.try_reserve(count));
  for (unsigned i = 0; i < count; ++i) {
    PollDescriptor entry = TRY(UserIn<PollDescriptor>(list.address()).read_at(i));
    RefPtr<vfs::File> file;
    if (entry.fd >= 0) {
      if (auto found = context.task.files->use(entry.fd)) file = found->share();
    }
    watched.push_back_reserved({entry, std::move(file)});
  }
  Result<long> ready = wait_for_any(watched, deadline);
  if (!ready) return ready;
  for (unsigned i = 0; i < count; ++i) {
    UserAddress place = list.address() + i * sizeof(PollDescriptor) + offsetof(PollDescriptor, returned);
    TRY(UserOut<std::int16_t>(place).write(watched[i].entry.returned));
  }
  return ready;
}

// Continues after a stop signal with what is left of the time.
Result<long> restart_poll(Task& task, RestartBlock& block);

Result<long> poll_restartable(Context& context, UserArray<PollDescriptor> list, unsigned count,
                              core::Deadline deadline) {
  auto result = poll_list(context, list, count, deadline);
  if (result || result.error() != Errno::eintr) return result;
  RestartBlock& block = context.task.restart;
  block.function = restart_poll;
  block.deadline_ns = deadline.ns();
  block.arguments[0] = list.address().value();
  block.arguments[1] = count;
  return error(Errno::restart_block);
}

Result<long> restart_poll(Task& task, RestartBlock& block) {
  Context context{task, task.process(), task.registers};
  return poll_restartable(context, UserArray<PollDescriptor>(static_cast<std::uintptr_t>(block.arguments[0])),
                          static_cast<unsigned>(block.arguments[1]), core::Deadline::at(block.deadline_ns));
}

}  // namespace

Result<long> sys_poll(Context& context, UserArray<PollDescriptor> list, unsigned count, int timeout_ms) {
  return poll_restartable(context, list, count, deadline_of_ms(timeout_ms));
}

Result<long> sys_ppoll(Context& context, UserArray<PollDescriptor> list, unsigned count,
                       UserInOut<Timespec> timeout, UserIn<SignalSet> mask, std::size_t mask_size) {
  core::Deadline deadline = core::Deadline::never();
  if (timeout) deadline = TRY(deadline_of(TRY(timeout.read())));
  TRY(install_mask(context, mask, mask_size));
  auto result = poll_list(context, list, count, deadline);
  if (!result && result.error() == Errno::eintr) result = error(Errno::restart_no_handler);
  result = finish_with_mask(context, result);
  // Linux tells how much time is left; a bad address does not spoil the result.
  if (timeout && !deadline.is_never()) (void)!timeout.write(to_timespec(deadline.remaining_ns()));
  return result;
}

}  // namespace linux_abi
