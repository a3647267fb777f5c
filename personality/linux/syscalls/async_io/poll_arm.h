// Waiting for a file to become ready without a thread that waits: asynchronous polls and retries.
//
//   events = arm(file, interest)   ready now (the events), or 0: ready() will be called, once
//   claim()                        true: it will not be called any more (cancellation)
//   disarm()                       by whoever owns the request after either of the two, before anything else
//
// At any time exactly one party owns an armed request: the arm itself, until ready() or a successful claim().
//
// Contexts: arm() and disarm() may sleep; claim() anywhere; ready() runs under the raw lock of a wait queue
// with interrupts off.
#pragma once

#include <atomic>

#include "core/sync/wait_queue.h"
#include "vfs/file.h"

namespace linux_abi {

class PollArm : private vfs::PollWaiter {
 public:
  PollArm() = default;
  PollArm(const PollArm&) = delete;

  // With `keep` the wait entries stay registered when the file is ready at once, for the rounds below.
  enum class Entries : std::uint8_t { drop, keep };
  // EINVAL: the file has more queues than we watch. The caller keeps the file alive until disarm().
  base::Result<vfs::PollEvents> arm(vfs::File& file, vfs::PollEvents wanted, Entries entries = Entries::drop);
  [[nodiscard]] bool claim();
  void disarm();
  // Polls that go on, after ready() or an arm with `keep`: what becomes true from begin_round() on is not
  // lost; end_round() says whether the wait is armed again (no: look once more).
  void begin_round() { state_.store(State::arming); }
  [[nodiscard]] bool end_round() {
    State expected = State::arming;
    return state_.compare_exchange_strong(expected, State::armed);
  }
  // The keys of the wake that called ready(); 0: not said.
  vfs::PollEvents woken_by() const { return woken_by_; }

 protected:
  ~PollArm() = default;
  virtual void ready() = 0;

 private:
  class Entry final : public core::WaitEntry {
   public:
    bool woken(std::uint64_t key) override { return arm->woken(key); }
    PollArm* arm = nullptr;
    core::WaitQueue* queue = nullptr;
  };
  enum class State : std::uint8_t { idle, arming, triggered, armed, fired };
  void watch(core::WaitQueue& queue) override;
  bool woken(std::uint64_t key);

  static constexpr unsigned most_queues = 4;
  std::atomic<State> state_{State::idle};
  bool too_many_ = false;
  unsigned used_ = 0;
  vfs::PollEvents woken_by_ = 0;
  Entry entries_[most_queues];
};

}  // namespace linux_abi
