// Polls, time-outs, cancellation, messages between rings, and waiting on futexes and children.
#include <algorithm>

#include "core/time/clock.h"
#include "syscalls/async_io/uring_file.h"
#include "syscalls/async_io/uring_ops.h"
#include "syscalls/process/rows.h"
#include "syscalls/synchronisation/rows.h"
#include "vfs/inode.h"

namespace linux_abi {

using namespace uring;

namespace {

constexpr vfs::PollEvents always = vfs::poll_error | vfs::poll_hang_up;
constexpr vfs::PollEvents known_events = 0x3fff;

// One look after another until it waits again.
Result<long> poll_round(UringIssue& issue) {
  UringRequest& request = issue.request;
  vfs::PollEvents wanted = request.poll_events | always;
  for (unsigned round = 0; round < 16; ++round) {
    request.begin_round();
    vfs::PollEvents events = issue.file().poll(nullptr) & wanted;
    if (events) issue.ring.post(request, static_cast<std::int32_t>(events), cqe_more);
    // Under the lock: a canceller finds it armed, or has said so.
    core::MutexGuard guard{issue.ring.lock};
    if (request.cancel_wanted.load()) {
      request.multishot_on = false;
      request.settle();
      return error(Errno::ecanceled);
    }
    if (request.end_round()) return error(uring_taken);
  }
  // It is never quiet: others first.
  request.multishot_on = true;
  issue.ring.push_again(request);
  return error(uring_taken);
}

}  // namespace

Result<long> uring_poll_add(UringIssue& issue) {
  UringRequest& request = issue.request;
  const UringSqe& sqe = request.sqe;
  if (request.multishot_on) return poll_round(issue);
  if (sqe.address || sqe.buffer || sqe.offset || sqe.length & ~poll_multi) return error(Errno::einval);
  bool multishot = sqe.length & poll_multi;
  if (multishot && request.has_flag(skip_success)) return error(Errno::einval);
  vfs::Mode mode = issue.file().inode().mode();
  request.poll_events = sqe.op_flags & known_events;
  if (vfs::is_regular(mode) || vfs::is_directory(mode)) return static_cast<long>(request.poll_events & 0x145);
  issue.ring.start_linked_timeout(request);
  auto events = issue.ring.arm_poll(request, multishot ? PollArm::Entries::keep : PollArm::Entries::drop);
  if (!events) return error(events.error());
  // Now it is somebody else's, perhaps over already.
  if (*events == 0) return error(uring_taken);
  if (!multishot) return static_cast<long>(*events);
  request.multishot_on = true;
  return poll_round(issue);
}

Result<long> uring_poll_remove(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  std::uint32_t known = poll_multi | poll_update_events | poll_update_user_data;
  if (sqe.buffer || sqe.extra_fd || sqe.length & ~known) return error(Errno::einval);
  bool update = sqe.length & (poll_update_events | poll_update_user_data);
  if (!update && sqe.length) return error(Errno::einval);
  if (!(sqe.length & poll_update_user_data) && sqe.offset) return error(Errno::einval);
  if (!(sqe.length & poll_update_events) && sqe.op_flags) return error(Errno::einval);
  UringRequest& found = *TRY(issue.ring.claim_for_update(sqe.address, Ring::UpdateOf::poll));
  if (!update) {
    issue.ring.cancel_claimed(found);
    return 0;
  }
  found.settle();
  found.multishot_on = false;
  if (sqe.length & poll_update_events) {
    found.sqe.op_flags = sqe.op_flags;
    found.sqe.length = (found.sqe.length & ~poll_multi) | (sqe.length & poll_multi);
  }
  if (sqe.length & poll_update_user_data) found.sqe.user_data = sqe.offset;
  issue.ring.push_again(found);
  return 0;
}

// ---- Time ----

Result<std::uint64_t> uring_deadline(std::uint64_t address, std::uint32_t flags) {
  Timespec time = TRY(UserIn<Timespec>(UserAddress(address)).read());
  if (time.seconds < 0 || time.nanoseconds < 0) return error(Errno::einval);
  std::uint64_t ns = to_nanoseconds(time), now = core::monotonic_ns();
  if (!(flags & timeout_absolute)) return now + std::min(ns, maximum_nanoseconds - now);
  std::uint64_t then = flags & timeout_realtime   ? core::realtime_ns()
                       : flags & timeout_boottime ? core::boot_ns()
                                                  : now;
  return now + (ns > then ? ns - then : 0);
}

Result<void> uring_read_time(UringRequest& request) {
  const UringSqe& sqe = request.sqe;
  bool linked = sqe.opcode == op_link_timeout;
  std::uint32_t known = timeout_absolute | timeout_boottime | timeout_realtime | timeout_success |
                        (linked ? 0 : timeout_multishot);
  if (sqe.buffer || sqe.length != 1 || sqe.extra_fd || sqe.op_flags & ~known) return error(Errno::einval);
  if (linked && sqe.offset) return error(Errno::einval);
  if ((sqe.op_flags & timeout_boottime) && (sqe.op_flags & timeout_realtime)) return error(Errno::einval);
  if ((sqe.op_flags & timeout_multishot) && (sqe.op_flags & timeout_absolute)) return error(Errno::einval);
  request.deadline_ns = TRY(uring_deadline(sqe.address, sqe.op_flags));
  if (sqe.op_flags & timeout_multishot) {
    Timespec time = TRY(UserIn<Timespec>(UserAddress(sqe.address)).read());
    // Never quicker than it can be posted.
    request.interval_ns = std::max<std::uint64_t>(to_nanoseconds(time), 1000);
    request.repeats = static_cast<std::uint32_t>(sqe.offset);
  }
  return {};
}

Result<long> uring_timeout(UringIssue& issue) {
  UringRequest& request = issue.request;
  // A LINK_TIMEOUT that guards nothing.
  if (request.sqe.opcode == op_link_timeout) return error(Errno::einval);
  if (!request.interval_ns && request.sqe.offset) {
    core::MutexGuard guard{issue.ring.lock};
    request.completion_target = issue.ring.posted + static_cast<std::uint32_t>(request.sqe.offset);
  }
  if (!issue.ring.arm_timer(request)) return error(Errno::ecanceled);
  return error(uring_taken);
}

Result<long> uring_timeout_remove(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  if (sqe.buffer || sqe.length || sqe.extra_fd) return error(Errno::einval);
  if (sqe.op_flags & link_timeout_update) return error(Errno::einval);
  bool update = sqe.op_flags & timeout_update;
  if (!update && sqe.op_flags) return error(Errno::einval);
  std::uint64_t deadline = 0;
  if (update) {
    if (sqe.op_flags & ~(timeout_update | timeout_absolute | timeout_boottime | timeout_realtime))
      return error(Errno::einval);
    deadline = TRY(uring_deadline(sqe.offset, sqe.op_flags));
  }
  UringRequest& found = *TRY(issue.ring.claim_for_update(sqe.address, Ring::UpdateOf::timeout));
  if (!update) {
    issue.ring.cancel_claimed(found);
    return 0;
  }
  found.settle();
  found.deadline_ns = deadline;
  found.completion_target = 0;
  if (!issue.ring.arm_timer(found)) issue.ring.push_again(found);
  return 0;
}

// ---- Cancellation, messages ----

Result<long> uring_async_cancel(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  std::uint32_t known =
      cancel_all | cancel_fd | cancel_any | cancel_fd_fixed | cancel_user_data | cancel_opcode;
  if (sqe.offset || sqe.extra_fd || sqe.op_flags & ~known) return error(Errno::einval);
  Ring::Match match{.user_data = sqe.address, .except = &issue.request};
  match.all = sqe.op_flags & cancel_all;
  match.any = sqe.op_flags & cancel_any;
  if (match.any && sqe.op_flags & (cancel_fd | cancel_opcode)) return error(Errno::einval);
  if (sqe.op_flags & (cancel_fd | cancel_opcode)) match.by_user_data = sqe.op_flags & cancel_user_data;
  RefPtr<vfs::File> file;
  if (sqe.op_flags & cancel_fd) {
    bool fixed = issue.request.has_flag(fixed_file) || (sqe.op_flags & cancel_fd_fixed);
    file = fixed ? TRY(uring_fixed_file(issue.ring, static_cast<std::uint32_t>(sqe.fd)))
                 : TRY(issue.context.task.files->get(sqe.fd));
    match.file = file.get();
  }
  if (sqe.op_flags & cancel_opcode) match.opcode = static_cast<int>(sqe.length);
  return issue.ring.cancel(match);
}

Result<long> uring_msg_ring(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  auto* target = issue.file().as<UringFile>();
  if (!target) return error(Errno::ebadf);
  // Passing descriptors (1) is not there.
  if (sqe.buffer || sqe.personality || sqe.address != 0 || sqe.op_flags & ~3u) return error(Errno::einval);
  bool pass_flags = sqe.op_flags & 2;
  if (!pass_flags && sqe.extra_fd) return error(Errno::einval);
  Ring& ring = target->ring();
  if (ring.disabled.load()) return error(Errno::ebadf);
  ring.post(sqe.offset, static_cast<std::int32_t>(sqe.length),
            pass_flags ? static_cast<std::uint32_t>(sqe.extra_fd) : 0);
  return 0;
}

// ---- In a worker, which waits ----

Result<long> uring_futex(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  if (sqe.op_flags || sqe.buffer || sqe.extra_fd) return error(Errno::einval);
  auto address = static_cast<std::uintptr_t>(sqe.address);
  auto flags = static_cast<std::uint32_t>(sqe.fd);
  if (sqe.opcode == op_futex_wake)
    return sys_futex_wake(issue.context, address, sqe.address3, static_cast<int>(sqe.offset), flags);
  TRY(issue.in_worker());
  UserIn<Timespec> never{};
  if (sqe.opcode == op_futex_wait)
    return sys_futex_wait(issue.context, address, sqe.offset, sqe.address3, flags, never, ClockId{1});
  return sys_futex_waitv(issue.context, UserArray<FutexWaitv>(address), sqe.length, 0, never, ClockId{1});
}

Result<long> uring_waitid(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  if (sqe.address || sqe.buffer || sqe.address3 || sqe.op_flags) return error(Errno::einval);
  TRY(issue.in_worker());
  auto done = sys_waitid(issue.context, static_cast<WaitId>(sqe.length), sqe.fd,
                         UserOut<SigInfo>(UserAddress(sqe.offset)), static_cast<unsigned>(sqe.extra_fd), {});
  return done;
}

}  // namespace linux_abi
