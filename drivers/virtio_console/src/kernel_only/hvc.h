// A port that is a console: the terminal /dev/hvcN, and a console of the kernel log (console=hvcN).
//
// The log is printed by the console thread, which waits for room (a moment at most: a host that does not read
// must not stop the system); after a panic the device is polled.
#pragma once

#include "core/log/console.h"
#include "core/sched/work_queue.h"
#include "core/sync/mutex.h"
#include "core/sync/wait_queue.h"
#include "port.h"
#include "tty/terminal_file.h"
#include "vfs/device.h"

namespace virtio_console {

inline constexpr std::uint32_t hvc_major = 229;
inline constexpr unsigned most_hvcs = 8;

class Hvc final : public tty::TerminalLine,
                  public core::Console,
                  public vfs::DeviceOperations,
                  public tty::TerminalSource,
                  public PortListener {
 public:
  Hvc(Port& port, unsigned number, const char* name)
      : Console(name, Kind::normal, Sleeps::yes), port_(port), number_(number) {}
  // Makes the node, registers the console and listens to the port.
  base::Result<void> start();
  void set_window_size(const tty::WindowSize& size) EXCLUDES(terminal_lock_);
  // The host has closed the port, or taken it away.
  void hang_up() EXCLUDES(terminal_lock_);

  // ---- Console ----
  void write(std::string_view text) override;
  void write_in_panic(std::string_view text) override;

  // ---- DeviceOperations, TerminalSource ----
  base::Result<base::RefPtr<vfs::File>> open(vfs::DeviceNumber device,
                                             const vfs::OpenRequest& request) override;
  base::Result<base::RefPtr<tty::Terminal>> terminal() override;

  // ---- PortListener ----
  void received() override;
  void room_to_send() override;

 private:
  // ---- TerminalLine: with the terminal's mutex held ----
  std::size_t transmit(std::string_view text) override {
    return port_.send(std::as_bytes(std::span(text.data(), text.size())));
  }
  std::size_t transmit_room() override { return port_.send_room(); }
  std::size_t transmit_pending() override { return port_.send_pending(); }
  void flush_transmit() override {}  // what the device has cannot be taken back
  void input_room() override { core::WorkQueue::system().post(resume_work_); }

  base::RefPtr<tty::Terminal> current_terminal() EXCLUDES(terminal_lock_);
  static void resume(core::Work& work);
  template <typename Send>
  static void with_line_ends(std::string_view text, Send&& send);

  Port& port_;
  const unsigned number_;
  core::WaitQueue room_{"hvc room"};
  core::Mutex terminal_lock_{"hvc terminal"};
  base::RefPtr<tty::Terminal> terminal_ GUARDED_BY(terminal_lock_);
  tty::WindowSize window_size_ GUARDED_BY(terminal_lock_);
  core::Work resume_work_{&Hvc::resume};
};

}  // namespace virtio_console
