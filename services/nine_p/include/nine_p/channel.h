// What carries 9P messages between the file system and a server.
//
//   class MyChannel final : public nine_p::Channel { ... };
//   TRY(nine_p::register_channel(channel));           // from the driver, for ever
//   channel = TRY(nine_p::find_channel("share"));     // mount: by the tag that the host gave it
//
// A message goes out in one piece of memory and its answer comes back in another; both belong to the channel
// from submit() until completed(). What the answer says is nobody's business here: the client checks it.
//
// Locking: submit() may wait for room and takes the channel's own locks only. completed() is called in a
// thread (an interrupt thread, or from inside submit()), without the channel's locks, exactly once for each
// submit() that succeeded.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/intrusive_list.h"
#include "base/result.h"

namespace nine_p {

class Message {
 public:
  // Memory that a device can reach, physically in one piece.
  std::span<const std::byte> out;
  std::span<std::byte> in;
  std::uint64_t out_address = 0, in_address = 0;
  // ---- The answer ----
  std::size_t received = 0;  // bytes of `in`, at most its size
  bool lost = false;         // the channel broke: there is no answer
  virtual void completed() = 0;

 protected:
  ~Message() = default;
};

class Channel {
 public:
  virtual std::string_view tag() const = 0;
  // Largest message in either direction.
  virtual std::size_t largest_message() const = 0;
  // EIO: the channel is broken.
  virtual base::Result<void> submit(Message& message) = 0;

  // One session at a time: a new one makes the server forget the old. EBUSY.
  base::Result<void> claim();
  void release() { claimed_.store(false); }

  base::ListHook hook;

 protected:
  ~Channel() = default;

 private:
  std::atomic<bool> claimed_{false};
};

// EEXIST: another channel has the tag.
base::Result<void> register_channel(Channel& channel);
void unregister_channel(Channel& channel);  // tests
// ENOENT.
base::Result<Channel*> find_channel(std::string_view tag);

}  // namespace nine_p
