#include "syscalls/async_io/poll_arm.h"

namespace linux_abi {

using base::Errno;
using base::error;

base::Result<vfs::PollEvents> PollArm::arm(vfs::File& file, vfs::PollEvents wanted, Entries entries) {
  interest = wanted;
  too_many_ = false;
  woken_by_ = 0;
  state_.store(State::arming);
  vfs::PollEvents events = file.poll(this) & wanted;
  for (;;) {
    if (too_many_ || events) {
      state_.store(State::fired);
      if (too_many_ || entries == Entries::drop) disarm();
      if (too_many_) return error(Errno::einval);
      return events;
    }
    State expected = State::arming;
    if (state_.compare_exchange_strong(expected, State::armed)) return vfs::PollEvents{0};
    // Woken since: look again.
    state_.store(State::arming);
    events = file.poll(nullptr) & wanted;
  }
}

bool PollArm::claim() {
  State expected = State::armed;
  return state_.compare_exchange_strong(expected, State::fired);
}

void PollArm::disarm() {
  for (unsigned i = 0; i < used_; ++i) entries_[i].queue->remove(entries_[i]);
  used_ = 0;
  state_.store(State::idle);
}

void PollArm::watch(core::WaitQueue& queue) {
  if (used_ == most_queues) {
    too_many_ = true;
    return;
  }
  Entry& entry = entries_[used_++];
  entry.arm = this;
  entry.queue = &queue;
  queue.add(entry);
}

bool PollArm::woken(std::uint64_t key) {
  if (key && !(key & interest)) return false;
  State state = state_.load();
  for (;;) {
    if (state == State::armed) {
      if (!state_.compare_exchange_strong(state, State::fired)) continue;
      woken_by_ = static_cast<vfs::PollEvents>(key);
      ready();
      return true;
    }
    if (state != State::arming) return true;
    if (state_.compare_exchange_strong(state, State::triggered)) return true;
  }
}

}  // namespace linux_abi
