#include "pty_terminal.h"

#include <algorithm>
#include <cstring>

namespace pty {

using base::Errno;
using base::error;
using base::Result;
using core::IoBuffer;
using core::MutexGuard;
using core::WaitMode;

namespace {

// Bits of a packet-mode status byte (ioctl_tty(2), TIOCPKT).
constexpr std::uint8_t packet_data = 0, packet_flush_write = 2, packet_stop = 4, packet_start = 8,
                       packet_no_stop = 16, packet_do_stop = 32;

Errno restartable(Errno code) { return code == Errno::eintr ? Errno::restart_always : code; }

}  // namespace

void PtyTerminal::put_name(base::TextSink& out) const { base::format(out, "pts/{}", index_); }

// ---- The line, as the terminal sees it ----

std::size_t PtyTerminal::transmit(std::string_view text) {
  std::size_t count;
  {
    MutexGuard guard{ring_lock_};
    count = std::min(text.size(), ring_size - size_);
    for (std::size_t done = 0; done < count;) {
      std::size_t at = (start_ + size_) % ring_size;
      std::size_t piece = std::min(count - done, ring_size - at);
      std::memcpy(ring_.data() + at, text.data() + done, piece);
      size_ += piece;
      done += piece;
    }
  }
  if (count) master_input_.wake_all(vfs::poll_readable);
  return count;
}

std::size_t PtyTerminal::transmit_room() {
  MutexGuard guard{ring_lock_};
  return ring_size - size_;
}

// What the master has not read counts as sent: a program that waits for its output to drain must not depend
// on it.
std::size_t PtyTerminal::transmit_pending() { return 0; }

void PtyTerminal::flush_transmit() {
  {
    MutexGuard guard{ring_lock_};
    size_ = 0;
    if (packet_mode_) packet_status_ |= packet_flush_write;
  }
  master_input_.wake_all(vfs::poll_priority);
}

void PtyTerminal::set_stopped(bool stopped) { packet_event(stopped ? packet_stop : packet_start); }

void PtyTerminal::packet_event(std::uint8_t event) {
  {
    MutexGuard guard{ring_lock_};
    if (!packet_mode_) return;
    // Of opposites only the last one counts.
    if (event & packet_stop) packet_status_ &= static_cast<std::uint8_t>(~packet_start);
    if (event & packet_start) packet_status_ &= static_cast<std::uint8_t>(~packet_stop);
    if (event & packet_no_stop) packet_status_ &= static_cast<std::uint8_t>(~packet_do_stop);
    if (event & packet_do_stop) packet_status_ &= static_cast<std::uint8_t>(~packet_no_stop);
    packet_status_ |= event;
  }
  master_input_.wake_all(vfs::poll_priority | vfs::poll_readable);
}

void PtyTerminal::input_room() {
  input_drained_.store(true);
  master_output_.wake_all(vfs::poll_writable);
}

void PtyTerminal::opened() {
  MutexGuard guard{ring_lock_};
  slave_closed_ = false;
}

void PtyTerminal::closed() {
  {
    MutexGuard guard{ring_lock_};
    slave_closed_ = true;
  }
  master_input_.wake_all(vfs::poll_hang_up | vfs::poll_readable);
}

// ---- The master ----

std::size_t PtyTerminal::take_locked(IoBuffer& buffer) {
  std::size_t total = 0;
  while (size_ && !buffer.empty()) {
    std::size_t piece = std::min({size_, ring_size - start_, buffer.remaining()});
    std::size_t done = buffer.copy_out(std::as_bytes(std::span(ring_.data() + start_, piece)));
    start_ = (start_ + done) % ring_size;
    size_ -= done;
    total += done;
    if (done < piece) break;
  }
  return total;
}

Result<std::size_t> PtyTerminal::master_read(IoBuffer& buffer, bool non_blocking) {
  if (buffer.empty()) return 0;
  std::size_t total = 0;
  {
    MutexGuard guard{ring_lock_};
    if (!readable_locked()) {
      if (slave_closed_) return error(Errno::eio);
      if (non_blocking) return error(Errno::eagain);
      auto waited = master_input_.wait(guard, WaitMode::interruptible, [&]() NO_THREAD_SAFETY_ANALYSIS {
        return readable_locked() || slave_closed_;
      });
      if (!waited) return error(restartable(waited.error()));
      if (!readable_locked()) return error(Errno::eio);
    }
    if (packet_mode_) {
      std::uint8_t status = std::exchange(packet_status_, packet_data);
      if (!buffer.put(status)) return error(Errno::efault);
      if (status != packet_data) return 1;
      total = 1;
    }
    std::size_t taken = take_locked(buffer);
    if (taken == 0 && total == 0 && buffer.faulted()) return error(Errno::efault);
    total += taken;
  }
  transmit_ready();
  return total;
}

Result<std::size_t> PtyTerminal::master_write(IoBuffer& buffer, bool non_blocking) {
  std::size_t total = 0;
  while (!buffer.empty()) {
    std::uint8_t piece[256];
    std::size_t wanted = std::min(sizeof(piece), buffer.remaining());
    std::size_t count = buffer.copy_in(std::as_writable_bytes(std::span(piece, wanted)));
    if (count == 0) return total ? Result<std::size_t>(total) : error(Errno::efault);
    std::size_t offered = 0;
    while (offered < count) {
      input_drained_.store(false);
      offered += receive({piece + offered, count - offered});
      if (offered == count) break;
      Errno failure{};
      if (non_blocking) {
        failure = Errno::eagain;
      } else {
        auto waited = master_output_.wait(WaitMode::interruptible,
                                          [&] { return input_drained_.load() || is_hung_up(); });
        if (waited) continue;
        failure = restartable(waited.error());
      }
      buffer.revert(count - offered);
      total += offered;
      return total ? Result<std::size_t>(total) : error(failure);
    }
    total += count;
  }
  return total;
}

vfs::PollEvents PtyTerminal::master_poll(vfs::PollWaiter* waiter) {
  if (waiter) {
    waiter->watch(master_input_);
    waiter->watch(master_output_);
  }
  vfs::PollEvents events = 0;
  {
    MutexGuard guard{ring_lock_};
    if (readable_locked()) events |= vfs::poll_readable;
    if (packet_mode_ && packet_status_) events |= vfs::poll_priority;
    if (slave_closed_) events |= vfs::poll_hang_up | vfs::poll_readable;
  }
  if (receive_room() > 0) events |= vfs::poll_writable;
  return events;
}

std::size_t PtyTerminal::master_available() {
  MutexGuard guard{ring_lock_};
  return size_;
}

void PtyTerminal::set_packet_mode(bool on) {
  MutexGuard guard{ring_lock_};
  if (on && !packet_mode_) packet_status_ = 0;
  packet_mode_ = on;
}

bool PtyTerminal::packet_mode() {
  MutexGuard guard{ring_lock_};
  return packet_mode_;
}

}  // namespace pty
