#include "port.h"

#include <arch/cpu.h>

#include <algorithm>
#include <cstring>

#include "core/sync/break_lock.h"

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

// The bell is rung without the lock.
void Port::ring(bool wanted) {
  if (wanted) device_.notify(send_index_);
}

void Port::give_locked() {
  SendBuffer* buffer = std::exchange(filling_, nullptr);
  virtio::Segment segment{send_memory_.device_address(buffer->index * send_buffer_size), buffer->length};
  // There are more descriptors than buffers: it fails only when the device has broken its ring.
  if (!send_queue_.ring.add({&segment, 1}, {}, buffer)) pending_ -= buffer->length;
}

bool Port::advance_locked() {
  while (auto used = send_queue_.ring.take()) {
    auto& buffer = *static_cast<SendBuffer*>(used->token);
    pending_ -= buffer.length;
    buffer.busy = false;
  }
  if (filling_ && send_queue_.ring.in_flight() == 0) give_locked();
  return send_queue_.ring.publish();
}

std::size_t Port::fill_locked(std::span<const std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    if (!filling_) {
      auto free =
          std::find_if(send_.begin(), send_.end(), [](const SendBuffer& buffer) { return !buffer.busy; });
      if (free == send_.end()) break;
      filling_ = &*free;
      filling_->busy = true;
      filling_->length = 0;
    }
    std::size_t piece = std::min(bytes.size() - done, send_buffer_size - filling_->length);
    std::memcpy(send_memory_.bytes().data() + filling_->index * send_buffer_size + filling_->length,
                bytes.data() + done, piece);
    filling_->length += static_cast<std::uint32_t>(piece);
    pending_ += piece;
    done += piece;
    if (filling_->length == send_buffer_size) give_locked();
  }
  return done;
}

std::size_t Port::send(std::span<const std::byte> bytes) {
  bool wanted;
  std::size_t done;
  {
    SpinGuard<IrqSave> guard{send_lock_};
    wanted = advance_locked();
    done = fill_locked(bytes);
    wanted |= advance_locked();
  }
  ring(wanted);
  return done;
}

std::size_t Port::send_room() {
  bool wanted;
  std::size_t room = 0;
  {
    SpinGuard<IrqSave> guard{send_lock_};
    wanted = advance_locked();
    for (const SendBuffer& buffer : send_) room += buffer.busy ? 0 : send_buffer_size;
    if (filling_) room += send_buffer_size - filling_->length;
  }
  ring(wanted);
  return room;
}

std::size_t Port::send_pending() {
  bool wanted;
  std::size_t pending;
  {
    SpinGuard<IrqSave> guard{send_lock_};
    wanted = advance_locked();
    pending = pending_;
  }
  ring(wanted);
  return pending;
}

void Port::send_all_polling(std::span<const std::byte> bytes) {
  core::break_lock_in_panic(send_lock_);
  for (unsigned polls = 0; !bytes.empty() && polls < polls_in_panic; ++polls) {
    bytes = bytes.subspan(send(bytes));
    arch::relax();
  }
  for (unsigned polls = 0; send_pending() != 0 && polls < polls_in_panic; ++polls) arch::relax();
}

void Port::send_interrupt() {
  bool wanted = false;
  {
    SpinGuard<IrqSave> guard{send_lock_};
    do wanted |= advance_locked();
    while (!send_queue_.ring.enable_interrupts() && !send_queue_.ring.is_broken());
  }
  ring(wanted);
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
