#include "port_file.h"

#include <algorithm>
#include <array>

#include "core/memory/io_buffer.h"

namespace virtio_console {

using base::Errno;
using base::RefPtr;
using base::Result;
using core::MutexGuard;

namespace {

class ChannelFile final : public vfs::File {
 public:
  explicit ChannelFile(Channel& channel) : File(no_wait_capable), channel_(channel) {}

  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags flags) override {
    return channel_.read(buffer, is_non_blocking() || (flags & vfs::io_no_wait));
  }
  Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags flags) override {
    return channel_.write(buffer, is_non_blocking() || (flags & vfs::io_no_wait));
  }
  vfs::PollEvents poll(vfs::PollWaiter* waiter) override { return channel_.poll(waiter); }
  void release() override { channel_.close(); }

 private:
  Channel& channel_;
};

}  // namespace

Result<RefPtr<vfs::File>> Channel::open() {
  if (!present_.load()) return base::error(Errno::enodev);
  if (is_open_.exchange(true)) return base::error(Errno::ebusy);
  auto file = base::try_make_ref<ChannelFile>(*this);
  if (!file) {
    is_open_.store(false);
    return base::error(file.error());
  }
  {
    // What came for whoever had it open before is not for this one.
    MutexGuard guard{port_.receive_lock()};
    for (auto bytes = port_.look(); !bytes.empty() && !host_connected_.load(); bytes = port_.look())
      port_.consume(bytes.size());
  }
  control_.tell_open(number_, true);
  return RefPtr<vfs::File>(std::move(*file));
}

void Channel::close() {
  control_.tell_open(number_, false);
  is_open_.store(false);
}

bool Channel::has_input() {
  MutexGuard guard{port_.receive_lock()};
  return !port_.look().empty();
}

Result<std::size_t> Channel::read(core::IoBuffer& buffer, bool non_blocking) {
  if (buffer.empty()) return 0;
  for (;;) {
    if (!present_.load()) return base::error(Errno::enodev);
    {
      MutexGuard guard{port_.receive_lock()};
      if (auto bytes = port_.look(); !bytes.empty()) {
        std::size_t done = buffer.copy_out(bytes.first(std::min(bytes.size(), buffer.remaining())));
        if (done == 0) return base::error(Errno::efault);
        port_.consume(done);
        return done;
      }
    }
    if (!host_connected_.load()) return 0;
    if (non_blocking) return base::error(Errno::eagain);
    TRY(waiting_.wait(core::WaitMode::interruptible,
                      [&] { return !present_.load() || !host_connected_.load() || has_input(); }));
  }
}

Result<std::size_t> Channel::write(core::IoBuffer& buffer, bool non_blocking) {
  std::size_t done = 0;
  while (!buffer.empty()) {
    if (!present_.load()) return base::error(Errno::enodev);
    auto can_write = [&] { return host_connected_.load() && port_.send_room() != 0; };
    if (!can_write()) {
      if (done) return done;
      if (non_blocking) return base::error(Errno::eagain);
      TRY(waiting_.wait(core::WaitMode::interruptible, [&] { return !present_.load() || can_write(); }));
      continue;
    }
    std::array<std::byte, 512> piece;
    std::size_t count = buffer.copy_in(piece);
    if (count == 0) return done ? Result<std::size_t>(done) : base::error(Errno::efault);
    std::size_t sent = port_.send(std::span(piece).first(count));
    buffer.revert(count - sent);
    done += sent;
  }
  return done;
}

vfs::PollEvents Channel::poll(vfs::PollWaiter* waiter) {
  if (waiter) waiter->watch(waiting_);
  if (!present_.load()) return vfs::poll_hang_up;
  vfs::PollEvents events = 0;
  if (has_input()) events |= vfs::poll_readable;
  if (!host_connected_.load()) return events | vfs::poll_hang_up;
  if (port_.send_room() != 0) events |= vfs::poll_writable;
  return events;
}

void Channel::set_host_connected(bool connected) {
  host_connected_.store(connected);
  waiting_.wake_all();
}

void Channel::set_present(bool present) {
  present_.store(present);
  if (!present) host_connected_.store(false);
  waiting_.wake_all();
}

void Channel::received() {
  if (!is_open_.load()) return;
  waiting_.wake_all(vfs::poll_readable);
}

void Channel::room_to_send() { waiting_.wake_all(vfs::poll_writable); }

}  // namespace virtio_console
