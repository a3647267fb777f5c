// eventfd(2): a counter that one side adds to and the other takes from.
//
// The counter is one atomic word, so that neither side takes a lock; waiting is on the two queues.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/sync/wait_queue.h"
#include "vfs/file.h"

namespace event {

class EventFile final : public vfs::File {
 public:
  enum class Mode { counter, semaphore };

  // `flags`: open_non_blocking.
  static base::Result<base::RefPtr<EventFile>> create(std::uint32_t initial, Mode mode, vfs::OpenFlags flags,
                                                      base::RefPtr<const vfs::Credentials> credentials);
  EventFile(std::uint64_t initial, Mode mode) : File(no_wait_capable), count_(initial), mode_(mode) {}

  static constexpr int kind_tag = 0;
  const void* kind() const override { return &kind_tag; }

  base::Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset,
                                    vfs::IoFlags io_flags) override;
  base::Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t offset,
                                     vfs::IoFlags io_flags) override;
  vfs::PollEvents poll(vfs::PollWaiter* waiter) override;
  void put_fdinfo(base::TextSink& out) override;

  // From the kernel (asynchronous I/O): adds, saturating. Any context.
  void signal(std::uint64_t value);

 private:
  static constexpr std::uint64_t maximum = ~std::uint64_t{0} - 1;
  bool try_take(std::uint64_t& value);
  bool try_add(std::uint64_t value);

  std::atomic<std::uint64_t> count_;
  const Mode mode_;
  core::WaitQueue readers_{"eventfd readers"};
  core::WaitQueue writers_{"eventfd writers"};
};

}  // namespace event
