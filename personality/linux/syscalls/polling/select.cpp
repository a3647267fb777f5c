// select(2), pselect(2)
#include <algorithm>

#include "poll/poll_table.h"
#include "syscalls/polling/wait.h"

namespace linux_abi {

namespace {

constexpr unsigned bits_per_word = 64;
// What makes a descriptor readable, writable or exceptional for select (man page, "Correspondence between
// select() and poll() notifications").
constexpr vfs::PollEvents set_events[3] = {
    vfs::poll_readable | vfs::poll_read_band | vfs::poll_hang_up | vfs::poll_error,
    vfs::poll_writable | vfs::poll_write_band | vfs::poll_error,
    vfs::poll_priority,
};
constexpr vfs::PollEvents asked_events[3] = {vfs::poll_readable, vfs::poll_writable, vfs::poll_priority};

struct Sets {
  UserAddress address[3];
  base::Vector<std::uint64_t> wanted[3], found[3];
  unsigned words = 0;

  Result<void> read(int count) {
    words = (static_cast<unsigned>(count) + bits_per_word - 1) / bits_per_word;
    for (int set = 0; set < 3; ++set) {
      TRY(wanted[set].try_resize(words));
      TRY(found[set].try_resize(words));
      if (!address[set].is_null()) TRY(UserArray<std::uint64_t>(address[set]).read(wanted[set].span()));
    }
    return {};
  }
  Result<void> write() {
    for (int set = 0; set < 3; ++set)
      if (!address[set].is_null()) TRY(UserArray<std::uint64_t>(address[set]).write(found[set].span()));
    return {};
  }
};

struct Watched {
  unsigned fd;
  vfs::PollEvents asked;
  RefPtr<vfs::File> file;
};

Result<void> collect(Context& context, Sets& sets, int count, base::Vector<Watched>& list) {
  for (unsigned fd = 0; fd < static_cast<unsigned>(count); ++fd) {
    vfs::PollEvents asked = 0;
    for (int set = 0; set < 3; ++set)
      if (sets.wanted[set][fd / bits_per_word] >> (fd % bits_per_word) & 1) asked |= asked_events[set];
    if (!asked) continue;
    auto found = context.task.files->use(static_cast<int>(fd));
    if (!found) return error(Errno::ebadf);
    TRY(list.try_push_back({fd, asked, found->share()}));
  }
  return {};
}

long look(Sets& sets, base::Vector<Watched>& list, poll::PollTable& table) {
  long ready = 0;
  for (int set = 0; set < 3; ++set)
    for (std::uint64_t& word : sets.found[set]) word = 0;
  for (Watched& one : list) {
    vfs::PollEvents now = one.file->poll(table.registering() ? &table.watching(one.asked) : nullptr);
    for (int set = 0; set < 3; ++set) {
      if (!(one.asked & asked_events[set]) || !(now & set_events[set])) continue;
      sets.found[set][one.fd / bits_per_word] |= std::uint64_t{1} << (one.fd % bits_per_word);
      ++ready;
    }
    if (ready) table.registered();
  }
  return ready;
}

Result<long> select_sets(Context& context, int count, Sets& sets, core::Deadline deadline) {
  if (count < 0) return error(Errno::einval);
  count = static_cast<int>(std::min<unsigned>(static_cast<unsigned>(count), context.task.files->capacity()));
  TRY(sets.read(count));
  base::Vector<Watched> list;
  TRY(collect(context, sets, count, list));
  poll::PollTable table;
  if (deadline == core::Deadline::passed()) table.registered();
  for (;;) {
    table.rearm();
    long ready = look(sets, list, table);
    table.registered();
    if (!ready && deadline != core::Deadline::passed()) {
      auto waited = table.wait(deadline);
      if (waited) continue;
      if (waited.error() == Errno::eintr) return error(Errno::restart_no_handler);
      if (waited.error() != Errno::etimedout) return error(waited.error());
    }
    TRY(sets.write());
    return ready;
  }
}

}  // namespace

Result<long> sys_select(Context& context, int count, UserAddress readable, UserAddress writable,
                        UserAddress exceptional, UserInOut<Timeval> timeout) {
  core::Deadline deadline = core::Deadline::never();
  if (timeout) {
    // select takes more than a million microseconds as seconds, but no negative numbers.
    Timeval given = TRY(timeout.read());
    if (given.seconds < 0 || given.microseconds < 0) return error(Errno::einval);
    given.seconds += given.microseconds / 1'000'000;
    given.microseconds %= 1'000'000;
    deadline = TRY(deadline_of(given));
  }
  Sets sets{{readable, writable, exceptional}, {}, {}};
  auto result = select_sets(context, count, sets, deadline);
  if (timeout && !deadline.is_never()) (void)!timeout.write(to_timeval(deadline.remaining_ns()));
  return result;
}

Result<long> sys_pselect6(Context& context, int count, UserAddress readable, UserAddress writable,
                          UserAddress exceptional, UserInOut<Timespec> timeout, UserIn<PselectMask> mask) {
  core::Deadline deadline = core::Deadline::never();
  if (timeout) deadline = TRY(deadline_of(TRY(timeout.read())));
  if (mask) {
    PselectMask where = TRY(mask.read());
    TRY(install_mask(context, UserIn<SignalSet>(static_cast<std::uintptr_t>(where.address)), where.size));
  }
  Sets sets{{readable, writable, exceptional}, {}, {}};
  auto result = finish_with_mask(context, select_sets(context, count, sets, deadline));
  if (timeout && !deadline.is_never()) (void)!timeout.write(to_timespec(deadline.remaining_ns()));
  return result;
}

}  // namespace linux_abi
