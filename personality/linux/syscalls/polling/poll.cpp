// poll(2), ppoll(2)
#include "poll/poll_table.h"
#include "syscalls/polling/wait.h"

namespace linux_abi {

namespace {

// What is asked, and what the program's `returned` holds: only what changes is written.
struct List {
  static constexpr unsigned inline_entries = 32;
  PollDescriptor few[inline_entries];
  base::Vector<PollDescriptor> many;
  std::span<PollDescriptor> entries;

  Result<void> read(UserArray<PollDescriptor> from, unsigned count) {
    if (count > inline_entries) TRY(many.try_resize(count));
    entries = {count > inline_entries ? many.data() : few, count};
    return from.read(entries);
  }
};

vfs::PollEvents events_of(FileTable& files, const PollDescriptor& entry, poll::PollTable& table) {
  if (entry.fd < 0) return 0;
  auto file = files.use(entry.fd);
  if (!file) return vfs::poll_invalid;
  auto wanted = static_cast<std::uint16_t>(entry.events) | vfs::poll_error | vfs::poll_hang_up;
  return table.ask(**file, wanted) & wanted;
}

// One look at all of them; the answers go straight to the program. How many are ready.
Result<long> look(FileTable& files, std::span<PollDescriptor> entries, UserArray<PollDescriptor> list,
                  poll::PollTable& table) {
  long ready = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    auto returned = static_cast<std::int16_t>(events_of(files, entries[i], table));
    if (returned) {
      ++ready;
      table.registered();  // no need to wait any more
    }
    if (returned == entries[i].returned) continue;
    UserAddress place = list.address() + i * sizeof(PollDescriptor) + offsetof(PollDescriptor, returned);
    TRY(UserOut<std::int16_t>(place).write(returned));
    entries[i].returned = returned;
  }
  table.registered();
  return ready;
}

Result<long> poll_list(Context& context, UserArray<PollDescriptor> list, unsigned count,
                       core::Deadline deadline) {
  if (count > descriptor_limit(context)) return error(Errno::einval);
  List asked;
  TRY(asked.read(list, count));
  poll::PollTable table;
  if (deadline == core::Deadline::passed()) table.registered();  // only looks
  for (;;) {
    table.rearm();
    long ready = TRY(look(*context.task.files, asked.entries, list, table));
    if (ready || deadline == core::Deadline::passed()) return ready;
    auto waited = table.wait(deadline);
    if (waited) continue;
    if (waited.error() == Errno::etimedout) return 0;
    return error(waited.error());
  }
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
