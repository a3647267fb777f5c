#include "console.h"

#include <algorithm>
#include <cstring>

#include "core/log/log.h"
#include "core/sched/scheduler.h"
#include "core/time/clock.h"

namespace virtio_console {

using base::Errno;
using base::RefPtr;
using base::Result;
using core::MutexGuard;

namespace {

constexpr unsigned config_columns = 0, config_rows = 2, config_ports = 4;
constexpr unsigned control_send_slots = 16;
constexpr unsigned control_receive_queue = 2, control_send_queue = 3;
constexpr std::uint64_t console_patience_ns = 2 * core::ns_per_second;
constexpr unsigned control_patience_ms = 1000;

constexpr const char* hvc_names[most_hvcs] = {"hvc0", "hvc1", "hvc2", "hvc3", "hvc4", "hvc5", "hvc6", "hvc7"};
constinit std::atomic<unsigned> next_hvc{0};

}  // namespace

// ---- Start ----

Result<virtio::Queue> ConsoleDevice::start_small_queue(unsigned queue) {
  std::size_t size = virtio::SplitRing::memory_needed(Port::queue_length);
  virtio::Device::QueueOptions options{.largest_size = Port::queue_length};
  options.memory = rings_.bytes().subspan(rings_used_, size);
  options.memory_address = rings_.device_address(rings_used_);
  rings_used_ += size;
  return device_.start_queue(queue, options);
}

// Every queue exists before the device is told to begin, also those of ports that are not there yet.
Result<void> ConsoleDevice::start_queues() {
  unsigned queues = multiport() ? 2 * port_count_ + 2 : 2;
  std::size_t ring = virtio::SplitRing::memory_needed(Port::queue_length);
  rings_ = TRY(core::DmaMemory::allocate(ring * queues));
  connection_ = TRY(device_.connect(*this, queues));
  for (unsigned number = 0; number < port_count_; ++number) {
    virtio::Queue receive = TRY(start_small_queue(receive_queue_of(number)));
    virtio::Queue send = TRY(start_small_queue(receive_queue_of(number) + 1));
    auto port = TRY(base::try_make_unique<Port>(std::move(receive), std::move(send)));
    MutexGuard guard{state_lock_};
    ports_[number].port = std::move(port);
  }
  if (!multiport()) return {};
  control_memory_ = TRY(core::DmaMemory::allocate(control_buffers * control_buffer_size +
                                                  control_send_slots * sizeof(ControlMessage)));
  {
    MutexGuard guard{control_receive_lock_};
    control_receive_ = TRY(start_small_queue(control_receive_queue));
    for (unsigned i = 0; i < control_buffers; ++i) offer_control_buffer(i);
  }
  MutexGuard guard{control_lock_};
  control_send_ = TRY(start_small_queue(control_send_queue));
  control_send_.ring.disable_interrupts();
  return {};
}

Result<void> ConsoleDevice::start() {
  TRY(device_.negotiate(feature_size | feature_multiport));
  if (multiport()) port_count_ = std::clamp<std::uint32_t>(device_.config32(config_ports), 1, most_ports);
  TRY(start_queues());
  device_.ready();
  if (multiport()) {
    // Only now may the device hear of the buffers.
    {
      MutexGuard guard{control_receive_lock_};
      (void)control_receive_.ring.enable_interrupts();
      control_receive_.notify();
    }
    send_control(~0u, ControlEvent::device_ready, 1);
    return {};
  }
  TRY(add_port(0));
  TRY(make_console(0));
  read_size();
  return {};
}

void ConsoleDevice::wait_for_console() {
  if (multiport())
    (void)console_found_.wait(core::WaitMode::uninterruptible, core::Deadline::after(console_patience_ns));
}

// ---- Interrupts ----

void ConsoleDevice::queue_interrupt(unsigned queue) {
  if (multiport() && queue == control_send_queue) return;
  if (multiport() && queue == control_receive_queue) {
    core::WorkQueue::system().post(control_work_);
    return;
  }
  unsigned number = queue < 2 ? 0 : queue / 2 - 1;
  if (number >= port_count_) return;
  Port* port = live_[number].load(std::memory_order_acquire);
  if (!port) return;
  if (queue % 2 == 0)
    port->receive_interrupt();
  else
    port->send_interrupt();
}

void ConsoleDevice::config_changed() {
  if (!multiport()) read_size();
}

void ConsoleDevice::read_size() {
  if (!device_.has(feature_size)) return;
  Hvc* hvc = first_hvc_.load(std::memory_order_acquire);
  if (hvc)
    hvc->set_window_size(
        {.rows = device_.config16(config_rows), .columns = device_.config16(config_columns)});
}

// ---- Control messages ----

void ConsoleDevice::offer_control_buffer(unsigned buffer) {
  std::size_t place = buffer * control_buffer_size;
  virtio::Segment segment{control_memory_.device_address(place),
                          static_cast<std::uint32_t>(control_buffer_size)};
  // The token is the buffer's place in memory: never null, and it says which.
  if (control_receive_.ring.add({}, {&segment, 1}, control_memory_.bytes().data() + place))
    if (control_receive_.ring.publish()) control_receive_.notify();
}

void ConsoleDevice::handle_control(core::Work& work) {
  ConsoleDevice& self = *base::container_of(&work, &ConsoleDevice::control_work_);
  for (;;) {
    std::array<std::byte, control_buffer_size> copy;
    std::size_t size;
    {
      MutexGuard guard{self.control_receive_lock_};
      auto used = self.control_receive_.ring.take();
      if (!used) {
        if (self.control_receive_.ring.enable_interrupts() || self.control_receive_.ring.is_broken()) return;
        continue;
      }
      // A copy, because the device could change the message while it is looked at.
      size = used->written;
      std::memcpy(copy.data(), used->token, size);
      auto* place = static_cast<std::byte*>(used->token);
      self.offer_control_buffer(static_cast<unsigned>((place - self.control_memory_.bytes().data()) /
                                                      static_cast<long>(control_buffer_size)));
    }
    if (auto message = parse_control(std::span(copy).first(size), self.port_count_)) self.handle(*message);
  }
}

void ConsoleDevice::handle(const ReceivedControl& message) {
  switch (message.event) {
    case ControlEvent::port_add:
      send_control(message.port, ControlEvent::port_ready, add_port(message.port) ? 1 : 0);
      break;
    case ControlEvent::port_remove:
      remove_port(message.port);
      break;
    case ControlEvent::console_port:
      if (message.value != 0 && make_console(message.port)) {
        send_control(message.port, ControlEvent::port_open, 1);
        console_found_.complete_all();
      }
      break;
    case ControlEvent::resize: {
      MutexGuard guard{state_lock_};
      Hvc* hvc = ports_[message.port].hvc.get();
      guard.unlock();
      if (hvc) hvc->set_window_size({.rows = message.rows, .columns = message.columns});
      break;
    }
    case ControlEvent::port_open:
      if (Channel* channel = channels_[message.port].load(std::memory_order_acquire))
        channel->set_host_connected(message.value != 0);
      break;
    case ControlEvent::port_name:
      set_name(message.port, message.name);
      break;
    case ControlEvent::device_ready:
    case ControlEvent::port_ready:
      break;  // ours to send
  }
}

void ConsoleDevice::send_control(std::uint32_t port, ControlEvent event, std::uint16_t value) {
  if (!multiport()) return;
  MutexGuard guard{control_lock_};
  virtio::SplitRing& ring = control_send_.ring;
  for (unsigned waited = 0;; ++waited) {
    while (ring.take()) {
    }
    if (ring.free_count() != 0 && ring.in_flight() < control_send_slots) break;
    if (ring.is_broken() || waited == control_patience_ms) return;
    core::sleep_for(core::ns_per_ms);
  }
  std::size_t place = control_buffers * control_buffer_size + next_control_ * sizeof(ControlMessage);
  next_control_ = (next_control_ + 1) % control_send_slots;
  ControlMessage message{port, static_cast<std::uint16_t>(event), value};
  std::memcpy(control_memory_.bytes().data() + place, &message, sizeof(message));
  virtio::Segment segment{control_memory_.device_address(place), sizeof(message)};
  if (!ring.add({&segment, 1}, {}, this)) return;
  if (ring.publish()) control_send_.notify();
}

void ConsoleDevice::tell_open(unsigned port, bool open) { send_control(port, ControlEvent::port_open, open); }

// ---- Ports ----

Result<void> ConsoleDevice::add_port(unsigned number) {
  MutexGuard guard{state_lock_};
  PortState& state = ports_[number];
  if (state.present) return {};
  if (!state.channel) {
    state.channel = TRY(base::try_make_unique<Channel>(*state.port, number, *this));
    TRY(state.port->prepare());
    channels_[number].store(state.channel.get(), std::memory_order_release);
  }
  if (!state.hvc) state.port->set_listener(state.channel.get());
  state.channel->set_present(true);
  state.present = true;
  live_[number].store(state.port.get(), std::memory_order_release);
  state.port->start_receiving();
  if (multiport()) {
    char memory[24];
    base::TextBuffer name{memory};
    base::format(name, "vport{}p{}", index(), number);
    if (vfs::create_device_node(name.view(), vfs::mode_character | 0600,
                                {vport_major, index() * vport_minors + number}))
      state.has_node = true;
  }
  if (files_wanted_) TRY(add_files_locked(number));
  return {};
}

void ConsoleDevice::remove_port(unsigned number) {
  MutexGuard guard{state_lock_};
  PortState& state = ports_[number];
  if (!state.present) return;
  state.present = false;
  state.channel->set_present(false);
  if (state.has_node) {
    char memory[24];
    base::TextBuffer name{memory};
    base::format(name, "vport{}p{}", index(), number);
    vfs::remove_device_node(name.view());
    state.has_node = false;
  }
  remove_files_locked(number);
  state.name = {};
  Hvc* hvc = state.hvc.get();
  guard.unlock();
  if (hvc) hvc->hang_up();
}

Result<void> ConsoleDevice::make_console(unsigned number) {
  MutexGuard guard{state_lock_};
  PortState& state = ports_[number];
  if (!state.present) return base::error(Errno::enoent);
  if (state.hvc) return {};
  unsigned hvc_number = next_hvc.fetch_add(1);
  if (hvc_number >= most_hvcs) return base::error(Errno::enospc);
  state.hvc = TRY(base::try_make_unique<Hvc>(*state.port, hvc_number, hvc_names[hvc_number]));
  Hvc* hvc = state.hvc.get();
  guard.unlock();
  TRY(hvc->start());
  Hvc* none = nullptr;
  first_hvc_.compare_exchange_strong(none, hvc, std::memory_order_acq_rel);
  core::log(core::LogLevel::info, "virtio{}: port {} is the console {}", index(), number, hvc->name());
  return {};
}

void ConsoleDevice::set_name(unsigned number, std::string_view name) {
  MutexGuard guard{state_lock_};
  if (auto copy = base::String::create(name)) ports_[number].name = std::move(*copy);
  // The file with the name can only be made now.
  if (files_wanted_ && ports_[number].present) {
    remove_files_locked(number);
    (void)add_files_locked(number);
  }
}

Result<RefPtr<vfs::File>> ConsoleDevice::open_port(unsigned number) {
  Channel* channel = number < port_count_ ? channels_[number].load(std::memory_order_acquire) : nullptr;
  if (!channel) return base::error(Errno::enxio);
  {
    MutexGuard guard{state_lock_};
    if (ports_[number].hvc) return base::error(Errno::enxio);  // a console's bytes go through its terminal
  }
  return channel->open();
}

}  // namespace virtio_console
