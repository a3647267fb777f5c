// Waiting for readiness: what poll, select and epoll share.
//
//   PollEvents MyFile::poll(PollWaiter* waiter) {
//     if (waiter) waiter->watch(readers_);      // first register …
//     return ready() ? poll_in | poll_read_normal : 0;   // … then look, so that no wake-up is lost
//   }
//
// The object wakes its queues with wake(count, key), key being the events that became true, so that waiters
// that asked for others sleep on. A queue must live as long as the file that registered it.
#pragma once

#include <cstdint>

namespace core {
class WaitQueue;
}

namespace vfs {

// EPOLL* / POLL* values of the generic ABI.
using PollEvents = std::uint32_t;
inline constexpr PollEvents poll_in = 0x1, poll_priority = 0x2, poll_out = 0x4, poll_error = 0x8,
                            poll_hang_up = 0x10, poll_invalid = 0x20, poll_read_normal = 0x40,
                            poll_read_band = 0x80, poll_write_normal = 0x100, poll_write_band = 0x200,
                            poll_message = 0x400, poll_read_hang_up = 0x2000;
inline constexpr PollEvents poll_readable = poll_in | poll_read_normal,
                            poll_writable = poll_out | poll_write_normal;

class PollWaiter {
 public:
  // Registers with one more queue; called by File::poll in a context that may sleep and allocate. A failure
  // to allocate is remembered by the waiter, not reported here.
  virtual void watch(core::WaitQueue& queue) = 0;
  // What the caller is interested in; a file may use it to start work (hang_up and error always count).
  PollEvents interest = ~PollEvents{0};

 protected:
  ~PollWaiter() = default;
};

}  // namespace vfs
