// Reading, writing and the driver's side of a terminal. Settings and ioctls are in terminal_ioctl.cpp.
#include "tty/terminal.h"

#include <algorithm>
#include <cstring>

namespace tty {

using base::Errno;
using base::error;
using base::Result;
using core::Deadline;
using core::IoBuffer;
using core::MutexGuard;
using core::WaitMode;

namespace {

constinit JobControl* installed_job_control = nullptr;

constexpr std::uint64_t ns_per_tenth = 100'000'000;

// A wait cut short by a signal is taken up again when the handler allows it.
Errno restartable(Errno code) { return code == Errno::eintr ? Errno::restart_always : code; }

}  // namespace

void set_job_control(JobControl& job_control) { installed_job_control = &job_control; }
JobControl* job_control() { return installed_job_control; }

// ---- Reading ----

Result<std::size_t> Terminal::read(IoBuffer& buffer, bool non_blocking) {
  if (has_session() && job_control()) TRY(job_control()->check_background(*this, signal_terminal_input));
  if (buffer.empty()) return 0;
  MutexGuard guard{mutex_};
  for (;;) {
    if (hung_up_) return 0;
    // The mode may change while we wait: then start over.
    bool canonical = discipline_.canonical();
    auto result = canonical ? read_canonical_locked(guard, buffer, non_blocking)
                            : read_raw_locked(guard, buffer, non_blocking);
    if (!result || *result || hung_up_ || discipline_.canonical() == canonical) return result;
  }
}

std::size_t Terminal::take_input_locked(IoBuffer& buffer) {
  std::size_t total = 0;
  for (;;) {
    std::uint8_t piece[256];
    std::size_t wanted = std::min(sizeof(piece), buffer.remaining());
    std::size_t count = discipline_.read({piece, wanted});
    if (buffer.copy_out(std::as_bytes(std::span(piece, count))) < count) break;
    total += count;
    bool line_ended = discipline_.canonical() && count && discipline_.ended_line();
    if (count < wanted || buffer.empty() || line_ended) break;
  }
  if (input_refused_ && line_) {
    input_refused_ = false;
    line_->input_room();
  }
  return total;
}

Result<std::size_t> Terminal::read_canonical_locked(MutexGuard& guard, IoBuffer& buffer, bool non_blocking) {
  if (!discipline_.readable()) {
    if (non_blocking) return error(Errno::eagain);
    auto waited = input_queue_.wait(guard, WaitMode::interruptible, [&]() NO_THREAD_SAFETY_ANALYSIS {
      return hung_up_ || !discipline_.canonical() || discipline_.readable();
    });
    if (!waited) return error(restartable(waited.error()));
    if (!discipline_.canonical() || !discipline_.readable()) return 0;
  }
  std::size_t count = take_input_locked(buffer);
  if (count == 0 && buffer.faulted()) return error(Errno::efault);
  return count;
}

// MIN and TIME as in termios(3), "Canonical and noncanonical mode".
Result<std::size_t> Terminal::read_raw_locked(MutexGuard& guard, IoBuffer& buffer, bool non_blocking) {
  const Termios& settings = discipline_.settings();
  std::size_t minimum = settings.control[vmin];
  std::uint64_t time_ns = settings.control[vtime] * ns_per_tenth;
  Deadline deadline = minimum ? Deadline::never() : time_ns ? Deadline::after(time_ns) : Deadline::passed();
  std::size_t needed = std::max<std::size_t>(minimum, 1), total = 0;
  for (;;) {
    if (discipline_.readable()) {
      std::size_t count = take_input_locked(buffer);
      total += count;
      if (buffer.faulted()) return total ? Result<std::size_t>(total) : error(Errno::efault);
      if (buffer.empty() || total >= needed) return total;
      if (minimum && time_ns) deadline = Deadline::after(time_ns);  // the time between bytes
      continue;
    }
    if (hung_up_ || deadline == Deadline::passed()) return total;
    if (non_blocking) return total ? Result<std::size_t>(total) : error(Errno::eagain);
    auto waited = input_queue_.wait(
        guard, WaitMode::interruptible,
        [&]() NO_THREAD_SAFETY_ANALYSIS {
          return hung_up_ || discipline_.readable() || discipline_.canonical();
        },
        deadline);
    if (!waited) {
      if (total || waited.error() == Errno::etimedout) return total;
      return error(restartable(waited.error()));
    }
    if (discipline_.canonical()) return total;
  }
}

// ---- Writing ----

bool Terminal::can_write_locked() const {
  return hung_up_ ||
         (!stopped_ && pending_echo_size_ == 0 && line_->transmit_room() >= minimum_transmit_room);
}

// How many bytes may be processed so that their expansion fits on the line.
std::size_t Terminal::output_batch_locked() const {
  std::size_t expansion = (discipline_.settings().output & (opost | tab3)) == (opost | tab3) ? 8 : 2;
  return line_->transmit_room() / expansion;
}

Result<std::size_t> Terminal::write(IoBuffer& buffer, bool non_blocking) {
  if (has_session() && job_control()) {
    bool stops = [&] {
      MutexGuard guard{mutex_};
      return (discipline_.settings().local & tostop) != 0;
    }();
    if (stops) TRY(job_control()->check_background(*this, signal_terminal_output));
  }
  constexpr std::size_t piece_size = 128;
  MutexGuard guard{mutex_};
  std::size_t total = 0;
  while (!buffer.empty()) {
    if (hung_up_) return total ? Result<std::size_t>(total) : error(Errno::eio);
    flush_echo_locked();
    if (!can_write_locked()) {
      if (non_blocking) return total ? Result<std::size_t>(total) : error(Errno::eagain);
      auto waited = output_queue_.wait(guard, WaitMode::interruptible, [&]() NO_THREAD_SAFETY_ANALYSIS {
        if (!hung_up_) flush_echo_locked();
        return can_write_locked();
      });
      if (!waited) return total ? Result<std::size_t>(total) : error(restartable(waited.error()));
      continue;
    }
    char piece[piece_size];
    std::size_t wanted = std::min({piece_size, output_batch_locked(), buffer.remaining()});
    std::size_t count = buffer.copy_in(std::as_writable_bytes(std::span(piece, wanted)));
    if (count == 0) return total ? Result<std::size_t>(total) : error(Errno::efault);
    char expanded[piece_size * 8];
    std::size_t size = 0;
    discipline_.process_output({piece, count}, [&](std::string_view text) {
      std::memcpy(expanded + size, text.data(), text.size());
      size += text.size();
    });
    line_->transmit({expanded, size});
    total += count;
  }
  return total;
}

// ---- What the line discipline asks for ----

void Terminal::put_echo(std::string_view text) {
  mutex_.assert_held();
  if (!line_) return;
  flush_echo_locked();
  std::size_t done = pending_echo_size_ || stopped_ ? 0 : line_->transmit(text);
  std::string_view rest = text.substr(done);
  std::size_t room = pending_echo_.size() - pending_echo_size_;
  if (rest.size() > room) rest = rest.substr(0, room);
  std::memcpy(pending_echo_.data() + pending_echo_size_, rest.data(), rest.size());
  pending_echo_size_ += rest.size();
}

void Terminal::flush_echo_locked() {
  if (pending_echo_size_ == 0 || stopped_) return;
  std::size_t done = line_->transmit({pending_echo_.data(), pending_echo_size_});
  pending_echo_size_ -= done;
  std::memmove(pending_echo_.data(), pending_echo_.data() + done, pending_echo_size_);
}

void Terminal::raise(TerminalSignal signal) {
  mutex_.assert_held();
  if (!foreground_) return;
  switch (signal) {
    case TerminalSignal::interrupt:
      return foreground_->signal(signal_interrupt);
    case TerminalSignal::quit:
      return foreground_->signal(signal_quit);
    case TerminalSignal::suspend:
      return foreground_->signal(signal_terminal_stop);
  }
}

void Terminal::discard_output() {
  mutex_.assert_held();
  pending_echo_size_ = 0;
  if (line_) line_->flush_transmit();
}

void Terminal::output_stopped(bool stopped) {
  mutex_.assert_held();
  set_stopped_locked(stopped, true);
}

void Terminal::set_stopped_locked(bool stopped, bool by_character) {
  // TCOOFF holds until TCOON, whatever is typed.
  if (by_character && stopped_by_ioctl_) return;
  if (!by_character) stopped_by_ioctl_ = stopped;
  if (stopped_ == stopped) return;
  stopped_ = stopped;
  if (!line_) return;
  line_->set_stopped(stopped);
  if (!stopped) {
    flush_echo_locked();
    output_queue_.wake_all(vfs::poll_writable);
  }
}

// ---- The driver ----

std::size_t Terminal::receive(std::span<const std::uint8_t> bytes) {
  MutexGuard guard{mutex_};
  if (hung_up_) return bytes.size();
  std::size_t taken = discipline_.receive(bytes);
  if (taken < bytes.size()) input_refused_ = true;
  if (discipline_.readable()) input_queue_.wake_all(vfs::poll_readable);
  return taken;
}

std::size_t Terminal::receive_room() {
  MutexGuard guard{mutex_};
  std::size_t room = discipline_.room();
  if (room == 0) input_refused_ = true;
  return room;
}

void Terminal::receive_break() {
  MutexGuard guard{mutex_};
  if (hung_up_) return;
  discipline_.receive_break();
  if (discipline_.readable()) input_queue_.wake_all(vfs::poll_readable);
}

void Terminal::transmit_ready() {
  MutexGuard guard{mutex_};
  if (hung_up_) return;
  flush_echo_locked();
  output_queue_.wake_all(vfs::poll_writable);
}

void Terminal::hang_up() {
  {
    MutexGuard guard{mutex_};
    if (hung_up_) return;
    hung_up_.store(true, std::memory_order_release);
    discipline_.flush_input();
    pending_echo_size_ = 0;
    stopped_ = stopped_by_ioctl_ = false;
    line_ = nullptr;
  }
  input_queue_.wake_all();
  output_queue_.wake_all();
  if (job_control()) job_control()->hung_up(*this);
}

// ---- Files ----

Result<void> Terminal::file_opened(bool may_break_exclusive) {
  MutexGuard guard{mutex_};
  if (hung_up_) return error(Errno::eio);
  if (exclusive_ && !may_break_exclusive) return error(Errno::ebusy);
  ++open_files_;
  line_->opened();
  return {};
}

void Terminal::file_closed() {
  MutexGuard guard{mutex_};
  base::debug_verify(open_files_ > 0, "terminal closed more often than opened");
  if (--open_files_ > 0 || !line_) return;
  exclusive_ = false;
  stopped_ = stopped_by_ioctl_ = false;
  line_->closed();
}

vfs::PollEvents Terminal::poll(vfs::PollWaiter* waiter) {
  if (waiter) {
    waiter->watch(input_queue_);
    waiter->watch(output_queue_);
  }
  MutexGuard guard{mutex_};
  if (hung_up_) {
    return vfs::poll_readable | vfs::poll_writable | vfs::poll_error | vfs::poll_hang_up;
  }
  vfs::PollEvents events = 0;
  const Termios& settings = discipline_.settings();
  // A raw reader with MIN and no TIME is ready when its read would not wait.
  std::size_t needed = settings.control[vtime] == 0 ? std::max<std::size_t>(settings.control[vmin], 1) : 1;
  if (discipline_.canonical() ? discipline_.readable() : discipline_.available() >= needed)
    events |= vfs::poll_readable;
  flush_echo_locked();
  if (can_write_locked()) events |= vfs::poll_writable;
  return events;
}

// ---- Job control state ----

base::RefPtr<JobMember> Terminal::session() {
  MutexGuard guard{mutex_};
  return session_;
}

base::RefPtr<JobMember> Terminal::foreground() {
  MutexGuard guard{mutex_};
  return foreground_;
}

void Terminal::set_session(base::RefPtr<JobMember> session, base::RefPtr<JobMember> foreground) {
  MutexGuard guard{mutex_};
  has_session_.store(static_cast<bool>(session), std::memory_order_release);
  std::swap(session_, session);
  std::swap(foreground_, foreground);
  guard.unlock();  // the old members go without the lock
}

void Terminal::set_foreground(base::RefPtr<JobMember> group) {
  MutexGuard guard{mutex_};
  std::swap(foreground_, group);
  guard.unlock();
}

void Terminal::signal_foreground(int number) {
  MutexGuard guard{mutex_};
  if (foreground_) foreground_->signal(number);
}

}  // namespace tty
