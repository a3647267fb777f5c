// The virtio transport of 9P: one queue; the request is what the device reads of a message, the answer what
// it writes. The device's configuration is a tag, by which the folder is mounted.
//
// Messages lie in memory of the client's. What the device has of a message when its ring breaks it keeps: the
// device is reset first, and then everybody who waits hears that his message is lost.
//
// Locking: queue_lock_ protects the ring and broken_. Messages are completed with it open.
#include "base/string.h"
#include "core/init/init_step.h"
#include "core/log/log.h"
#include "core/memory/slab.h"
#include "core/sched/work_queue.h"
#include "core/sync/mutex.h"
#include "core/sync/wait_queue.h"
#include "nine_p/channel.h"
#include "virtio/device.h"

namespace virtio_9p {
namespace {

using base::Errno;
using base::Result;
using nine_p::Message;

constexpr std::uint32_t type_9p = 9;
constexpr std::uint64_t feature_mount_tag = virtio::feature(0);
constexpr unsigned config_tag_length = 0, config_tag = 2;

class Session final : public virtio::QueueHandler, public nine_p::Channel {
 public:
  explicit Session(virtio::Device& device)
      : device_(device),
        end_([](core::Work& work) { base::container_of(&work, &Session::end_)->break_down(); }) {}
  Result<void> start();

  std::string_view tag() const override { return tag_; }
  std::size_t largest_message() const override { return 1u << 20; }
  Result<void> submit(Message& message) override EXCLUDES(queue_lock_);

 private:
  void queue_interrupt(unsigned queue) override EXCLUDES(queue_lock_);
  void break_down() EXCLUDES(queue_lock_);

  virtio::Device& device_;
  base::String tag_;
  core::Mutex queue_lock_{"virtio-9p queue"};
  core::WaitQueue room_;
  virtio::Queue queue_ GUARDED_BY(queue_lock_);
  bool broken_ GUARDED_BY(queue_lock_) = false;
  core::Work end_;
  virtio::Connection connection_;
};

Result<void> Session::start() {
  TRY(device_.negotiate(feature_mount_tag));
  if (!device_.has(feature_mount_tag)) return base::error(Errno::enodev);
  unsigned length = device_.config16(config_tag_length);
  if (length == 0 || length > 4095) return base::error(Errno::einval);
  for (unsigned i = 0; i < length; ++i)
    TRY(tag_.try_push_back(static_cast<char>(device_.config8(config_tag + i))));
  connection_ = TRY(device_.connect(*this, 1));
  {
    core::MutexGuard guard{queue_lock_};
    queue_ = TRY(device_.start_queue(0, {.largest_size = 128}));
  }
  TRY(nine_p::register_channel(*this));
  device_.ready();
  core::log(core::LogLevel::info, "9p: the host shares \"{}\"", tag());
  return {};
}

Result<void> Session::submit(Message& message) {
  virtio::Segment out{message.out_address, static_cast<std::uint32_t>(message.out.size())};
  virtio::Segment in{message.in_address, static_cast<std::uint32_t>(message.in.size())};
  core::MutexGuard guard{queue_lock_};
  bool added = false;
  TRY(room_.wait(guard, core::WaitMode::uninterruptible, [&]() NO_THREAD_SAFETY_ANALYSIS {
    added = !broken_ && queue_.ring.add({&out, 1}, {&in, 1}, &message).has_value();
    return added || broken_;
  }));
  if (!added) return base::error(Errno::eio);
  if (queue_.ring.publish()) queue_.notify();
  return {};
}

void Session::queue_interrupt(unsigned) {
  for (;;) {
    Message* message = nullptr;
    {
      core::MutexGuard guard{queue_lock_};
      if (broken_) return;
      auto used = queue_.ring.take();
      if (used) {
        message = static_cast<Message*>(used->token);
        message->received = used->written;
      } else if (!queue_.ring.is_broken() && queue_.ring.enable_interrupts()) {
        return;
      } else if (queue_.ring.is_broken()) {
        broken_ = true;
        core::WorkQueue::system().post(end_);
        return;
      }
    }
    room_.wake_all();
    if (message) message->completed();
  }
}

// Apart from the interrupt's thread, which the end of the connection waits for.
void Session::break_down() {
  device_.give_up("it broke its ring");
  connection_ = {};
  room_.wake_all();
  for (;;) {
    Message* message;
    {
      core::MutexGuard guard{queue_lock_};
      message = static_cast<Message*>(queue_.ring.take_back());
    }
    if (!message) return;
    message->lost = true;
    message->completed();
  }
}

class NinePDriver final : public virtio::Driver {
 public:
  constexpr NinePDriver() : Driver("virtio_9p", type_9p) {}
  Result<void> start(virtio::Device& device) override {
    auto session = TRY(base::try_make_unique<Session>(device));
    TRY(session->start());
    (void)session.release();  // for ever
    return {};
  }
};
constinit NinePDriver driver;

Result<void> start_driver() {
  virtio::register_driver(driver);
  return {};
}
INIT_STEP nine_p_step{"drivers.virtio_9p", {"virtio"}, start_driver, {"drivers"}};

}  // namespace
}  // namespace virtio_9p
