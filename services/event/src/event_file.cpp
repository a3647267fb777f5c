#include "event/event_file.h"

#include "core/memory/io_buffer.h"

namespace event {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;

Result<RefPtr<EventFile>> EventFile::create(std::uint32_t initial, Mode mode, vfs::OpenFlags flags,
                                            RefPtr<const vfs::Credentials> credentials) {
  auto file = TRY(base::try_make_ref<EventFile>(initial, mode));
  file->attach(TRY(vfs::anonymous_path("[eventfd]")), vfs::open_read_write | flags, std::move(credentials));
  return file;
}

bool EventFile::try_take(std::uint64_t& value) {
  std::uint64_t count = count_.load();
  do {
    if (count == 0) return false;
    value = mode_ == Mode::semaphore ? 1 : count;
  } while (!count_.compare_exchange_weak(count, count - value));
  return true;
}

bool EventFile::try_add(std::uint64_t value) {
  std::uint64_t count = count_.load();
  do {
    if (value > maximum - count || count > maximum) return false;
  } while (!count_.compare_exchange_weak(count, count + value));
  return true;
}

Result<std::size_t> EventFile::read_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags io_flags) {
  if (buffer.remaining() < sizeof(std::uint64_t)) return error(Errno::einval);
  std::uint64_t value = 0;
  if (!try_take(value)) {
    if (is_non_blocking() || (io_flags & vfs::io_no_wait)) return error(Errno::eagain);
    TRY(readers_.wait(core::WaitMode::interruptible, [&] { return try_take(value); }));
  }
  if (writers_.has_waiters()) writers_.wake_all(vfs::poll_writable);
  if (mode_ == Mode::semaphore && count_.load() && readers_.has_waiters())
    readers_.wake_one(vfs::poll_readable);
  if (!buffer.put(value)) return error(Errno::efault);
  return sizeof(value);
}

Result<std::size_t> EventFile::write_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags io_flags) {
  if (buffer.remaining() < sizeof(std::uint64_t)) return error(Errno::einval);
  std::uint64_t value = 0;
  if (!buffer.get(value)) return error(Errno::efault);
  if (value == ~std::uint64_t{0}) return error(Errno::einval);
  if (!try_add(value)) {
    if (is_non_blocking() || (io_flags & vfs::io_no_wait)) return error(Errno::eagain);
    TRY(writers_.wait(core::WaitMode::interruptible, [&] { return try_add(value); }));
  }
  if (readers_.has_waiters()) readers_.wake_one(vfs::poll_readable);
  return sizeof(value);
}

void EventFile::signal(std::uint64_t value) {
  std::uint64_t count = count_.load();
  while (!count_.compare_exchange_weak(
      count, value > ~std::uint64_t{0} - count ? ~std::uint64_t{0} : count + value)) {
  }
  readers_.wake_one(vfs::poll_readable);
}

vfs::PollEvents EventFile::poll(vfs::PollWaiter* waiter) {
  if (waiter) {
    waiter->watch(readers_);
    waiter->watch(writers_);
  }
  std::uint64_t count = count_.load();
  vfs::PollEvents events = 0;
  if (count > 0) events |= vfs::poll_in;
  if (count == ~std::uint64_t{0}) events |= vfs::poll_error;
  if (count < maximum) events |= vfs::poll_out;
  return events;
}

void EventFile::put_fdinfo(base::TextSink& out) {
  base::format(out, "eventfd-count: {:>16x}\neventfd-semaphore: {}\n", count_.load(),
               mode_ == Mode::semaphore ? 1 : 0);
}

}  // namespace event
