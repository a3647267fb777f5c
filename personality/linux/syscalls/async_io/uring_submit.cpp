// From entries of the submission queue to requests.
#include "syscalls/async_io/process_async_io.h"
#include "syscalls/async_io/uring_ops.h"
#include "syscalls/async_io/uring_workers.h"

namespace linux_abi {

using namespace uring;
using core::MutexGuard;

// The next entry, copied once; false when the program named one that does not exist.
bool Ring::read_entry(UringSqe& entry) {
  std::uint32_t index = sq_head_++ & (sq_entries - 1);
  if (!has(setup_no_sq_array)) {
    std::size_t cqes = cq_entries * (has(setup_cqe32) ? 2 : 1) * sizeof(UringCqe);
    auto* array = static_cast<std::uint32_t*>(rings->at(sizeof(UringShared) + cqes));
    index = std::atomic_ref<std::uint32_t>(array[index]).load(std::memory_order_relaxed);
    if (index >= sq_entries) {
      word(&UringShared::sq_dropped).fetch_add(1);
      return false;
    }
  }
  std::size_t size = has(setup_sqe128) ? 2 * sizeof(UringSqe) : sizeof(UringSqe);
  // The program may write to it meanwhile: whatever the copy is, it is checked afterwards.
  entry = *static_cast<const UringSqe*>(sqes->at(index * size));
  return true;
}

Result<UringRequest*> Ring::enrol(Context& context, std::unique_ptr<UringRequest> request) {
  // Gone when the process ends: its SQPOLL threads are told so here.
  auto* own = ProcessAsyncIo::find(context.process);
  RefPtr<UringWorkers> workers = own ? own->workers() : RefPtr<UringWorkers>{};
  if (!workers) return error(Errno::enomem);
  Task& task = context.task;
  request->ring = RefPtr<Ring>(this);
  request->workers = std::move(workers);
  request->submitter = &task;
  request->credentials = task.credentials_reference();
  request->files = task.files;
  request->file_system = task.file_system;
  {
    MutexGuard guard{lock};
    request->sequence = submitted_++;
    all.push_back(*request);
  }
  request->workers->add(*request);
  return request.release();
}

Result<void> Ring::check_entry(UringRequest& request) {
  const UringSqe& sqe = request.sqe;
  if (!uring_supports(sqe.opcode) || sqe.flags & 0x80) return error(Errno::einval);
  if (request.has_flag(buffer_select) && !uring_selects_buffers(sqe.opcode)) return error(Errno::eopnotsupp);
  {
    MutexGuard guard{resources_lock};
    if (resources.restricted) {
      if (!(resources.allowed_opcodes >> sqe.opcode & 1)) return error(Errno::eacces);
      if ((sqe.flags & resources.required_flags) != resources.required_flags) return error(Errno::eacces);
      if (sqe.flags & ~(resources.allowed_flags | resources.required_flags)) return error(Errno::eacces);
    }
    if (sqe.personality) {
      std::size_t index = sqe.personality - 1u;
      if (index >= resources.personalities.size() || !resources.personalities[index])
        return error(Errno::einval);
      request.credentials = resources.personalities[index];
    }
  }
  // What the program may use again once it is submitted.
  if (sqe.opcode == op_timeout || sqe.opcode == op_link_timeout) return uring_read_time(request);
  return {};
}

// Builds chains: `head` is the one that is open. A request that is wrong does not cut its chain in the
// middle, it makes all of it fail.
Result<void> Ring::submit_one(Context& context, UringRequest*& head, UringRequest*& last) {
  UringRequest& request = *TRY(enrol(context, std::move(spare_)));
  Result<void> checked = check_entry(request);
  if (checked && request.sqe.opcode == op_link_timeout && !head) checked = error(Errno::einval);
  if (!checked) {
    request.failed = checked.error();
    if (head && head->failed == Errno{}) head->failed = Errno::ecanceled;
  }
  bool linked = request.sqe.flags & (link | hard_link);
  if (head) last->next = &request;
  if (linked) {
    if (!head) head = &request;
    last = &request;
    return {};
  }
  UringRequest& first = head ? *std::exchange(head, nullptr) : request;
  queue_chain(context, first);
  return checked;
}

Result<unsigned> Ring::submit(Context& context, unsigned count) {
  unsigned taken = 0;
  UringRequest *head = nullptr, *last = nullptr;
  Result<void> failure;
  std::uint32_t available = word(&UringShared::sq_tail).load(std::memory_order_acquire) - sq_head_;
  count = std::min({count, available, sq_entries});
  bool may_carry_out = false;
  {
    MutexGuard guard{resources_lock};
    may_carry_out = !resources.restricted;  // fixed before the ring was enabled
  }
  // Not cleared as a whole: most submissions have one completion.
  [[clang::uninitialized]] Batch batch;
  while (taken < count) {
    if (!spare_) spare_.reset(new (std::nothrow) UringRequest);
    if (!spare_) {
      failure = error(Errno::eagain);
      break;
    }
    if (!read_entry(spare_->sqe)) {
      ++taken;
      if (has(setup_submit_all)) continue;
      break;
    }
    // relaxed: see the member.
    bool at_once = may_carry_out && !head && uring_is_quick(spare_->sqe) &&
                   deferred_count_.load(std::memory_order_relaxed) == 0;
    Result<void> submitted;
    if (at_once) {
      submitted = carry_out(context, batch);
    } else {
      post_batch(batch);
      submitted = submit_one(context, head, last);
    }
    if (!submitted && submitted.error() == Errno::enomem) {
      --sq_head_;
      failure = error(Errno::eagain);
      break;
    }
    ++taken;
    if (!submitted && !has(setup_submit_all)) break;
  }
  post_batch(batch);
  if (head) queue_chain(context, *head);
  if (batch.posted_some) notify();
  // release: the entries were copied before the program may use them again.
  word(&UringShared::sq_head).store(sq_head_, std::memory_order_release);
  if (!taken && !failure) return error(failure.error());
  return taken;
}

}  // namespace linux_abi
