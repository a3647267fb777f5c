// A virtio console device (virtio 1.2, section 5.3): its ports, and the control queue that announces them.
//
// Queues: port 0 receives on 0 and sends on 1; with several ports 2 and 3 are the control queues, and port n
// has 2n+2 and 2n+3. All rings lie in one piece of memory.
//
// Ports come and go with control messages, which a work item handles in their order. Without several ports
// there is port 0, and it is a console.
//
// A port that is removed keeps its queues and comes back as the same object.
#pragma once

#include <array>
#include <atomic>
#include <memory>

#include "../control.h"
#include "base/string.h"
#include "core/sched/work_queue.h"
#include "core/sync/completion.h"
#include "hvc.h"
#include "port_file.h"
#include "virtio/device.h"

namespace virtio_console {

inline constexpr unsigned most_ports = 31;  // of one device
inline constexpr unsigned most_devices = 8;
inline constexpr std::uint32_t vport_major = 243;
inline constexpr unsigned vport_minors = 32;  // of each device

class ConsoleDevice final : public virtio::QueueHandler, public PortControl {
 public:
  explicit ConsoleDevice(virtio::Device& device) : device_(device) {}
  base::Result<void> start();
  // Waits a moment for the device to announce a console.
  void wait_for_console();

  unsigned index() const { return device_.index(); }
  base::Result<base::RefPtr<vfs::File>> open_port(unsigned port);
  // What sysfs shows of the ports; files for later ports are made as they come.
  void add_port_files() EXCLUDES(state_lock_);

 private:
  struct PortState {
    std::unique_ptr<Port> port;
    std::unique_ptr<Hvc> hvc;  // null: not a console
    std::unique_ptr<Channel> channel;
    base::String name;
    bool present = false;
    bool has_files = false;
    bool has_node = false;
  };

  // ---- QueueHandler, PortControl ----
  void queue_interrupt(unsigned queue) override;
  void config_changed() override;
  void tell_open(unsigned port, bool open) override;

  base::Result<void> start_queues();
  base::Result<virtio::Queue> start_small_queue(unsigned queue);
  static unsigned receive_queue_of(unsigned port) { return port == 0 ? 0 : 2 * port + 2; }
  bool multiport() const { return device_.has(feature_multiport); }

  static void handle_control(core::Work& work);
  void handle(const ReceivedControl& message) EXCLUDES(state_lock_);
  void send_control(std::uint32_t port, ControlEvent event, std::uint16_t value) EXCLUDES(control_lock_);
  void offer_control_buffer(unsigned buffer) REQUIRES(control_receive_lock_);

  base::Result<void> add_port(unsigned number) EXCLUDES(state_lock_);
  void remove_port(unsigned number) EXCLUDES(state_lock_);
  base::Result<void> make_console(unsigned number) EXCLUDES(state_lock_);
  void set_name(unsigned number, std::string_view name) EXCLUDES(state_lock_);
  base::Result<void> add_files_locked(unsigned number) REQUIRES(state_lock_);
  void remove_files_locked(unsigned number) REQUIRES(state_lock_);
  void read_size();

  static constexpr std::uint64_t feature_size = virtio::feature(0), feature_multiport = virtio::feature(1);
  static constexpr unsigned control_buffers = 8;
  static constexpr std::size_t control_buffer_size = 256;

  virtio::Device& device_;
  unsigned port_count_ = 1;
  core::DmaMemory rings_, control_memory_;
  std::size_t rings_used_ = 0;

  core::Mutex control_receive_lock_{"virtio-console control"};
  virtio::Queue control_receive_ GUARDED_BY(control_receive_lock_);
  core::Mutex control_lock_{"virtio-console control send"};
  virtio::Queue control_send_ GUARDED_BY(control_lock_);
  unsigned next_control_ GUARDED_BY(control_lock_) = 0;

  // Changes of the ports. Interrupts find a port through live_, which keeps what it once had.
  core::Mutex state_lock_{"virtio-console ports"};
  std::array<PortState, most_ports> ports_ GUARDED_BY(state_lock_);
  bool files_wanted_ GUARDED_BY(state_lock_) = false;
  std::array<std::atomic<Port*>, most_ports> live_{};
  std::array<std::atomic<Channel*>, most_ports> channels_{};
  std::atomic<Hvc*> first_hvc_{nullptr};

  core::Completion console_found_;
  core::Work control_work_{&ConsoleDevice::handle_control};
  virtio::Connection connection_;  // last: its end stops interrupts before anything goes
};

}  // namespace virtio_console
