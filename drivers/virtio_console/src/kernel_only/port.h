// The two queues of one port and the buffers behind them: bytes in, bytes out. What the bytes mean is the
// business of its user (PortListener): a terminal (hvc.h) or a file (port_file.h).
//
// Sending: send() copies into free buffers and hands them to the device; it never waits. Receiving: the
// device fills buffers; look() shows the oldest bytes, consume() gives them up, and a buffer that is used up
// goes back to the device. Nothing is copied twice.
//
// Locking: send_lock_ (raw) protects the sending queue and is held for at most send_buffers copies of a
// buffer. receive_lock() is the user's while it looks and consumes; it comes before the terminal's mutex.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "core/dma/dma_memory.h"
#include "core/sync/mutex.h"
#include "core/sync/spin_lock.h"
#include "virtio/device.h"

namespace virtio_console {

class PortListener {
 public:
  virtual void received() = 0;  // look() may show something
  virtual void room_to_send() = 0;

 protected:
  ~PortListener() = default;
};

class Port {
 public:
  static constexpr unsigned send_buffers = 8, receive_buffers = 8, queue_length = 16;
  static constexpr std::size_t send_buffer_size = 1024, receive_buffer_size = 512;

  Port(virtio::Queue receive_queue, virtio::Queue send_queue)
      : device_(*send_queue.device),
        send_index_(send_queue.index),
        send_queue_(std::move(send_queue)),
        receive_queue_(std::move(receive_queue)) {}
  // Allocates the buffers; once, before anything else.
  base::Result<void> prepare();
  // Gives the device its receiving buffers; after the device is ready.
  void start_receiving() EXCLUDES(receive_lock_);
  void set_listener(PortListener* listener) { listener_.store(listener, std::memory_order_release); }

  // Any context. How many bytes were taken.
  std::size_t send(std::span<const std::byte> bytes) EXCLUDES(send_lock_);
  std::size_t send_room() EXCLUDES(send_lock_);
  std::size_t send_pending() EXCLUDES(send_lock_);  // bytes that the device has not taken yet
  // Polls the device, for a system that dies.
  void send_all_polling(std::span<const std::byte> bytes) EXCLUDES(send_lock_);

  core::Mutex& receive_lock() RETURN_CAPABILITY(receive_lock_) { return receive_lock_; }
  // The oldest bytes that wait; empty: none.
  std::span<const std::byte> look() REQUIRES(receive_lock_);
  void consume(std::size_t count) REQUIRES(receive_lock_);

  // ---- The device's interrupts ----
  void receive_interrupt();
  void send_interrupt() EXCLUDES(send_lock_);

 private:
  struct SendBuffer {
    unsigned index = 0;
    bool busy = false;
    std::uint32_t length = 0;
  };
  struct ReceiveBuffer {
    unsigned index = 0;
  };

  // Takes back what the device is done with, and gives it what waits if it is idle. True: it wants the bell.
  bool advance_locked() REQUIRES(send_lock_);
  void give_locked() REQUIRES(send_lock_);
  std::size_t fill_locked(std::span<const std::byte> bytes) REQUIRES(send_lock_);
  void ring(bool wanted) EXCLUDES(send_lock_);
  bool offer_locked(ReceiveBuffer& buffer) REQUIRES(receive_lock_);

  virtio::Device& device_;
  const unsigned send_index_;
  std::atomic<PortListener*> listener_{nullptr};
  core::DmaMemory receive_memory_, send_memory_;

  core::SpinLock send_lock_{"virtio port send"};
  virtio::Queue send_queue_ GUARDED_BY(send_lock_);
  std::array<SendBuffer, send_buffers> send_ GUARDED_BY(send_lock_){};
  SendBuffer* filling_ GUARDED_BY(send_lock_) = nullptr;  // ours still
  std::size_t pending_ GUARDED_BY(send_lock_) = 0;

  core::Mutex receive_lock_{"virtio port receive"};
  virtio::Queue receive_queue_ GUARDED_BY(receive_lock_);
  std::array<ReceiveBuffer, receive_buffers> receive_ GUARDED_BY(receive_lock_){};
  ReceiveBuffer* current_ GUARDED_BY(receive_lock_) = nullptr;
  std::size_t current_offset_ GUARDED_BY(receive_lock_) = 0, current_length_ GUARDED_BY(receive_lock_) = 0;
  bool receiving_ GUARDED_BY(receive_lock_) = false;
};

}  // namespace virtio_console
