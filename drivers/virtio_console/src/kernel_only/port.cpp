#include "port.h"

#include <arch/cpu.h>

#include <algorithm>
#include <cstring>

namespace virtio_console {

using core::IrqSave;
using core::MutexGuard;
using core::SpinGuard;

namespace {
constexpr unsigned polls_in_panic = 10'000'000;
}

base::Result<void> Port::prepare() {
  receive_memory_ = TRY(core::DmaMemory::allocate(receive_buffers * receive_buffer_size));
  send_memory_ = TRY(core::DmaMemory::allocate(send_buffers * send_buffer_size));
  {
    SpinGuard<IrqSave> guard{send_lock_};
    for (unsigned i = 0; i < send_buffers; ++i) send_[i].index = i;
  }
  MutexGuard guard{receive_lock_};
  for (unsigned i = 0; i < receive_buffers; ++i) receive_[i].index = i;
  return {};
}

// ---- Sending ----

void Port::reap_locked() {
  while (auto used = send_queue_.ring.take()) {
    auto& buffer = *static_cast<SendBuffer*>(used->token);
    buffer.busy = false;
    pending_ -= buffer.length;
  }
}

std::size_t Port::fill_locked(std::span<const std::byte> bytes, bool& notify) {
  reap_locked();
  std::size_t done = 0;
  for (SendBuffer& buffer : send_) {
    if (done == bytes.size()) break;
    if (buffer.busy) continue;
    std::size_t piece = std::min(bytes.size() - done, send_buffer_size),
                place = buffer.index * send_buffer_size;
    std::memcpy(send_memory_.bytes().data() + place, bytes.data() + done, piece);
    virtio::Segment segment{send_memory_.device_address(place), static_cast<std::uint32_t>(piece)};
    if (!send_queue_.ring.add({&segment, 1}, {}, &buffer)) break;
    buffer.busy = true;
    buffer.length = static_cast<std::uint32_t>(piece);
    pending_ += piece;
    done += piece;
  }
  notify = send_queue_.ring.publish();
  return done;
}

std::size_t Port::send(std::span<const std::byte> bytes) {
  bool notify = false;
  std::size_t done;
  unsigned queue;
  virtio::Device* device;
  {
    SpinGuard<IrqSave> guard{send_lock_};
    done = fill_locked(bytes, notify);
    queue = send_queue_.index;
    device = send_queue_.device;
  }
  if (notify) device->notify(queue);
  return done;
}

std::size_t Port::send_room() {
  SpinGuard<IrqSave> guard{send_lock_};
  reap_locked();
  std::size_t free = 0;
  for (const SendBuffer& buffer : send_) free += !buffer.busy;
  return free * send_buffer_size;
}

std::size_t Port::send_pending() {
  SpinGuard<IrqSave> guard{send_lock_};
  reap_locked();
  return pending_;
}

void Port::send_all_polling(std::span<const std::byte> bytes) {
  for (unsigned polls = 0; !bytes.empty() && polls < polls_in_panic; ++polls) {
    bytes = bytes.subspan(send(bytes));
    arch::relax();
  }
  for (unsigned polls = 0; send_pending() != 0 && polls < polls_in_panic; ++polls) arch::relax();
}

void Port::send_interrupt() {
  {
    SpinGuard<IrqSave> guard{send_lock_};
    do reap_locked();
    while (!send_queue_.ring.enable_interrupts() && !send_queue_.ring.is_broken());
  }
  if (PortListener* listener = listener_.load(std::memory_order_acquire)) listener->room_to_send();
}

// ---- Receiving ----

bool Port::offer_locked(ReceiveBuffer& buffer) {
  virtio::Segment segment{receive_memory_.device_address(buffer.index * receive_buffer_size),
                          static_cast<std::uint32_t>(receive_buffer_size)};
  if (!receive_queue_.ring.add({}, {&segment, 1}, &buffer)) return false;
  return receive_queue_.ring.publish();
}

void Port::start_receiving() {
  MutexGuard guard{receive_lock_};
  if (receiving_) return;
  receiving_ = true;
  bool notify = false;
  for (ReceiveBuffer& buffer : receive_) notify |= offer_locked(buffer);
  (void)receive_queue_.ring.enable_interrupts();
  if (notify) receive_queue_.notify();
}

std::span<const std::byte> Port::look() {
  while (!current_) {
    auto used = receive_queue_.ring.take();
    if (!used) {
      // Interrupts come from here on, unless something came just now.
      if (receive_queue_.ring.enable_interrupts() || receive_queue_.ring.is_broken()) return {};
      continue;
    }
    current_ = static_cast<ReceiveBuffer*>(used->token);
    current_offset_ = 0;
    current_length_ = used->written;
    if (current_length_ == 0) consume(0);  // nothing in it: straight back
  }
  std::size_t place = current_->index * receive_buffer_size;
  return receive_memory_.bytes().subspan(place + current_offset_, current_length_ - current_offset_);
}

void Port::consume(std::size_t count) {
  current_offset_ += count;
  if (current_offset_ < current_length_) return;
  ReceiveBuffer* buffer = std::exchange(current_, nullptr);
  if (offer_locked(*buffer)) receive_queue_.notify();
}

void Port::receive_interrupt() {
  if (PortListener* listener = listener_.load(std::memory_order_acquire)) listener->received();
}

}  // namespace virtio_console
