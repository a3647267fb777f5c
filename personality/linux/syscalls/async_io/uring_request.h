// One request of io_uring, from its submission entry to its last completion.
//
//   made in io_uring_enter -> issued (not waiting) -+-> done
//                                                   +-> armed: on a file's wait queues, or a timer
//                                                   |     -> fired: on a ready list -> issued again, or done
//                                                   +-> handed to a worker, which may wait -> done
//
// Exactly one party owns a request at any time: the thread that issues it, the armed wait, a ready list, or a
// worker. Who wants to cancel it finds it on its ring's or its process's list (under their locks), and claims
// it: that succeeds only while it is armed or waits for a worker, and makes the canceller the owner. The
// owner finishes it; nobody else frees it.
#pragma once

#include <atomic>
#include <memory>

#include "base/intrusive_list.h"
#include "core/memory/io_buffer.h"
#include "core/time/timer.h"
#include "linux_abi/abi/socket.h"
#include "linux_abi/task.h"
#include "syscalls/async_io/poll_arm.h"
#include "syscalls/async_io/uring_abi.h"

namespace linux_abi {

class Ring;
class UringWorkers;

class UringRequest final : public PollArm {
 public:
  UringRequest();
  ~UringRequest();

  // Where it waits; only the owner changes it, and a canceller after a claim.
  enum class Place : std::uint8_t { issuing, polling, timing, queued };
  enum class Fired : std::uint8_t { event, time, cancel };

  std::uint64_t user_data() const { return sqe.user_data; }
  bool has_flag(std::uint8_t flag) const { return sqe.flags & flag; }

  UringSqe sqe;
  // From Ring::enrol() on:
  RefPtr<Ring> ring;
  RefPtr<UringWorkers> workers;  // of the process that submitted it
  Task* submitter = nullptr;     // only compared: its requests end before it does
  // As whom it runs.
  RefPtr<vfs::Credentials> credentials;
  RefPtr<FileTable> files;
  RefPtr<FileSystemContext> file_system;

  RefPtr<vfs::File> file;  // found when it is first issued
  std::atomic<Place> place{Place::issuing};
  Fired fired = Fired::event;
  std::atomic<bool> cancel_wanted{false};
  bool started = false;       // it, or the head of its chain, is on its way: cancellation finds it
  bool deferred = false;      // waits for a drain
  bool no_wait = false;       // EAGAIN is the answer, not a reason to wait
  bool multishot_on = false;  // wait entries stay registered between completions
  Errno failed = Errno{};     // of a link: what it ends with without being issued
  std::int32_t result = 0;
  std::uint32_t cqe_flags = 0;
  vfs::PollEvents poll_events = 0;  // what it waits for
  std::uint64_t done = 0;           // transfers: what a short one has moved so far

  // ---- What the program may overwrite once it was submitted
  base::Vector<core::UserSegment> segments;
  bool has_segments = false;
  Msghdr message{};

  // ---- Provided buffer
  bool has_buffer = false;
  std::uint16_t buffer_id = 0;
  std::uint64_t buffer_address = 0;
  std::uint32_t buffer_length = 0;

  // ---- Time-outs
  std::atomic<bool> timer_claimed{false};
  core::Timer timer;
  std::uint64_t deadline_ns = 0, interval_ns = 0;
  std::uint32_t repeats = 0;
  std::uint64_t completion_target = 0;     // of TIMEOUT: ends when so many completions were posted; 0: none
  UringRequest* linked_timeout = nullptr;  // guards this one
  UringRequest* guarded = nullptr;         // what this LINK_TIMEOUT guards; both under Ring::lock

  // ---- Links and order
  UringRequest* next = nullptr;  // of the chain
  std::uint64_t sequence = 0;    // requests submitted before

  // ---- Lists
  base::ListHook ring_hook;        // Ring: all
  base::ListHook process_hook;     // UringWorkers: all
  base::ListHook queue_hook;       // a ready list, the workers' queue, or those that wait for a drain
  base::ListHook timeout_hook;     // Ring: time-outs with a completion target
  core::Thread* worker = nullptr;  // that runs it; under UringWorkers::queue_lock_

  // Makes the caller the owner of an armed wait.
  [[nodiscard]] bool claim();
  void start_timer(std::uint64_t deadline_ns);
  // Undoes what a wait left behind; by the owner.
  void settle();

 private:
  void ready() override;
};

}  // namespace linux_abi
