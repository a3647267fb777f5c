// syslog(2): the kernel's log for dmesg where there is no /dev/kmsg.
#include <atomic>

#include "core/log/console.h"
#include "core/log/log_reader.h"
#include "syscalls/system/rows.h"

namespace linux_abi {

namespace {

// Where READ goes on, and what CLEAR cut off for READ_ALL.
constinit std::atomic<std::uint64_t> read_position{0}, cleared_before{0};
constinit std::atomic<int> console_level_before_off{0};

// Copies whole lines as long as they fit. Gives the bytes written; `next` is the first record left.
Result<long> copy_lines(std::uint64_t from, UserAddress to, std::size_t size, std::uint64_t& next) {
  core::LogReader reader{core::LogReader::Start::oldest};
  if (from > reader.sequence()) reader.seek(from);
  auto record = TRY(base::try_make_unique<core::LogRecord>());
  auto memory = TRY(base::try_make_unique<std::array<char, core::log_text_max + 64>>());
  std::size_t done = 0;
  next = reader.sequence();
  for (auto state = reader.next(*record); state != core::LogRead::none; state = reader.next(*record)) {
    if (state == core::LogRead::lost) continue;
    base::TextBuffer line(*memory);
    core::format_syslog_line(line, *record, core::LogTimestamp::yes);
    if (done + line.view().size() > size) break;
    TRY(core::copy_to_user(to + done, std::as_bytes(std::span(line.view()))));
    done += line.view().size();
    next = record->sequence + 1;
  }
  return static_cast<long>(done);
}

// The newest lines that fit.
Result<long> copy_newest(UserAddress to, std::size_t size) {
  std::uint64_t newest = core::log_next_sequence(), from = cleared_before.load();
  if (from < core::log_oldest_sequence()) from = core::log_oldest_sequence();
  // A line has at least this many bytes on average; begin late enough that the end is not cut off.
  constexpr std::size_t usual_line = 64;
  if (newest - from > size / usual_line) from = newest - size / usual_line;
  std::uint64_t next;
  return copy_lines(from, to, size, next);
}

}  // namespace

Result<long> sys_syslog(Context& context, int operation, UserAddress buffer, int length) {
  constexpr int close = 0, open = 1, read = 2, read_all = 3, read_clear = 4, clear = 5, console_off = 6,
                console_on = 7, set_level = 8, size_unread = 9, size_buffer = 10;
  bool privileged = context.task.can(vfs::Capability::syslog) || context.task.can(vfs::Capability::sys_admin);
  if (!privileged && operation != read_all && operation != size_buffer) return error(Errno::eperm);
  if (operation == read || operation == read_all || operation == read_clear) {
    if (buffer.is_null() || length < 0) return error(Errno::einval);
    if (length == 0) return 0;
  }
  switch (operation) {
    case close:
    case open:
      return 0;
    case read: {
      std::uint64_t next = 0;
      long done = TRY(copy_lines(read_position.load(), buffer, static_cast<std::size_t>(length), next));
      read_position.store(next);
      return done;
    }
    case read_clear: {
      long done = TRY(copy_newest(buffer, static_cast<std::size_t>(length)));
      cleared_before.store(core::log_next_sequence());
      return done;
    }
    case read_all:
      return copy_newest(buffer, static_cast<std::size_t>(length));
    case clear:
      cleared_before.store(core::log_next_sequence());
      return 0;
    case console_off:
      if (!console_level_before_off.load()) console_level_before_off.store(core::console_level());
      core::set_console_level(core::console_level_minimum);
      return 0;
    case console_on:
      if (int level = console_level_before_off.exchange(0)) core::set_console_level(level);
      return 0;
    case set_level:
      if (length < 1 || length > 8) return error(Errno::einval);
      core::set_console_level(length);
      return 0;
    case size_unread: {
      std::uint64_t from = read_position.load(), oldest = core::log_oldest_sequence();
      if (from < oldest) from = oldest;
      return static_cast<long>((core::log_next_sequence() - from) * 80);
    }
    case size_buffer:
      return 256 * 1024;
    default:
      return error(Errno::einval);
  }
}

}  // namespace linux_abi
