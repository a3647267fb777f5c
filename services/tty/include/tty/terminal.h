// One terminal: a line (serial port, pseudo-terminal, console) with its line discipline, settings, window
// size and job control state. Files of programs and the driver of the line meet here.
//
//   program -> write() -> output processing -> TerminalLine::transmit()      (driver)
//   driver  -> receive() -> line discipline -> echo / signals / input ring -> read() -> program
//
// Locking: mutex_ serialises the line discipline, the settings and the line's transmit side. The driver's
// threads take it in receive(), transmit_ready() and hang_up(); the line's functions are called with it held
// and must not call back. A pseudo-terminal's other end has its own lock, taken inside this one. Waiting
// readers and writers sleep on input_queue_ and output_queue_ with the mutex open.
//
// Signals to the foreground group are sent with mutex_ held; see job_control.h for the order.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/format.h"
#include "base/ref.h"
#include "base/result.h"
#include "core/memory/io_buffer.h"
#include "core/sync/mutex.h"
#include "core/sync/wait_queue.h"
#include "tty/job_control.h"
#include "tty/line_discipline.h"
#include "tty/termios.h"
#include "vfs/poll.h"
#include "vfs/types.h"

namespace tty {

// The driver's side of a terminal. All calls come with the terminal's mutex held; none may sleep.
class TerminalLine {
 public:
  // Takes as many bytes as there is room for.
  virtual std::size_t transmit(std::string_view text) = 0;
  // Bytes transmit() would take now. At least `minimum_room` must come back once the line has drained.
  virtual std::size_t transmit_room() = 0;
  // Bytes taken but not yet sent (TIOCOUTQ, tcdrain).
  virtual std::size_t transmit_pending() = 0;
  virtual void flush_transmit() = 0;
  // Output is stopped (STOP character, TCOOFF) or goes on.
  virtual void set_stopped(bool stopped) {}
  virtual void settings_changed(const Termios& settings) {}
  // Input that receive() refused for want of room can be offered again.
  virtual void input_room() {}
  virtual void send_break(unsigned milliseconds) {}
  // The pty master wants to see flow control and flushes (TIOCPKT).
  virtual void packet_event(std::uint8_t event) {}
  // TIOCMGET and TIOCMSET; nothing for lines without modem control.
  virtual bool has_modem_control() const { return false; }
  virtual std::uint32_t modem_lines() { return 0; }
  virtual void set_modem_lines(std::uint32_t lines) {}
  virtual void opened() {}
  // The last file on the terminal was closed.
  virtual void closed() {}

 protected:
  ~TerminalLine() = default;
};

inline constexpr std::size_t minimum_transmit_room = 16;

class Terminal : public base::RefCounted<Terminal>, private LineDiscipline::Events {
 public:
  // `line` must live as long as the terminal is not hung up.
  Terminal(TerminalLine& line, vfs::DeviceNumber device, const Termios& initial = {})
      : line_(&line), discipline_(*this), device_(device) {
    discipline_.set_settings(initial);
  }
  virtual ~Terminal() = default;

  vfs::DeviceNumber device() const { return device_; }
  // "ttyS0", "pts/3": for /proc and ttyname.
  virtual void put_name(base::TextSink& out) const = 0;

  // ---- Programs (through TerminalFile); thread context ----
  base::Result<std::size_t> read(core::IoBuffer& buffer, bool non_blocking) EXCLUDES(mutex_);
  base::Result<std::size_t> write(core::IoBuffer& buffer, bool non_blocking) EXCLUDES(mutex_);
  vfs::PollEvents poll(vfs::PollWaiter* waiter) EXCLUDES(mutex_);
  base::Result<long> ioctl(unsigned command, std::uintptr_t argument, bool non_blocking) EXCLUDES(mutex_);
  // ENXIO once hung up for good; EBUSY when exclusive (TIOCEXCL).
  base::Result<void> file_opened(bool may_break_exclusive) EXCLUDES(mutex_);
  void file_closed() EXCLUDES(mutex_);

  // ---- The driver; thread context ----
  // Returns how many bytes were taken; the rest must be offered again after TerminalLine::input_room().
  std::size_t receive(std::span<const std::uint8_t> bytes) EXCLUDES(mutex_);
  void receive_break() EXCLUDES(mutex_);
  // The line has room to transmit again.
  void transmit_ready() EXCLUDES(mutex_);
  // The line is gone: readers get end of file, writers EIO, the session SIGHUP. Files opened before stay
  // dead.
  void hang_up() EXCLUDES(mutex_);
  // Bytes receive() would take now (a hint).
  std::size_t receive_room() EXCLUDES(mutex_);

  // ---- Settings; used by ioctl, by the pty master and by drivers for their defaults ----
  Termios settings() EXCLUDES(mutex_);
  enum class ApplySettings { now, after_output, after_output_flush_input };
  base::Result<void> set_settings(const Termios& settings, ApplySettings when, bool non_blocking = false)
      EXCLUDES(mutex_);
  WindowSize window_size() EXCLUDES(mutex_);
  void set_window_size(const WindowSize& size) EXCLUDES(mutex_);
  void flush_input() EXCLUDES(mutex_);
  // A signal typed elsewhere (TIOCSIG on a pty master).
  void signal_foreground(int number) EXCLUDES(mutex_);

  // ---- Job control state; set by the personality ----
  base::RefPtr<JobMember> session() EXCLUDES(mutex_);
  base::RefPtr<JobMember> foreground() EXCLUDES(mutex_);
  void set_session(base::RefPtr<JobMember> session, base::RefPtr<JobMember> foreground) EXCLUDES(mutex_);
  void set_foreground(base::RefPtr<JobMember> group) EXCLUDES(mutex_);
  // Reads without the lock: is this terminal the controlling terminal of some session?
  bool has_session() const { return has_session_.load(std::memory_order_acquire); }
  bool is_hung_up() const { return hung_up_.load(std::memory_order_acquire); }

 protected:
  core::Mutex& mutex() RETURN_CAPABILITY(mutex_) { return mutex_; }
  TerminalLine* line_locked() REQUIRES(mutex_) { return line_; }

 private:
  // LineDiscipline::Events; called with mutex_ held.
  void put_echo(std::string_view text) override;
  void raise(TerminalSignal signal) override;
  void discard_output() override;
  void output_stopped(bool stopped) override;

  base::Result<std::size_t> read_canonical_locked(core::MutexGuard& guard, core::IoBuffer& buffer,
                                                  bool non_blocking) REQUIRES(mutex_);
  base::Result<std::size_t> read_raw_locked(core::MutexGuard& guard, core::IoBuffer& buffer,
                                            bool non_blocking) REQUIRES(mutex_);
  std::size_t take_input_locked(core::IoBuffer& buffer) REQUIRES(mutex_);
  bool can_write_locked() const REQUIRES(mutex_);
  std::size_t output_batch_locked() const REQUIRES(mutex_);
  void flush_echo_locked() REQUIRES(mutex_);
  void flush_locked(int queue) REQUIRES(mutex_);
  void set_stopped_locked(bool stopped, bool by_character) REQUIRES(mutex_);
  base::Result<void> drain(bool non_blocking) EXCLUDES(mutex_);
  base::Result<long> ioctl_settings(unsigned command, std::uintptr_t argument, bool non_blocking);
  base::Result<long> ioctl_flow(unsigned command, std::uintptr_t argument, bool non_blocking);
  base::Result<long> ioctl_modem(unsigned command, std::uintptr_t argument);
  base::Result<long> ioctl_state(unsigned command, std::uintptr_t argument);

  core::Mutex mutex_{"terminal"};
  core::WaitQueue input_queue_{"terminal input"};
  core::WaitQueue output_queue_{"terminal output"};
  // Protected by mutex_:
  TerminalLine* line_ GUARDED_BY(mutex_);  // null once hung up
  LineDiscipline discipline_ GUARDED_BY(mutex_);
  WindowSize window_size_ GUARDED_BY(mutex_);
  base::RefPtr<JobMember> session_ GUARDED_BY(mutex_);
  base::RefPtr<JobMember> foreground_ GUARDED_BY(mutex_);
  unsigned open_files_ GUARDED_BY(mutex_) = 0;
  bool stopped_ GUARDED_BY(mutex_) = false;
  bool stopped_by_ioctl_ GUARDED_BY(mutex_) = false;
  bool exclusive_ GUARDED_BY(mutex_) = false;
  bool input_refused_ GUARDED_BY(mutex_) = false;  // receive() left bytes with the driver
  // Echo that found no room on the line; more than this is lost, as on a line that nobody reads.
  std::array<char, 512> pending_echo_ GUARDED_BY(mutex_);
  std::size_t pending_echo_size_ GUARDED_BY(mutex_) = 0;

  std::atomic<bool> hung_up_{false};
  std::atomic<bool> has_session_{false};
  const vfs::DeviceNumber device_;
};

}  // namespace tty
