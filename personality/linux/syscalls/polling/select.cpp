// select(2), pselect(2)
#include <algorithm>
#include <bit>

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

// Three sets of descriptors that are asked for and three of those that were found ready, word by word.
struct Sets {
  static constexpr unsigned inline_words = 4;
  using Words = std::span<std::uint64_t>;

  UserAddress address[3];
  Words wanted[3], found[3];
  unsigned words = 0;
  std::uint64_t few[6 * inline_words] = {};
  base::Vector<std::uint64_t> many;

  explicit Sets(UserAddress readable, UserAddress writable, UserAddress exceptional)
      : address{readable, writable, exceptional} {}

  Result<void> read(unsigned count) {
    words = (count + bits_per_word - 1) / bits_per_word;
    if (words > inline_words) TRY(many.try_resize(std::size_t{6} * words));
    std::uint64_t* memory = words > inline_words ? many.data() : few;
    for (unsigned set = 0; set < 3; ++set) {
      wanted[set] = {memory + std::size_t{2} * set * words, words};
      found[set] = {memory + (std::size_t{2} * set + 1) * words, words};
      if (!address[set].is_null()) TRY(UserArray<std::uint64_t>(address[set]).read(wanted[set]));
    }
    // What lies beyond the count in the last word was not asked for.
    if (count % bits_per_word)
      for (Words& set : wanted) set[words - 1] &= (std::uint64_t{1} << (count % bits_per_word)) - 1;
    return {};
  }
  Result<void> write() {
    for (unsigned set = 0; set < 3; ++set)
      if (!address[set].is_null())
        TRY(UserArray<std::uint64_t>(address[set]).write(std::span<const std::uint64_t>(found[set])));
    return {};
  }
};

// Asks about one descriptor; `bit` of word `index` stands for it. How many of the sets it is in now.
Result<long> look_at(FileTable& files, Sets& sets, unsigned index, std::uint64_t bit,
                     poll::PollTable& table) {
  vfs::PollEvents asked = 0;
  for (unsigned set = 0; set < 3; ++set)
    if (sets.wanted[set][index] & bit) asked |= asked_events[set];
  auto number = static_cast<int>(index * bits_per_word + static_cast<unsigned>(std::countr_zero(bit)));
  FileUse file = TRY(files.use(number));
  vfs::PollEvents now = table.ask(*file, asked);
  long ready = 0;
  for (unsigned set = 0; set < 3; ++set) {
    if (!(sets.wanted[set][index] & bit) || !(now & set_events[set])) continue;
    sets.found[set][index] |= bit;
    ++ready;
  }
  return ready;
}

// EBADF when one is not open; Linux, too, looks at them again after it waited, and leaves out one that was
// closed meanwhile.
enum class Round : bool { first, later };
Result<long> look(FileTable& files, Sets& sets, Round round, poll::PollTable& table) {
  long ready = 0;
  for (unsigned index = 0; index < sets.words; ++index) {
    for (auto& found : sets.found) found[index] = 0;
    std::uint64_t left = sets.wanted[0][index] | sets.wanted[1][index] | sets.wanted[2][index];
    for (; left; left &= left - 1) {
      auto now = look_at(files, sets, index, left & -left, table);
      if (!now && round == Round::first) return now;
      if (!now || !*now) continue;
      ready += *now;
      table.registered();
    }
  }
  return ready;
}

Result<long> select_sets(Context& context, int count, Sets& sets, core::Deadline deadline) {
  if (count < 0) return error(Errno::einval);
  FileTable& files = *context.task.files;
  TRY(sets.read(std::min(static_cast<unsigned>(count), files.capacity())));
  poll::PollTable table;
  if (deadline == core::Deadline::passed()) table.registered();
  for (Round round = Round::first;; round = Round::later) {
    table.rearm();
    long ready = TRY(look(files, sets, round, table));
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
  Sets sets{readable, writable, exceptional};
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
  Sets sets{readable, writable, exceptional};
  auto result = finish_with_mask(context, select_sets(context, count, sets, deadline));
  if (timeout && !deadline.is_never()) (void)!timeout.write(to_timespec(deadline.remaining_ns()));
  return result;
}

}  // namespace linux_abi
