// A pseudo-terminal (pty(7)): the slave is an ordinary terminal whose line ends in a ring that the master
// reads.
//
//   slave write() ── output processing ──> ring ──> master read()
//   slave read() <── line discipline <── receive() <── master write()
//
// Locking: the slave's terminal mutex, then ring_lock_. The master's side never holds ring_lock_ while it
// calls into the terminal.
//
// Life: the master's file holds a reference, and each open slave file does. Closing the master hangs the
// slave up and gives the number back; the object goes with the last file.
#pragma once

#include <array>

#include "tty/terminal.h"
#include "vfs/credentials.h"

namespace pty {

class PtyTerminal final : public tty::Terminal, private tty::TerminalLine {
 public:
  PtyTerminal(unsigned index, vfs::DeviceNumber device, vfs::UserId uid, vfs::GroupId gid)
      : Terminal(static_cast<TerminalLine&>(*this), device, initial_settings()),
        uid_(uid),
        gid_(gid),
        index_(index) {}

  unsigned index() const { return index_; }
  vfs::UserId creator_uid() const { return uid_; }
  vfs::GroupId creator_gid() const { return gid_; }
  void put_name(base::TextSink& out) const override;

  // ---- The master ----
  base::Result<std::size_t> master_read(core::IoBuffer& buffer, bool non_blocking) EXCLUDES(ring_lock_);
  base::Result<std::size_t> master_write(core::IoBuffer& buffer, bool non_blocking) EXCLUDES(ring_lock_);
  vfs::PollEvents master_poll(vfs::PollWaiter* waiter) EXCLUDES(ring_lock_);
  std::size_t master_available() EXCLUDES(ring_lock_);
  void set_packet_mode(bool on) EXCLUDES(ring_lock_);
  bool packet_mode() EXCLUDES(ring_lock_);
  // A new pair is locked: its slave cannot be opened until unlockpt().
  void set_locked(bool locked) { locked_.store(locked, std::memory_order_relaxed); }
  bool is_locked() const { return locked_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t ring_size = 16384;

  // There is no modem: neither HUPCL nor CLOCAL.
  static tty::Termios initial_settings() {
    tty::Termios settings;
    settings.control_modes = tty::b38400 | tty::cs8 | tty::cread;
    return settings;
  }

  std::size_t transmit(std::string_view text) override EXCLUDES(ring_lock_);
  std::size_t transmit_room() override EXCLUDES(ring_lock_);
  std::size_t transmit_pending() override EXCLUDES(ring_lock_);
  void flush_transmit() override EXCLUDES(ring_lock_);
  void set_stopped(bool stopped) override;
  void input_room() override;
  void packet_event(std::uint8_t event) override EXCLUDES(ring_lock_);
  void opened() override EXCLUDES(ring_lock_);
  void closed() override EXCLUDES(ring_lock_);

  bool readable_locked() const REQUIRES(ring_lock_) { return size_ > 0 || (packet_mode_ && packet_status_); }
  std::size_t take_locked(core::IoBuffer& buffer) REQUIRES(ring_lock_);

  core::Mutex ring_lock_{"pty ring"};
  core::WaitQueue master_input_{"pty master input"};
  core::WaitQueue master_output_{"pty master output"};
  // Protected by ring_lock_:
  std::array<char, ring_size> ring_ GUARDED_BY(ring_lock_);
  std::size_t start_ GUARDED_BY(ring_lock_) = 0, size_ GUARDED_BY(ring_lock_) = 0;
  bool slave_closed_ GUARDED_BY(ring_lock_) = false;  // the last slave file went; a new open takes it back
  bool packet_mode_ GUARDED_BY(ring_lock_) = false;
  std::uint8_t packet_status_ GUARDED_BY(ring_lock_) = 0;
  // Set under the terminal's mutex when input drains; read by a waiting master.
  std::atomic<bool> input_drained_{true};
  std::atomic<bool> locked_{true};
  const vfs::UserId uid_;
  const vfs::GroupId gid_;
  const unsigned index_;
};

}  // namespace pty
