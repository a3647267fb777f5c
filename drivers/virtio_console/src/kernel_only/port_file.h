// A port that is a byte channel between a program here and one of the host: /dev/vportNpM. One program has it
// open at a time. Reading ends (0) and writing waits while no one of the host listens.
#pragma once

#include <atomic>

#include "core/sync/wait_queue.h"
#include "port.h"
#include "vfs/device.h"
#include "vfs/file.h"

namespace virtio_console {

// What a channel tells the device about itself.
class PortControl {
 public:
  virtual void tell_open(unsigned port, bool open) = 0;

 protected:
  ~PortControl() = default;
};

class Channel final : public PortListener {
 public:
  Channel(Port& port, unsigned number, PortControl& control)
      : port_(port), number_(number), control_(control) {}

  base::Result<base::RefPtr<vfs::File>> open();
  void close();
  base::Result<std::size_t> read(core::IoBuffer& buffer, bool non_blocking);
  base::Result<std::size_t> write(core::IoBuffer& buffer, bool non_blocking);
  vfs::PollEvents poll(vfs::PollWaiter* waiter);

  // ---- The device's word ----
  void set_host_connected(bool connected);
  // Plugged in or out. A file that is open on a port that is gone gets ENODEV.
  void set_present(bool present);

  // ---- PortListener ----
  void received() override;
  void room_to_send() override;

 private:
  bool has_input();

  Port& port_;
  const unsigned number_;
  PortControl& control_;
  std::atomic<bool> is_open_{false}, host_connected_{false}, present_{true};
  core::WaitQueue waiting_{"vport"};
};

}  // namespace virtio_console
