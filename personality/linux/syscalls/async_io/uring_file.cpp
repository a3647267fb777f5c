#include "syscalls/async_io/uring_file.h"

#include "syscalls/async_io/uring_sq_thread.h"

namespace linux_abi {

using core::MutexGuard;

vfs::PollEvents UringFile::poll(vfs::PollWaiter* waiter) {
  if (waiter) waiter->watch(ring_->poll_queue);
  vfs::PollEvents events = 0;
  if (!ring_->is_sq_full()) events |= vfs::poll_writable;
  if (ring_->ready_completions() || ring_->has_overflow() || ring_->has_work()) events |= vfs::poll_readable;
  return events;
}

Result<void> UringFile::map(core::MapRequest& request) {
  RefPtr<SharedPages> pages;
  switch (request.offset) {
    case uring::map_sq_ring:
    case uring::map_cq_ring:
      pages = ring_->rings;
      break;
    case uring::map_sqes:
      pages = ring_->sqes;
      break;
    default:
      return error(Errno::einval);
  }
  if (request.length > pages->size()) return error(Errno::einval);
  if (!core::has(request.flags, core::MapFlags::shared)) return error(Errno::einval);
  request.object = pages;
  request.offset = 0;
  request.file = this;
  return {};
}

void UringFile::put_fdinfo(base::TextSink& out) {
  Ring& ring = *ring_;
  auto value = [&](std::uint32_t UringShared::* member) {
    return ring.word(member).load(std::memory_order_relaxed);
  };
  base::format(out, "SqMask:\t0x{:x}\nSqHead:\t{}\nSqTail:\t{}\nCachedSqHead:\t{}\n", ring.sq_entries - 1,
               value(&UringShared::sq_head), value(&UringShared::sq_tail), value(&UringShared::sq_head));
  base::format(out, "CqMask:\t0x{:x}\nCqHead:\t{}\nCqTail:\t{}\nCachedCqTail:\t{}\n", ring.cq_entries - 1,
               value(&UringShared::cq_head), value(&UringShared::cq_tail), value(&UringShared::cq_tail));
  base::format(out, "SQEs:\t{}\nCQEs:\t{}\n", value(&UringShared::sq_tail) - value(&UringShared::sq_head),
               ring.ready_completions());
  MutexGuard guard{ring.resources_lock};
  base::format(out, "UserFiles:\t{}\nUserBufs:\t{}\n", ring.resources.files.size(),
               ring.resources.buffers.size());
}

void UringFile::release() {
  if (RefPtr<UringSqThread> thread = ring_->sq_thread) thread->stop();
  ring_->close();
  base::Vector<RefPtr<vfs::File>> files;
  base::Vector<RefPtr<UringFixedBuffer>> buffers;
  MutexGuard guard{ring_->resources_lock};
  std::swap(files, ring_->resources.files);
  std::swap(buffers, ring_->resources.buffers);
}

}  // namespace linux_abi
