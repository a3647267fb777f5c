// io_uring_setup(2), io_uring_enter(2), io_uring_register(2)
#include "core/time/clock.h"
#include "linux_abi/signal_delivery.h"
#include "syscalls/async_io/process_async_io.h"
#include "syscalls/async_io/rows.h"
#include "syscalls/async_io/uring_file.h"
#include "syscalls/async_io/uring_ops.h"
#include "syscalls/async_io/uring_register.h"
#include "syscalls/async_io/uring_sq_thread.h"
#include "syscalls/async_io/uring_workers.h"

namespace linux_abi {

using namespace uring;
using core::MutexGuard;

namespace {

// struct io_uring_getevents_arg
struct WaitArgument {
  std::uint64_t mask = 0;
  std::uint32_t mask_size = 0, minimum_wait_us = 0;
  std::uint64_t timeout = 0;
};

Result<RefPtr<vfs::File>> ring_file(Context& context, int fd, bool registered) {
  if (registered) return TRY(ProcessAsyncIo::of(context.process))->registered_ring(context.task, fd);
  auto file = TRY(context.task.files->get(fd));
  if (!file->as<UringFile>()) return error(Errno::eopnotsupp);
  return file;
}

// Who may use a ring of SINGLE_ISSUER: the first who does.
Result<void> check_submitter(Context& context, Ring& ring) {
  if (!ring.has(setup_single_issuer)) return {};
  Task* expected = nullptr;
  if (ring.submitter.compare_exchange_strong(expected, &context.task) || expected == &context.task) return {};
  return error(Errno::eexist);
}

Result<void> wait_for(Context& context, Ring& ring, std::uint32_t wanted, core::Deadline deadline) {
  if (ring.ready_completions() >= wanted && !ring.has_overflow() && !ring.has_work()) return {};
  ring.begin_wait(context.task);
  Result<void> result;
  for (;;) {
    ring.drain(context);
    if (ring.has_overflow()) ring.flush_overflow();
    if (ring.ready_completions() >= wanted) break;
    auto waited = ring.enter_queue.wait(
        core::WaitMode::interruptible, [&] { return ring.is_worth_waking(context.task, wanted); }, deadline);
    if (waited) continue;
    if (ring.ready_completions() == 0)
      result = error(waited.error() == Errno::etimedout ? Errno::etime : Errno::restart_no_handler);
    break;
  }
  ring.end_wait(context.task);
  return result;
}

struct WaitPlan {
  core::Deadline deadline = core::Deadline::never();
  bool masked = false;
};

Result<WaitPlan> plan_wait(Context& context, std::uint32_t flags, UserAddress argument, std::size_t size) {
  WaitPlan plan;
  std::uint64_t mask = argument.value();
  if (flags & enter_extended) {
    if (size != sizeof(WaitArgument)) return error(Errno::einval);
    auto given = TRY(UserIn<WaitArgument>(argument).read());
    if (given.minimum_wait_us) return error(Errno::einval);
    mask = given.mask;
    size = given.mask_size;
    if (given.timeout)
      plan.deadline = core::Deadline::at(
          TRY(uring_deadline(given.timeout, flags & enter_absolute ? timeout_absolute : 0)));
  }
  if (!mask) return plan;
  if (size != sizeof(SignalSet)) return error(Errno::einval);
  set_temporary_mask(context.task, TRY(UserIn<SignalSet>(UserAddress(mask)).read()));
  plan.masked = true;
  return plan;
}

Result<void> get_events(Context& context, Ring& ring, std::uint32_t wanted, std::uint32_t flags,
                        UserAddress argument, std::size_t size) {
  if (ring.has(setup_defer_taskrun)) TRY(check_submitter(context, ring));
  WaitPlan plan = TRY(plan_wait(context, flags, argument, size));
  auto result = wait_for(context, ring, std::min(wanted, ring.cq_entries), plan.deadline);
  bool interrupted = !result && result.error() == Errno::restart_no_handler;
  if (plan.masked && !interrupted) restore_mask_now(context.task);
  if (interrupted) return error(Errno::interrupted_finally);
  return result;
}

Result<unsigned> submit(Context& context, Ring& ring, std::uint32_t count, std::uint32_t flags) {
  if (ring.has(setup_sqpoll)) {
    if (flags & enter_sq_wakeup) ring.enter_queue.wake_all();
    if (flags & enter_sq_wait)
      TRY(ring.sq_space.wait(core::WaitMode::interruptible,
                             [&] { return !ring.is_sq_full() || ring.closing.load(); }));
    return count;
  }
  if (!count) return 0u;
  TRY(check_submitter(context, ring));
  TRY(TRY(ProcessAsyncIo::of(context.process))->ensure_workers(context.task));
  MutexGuard guard{ring.submit_lock};
  return ring.submit(context, count);
}

Result<void> start_sq_thread(Context& context, RefPtr<Ring> ring, const UringParameters& parameters,
                             UringWorkers& workers) {
  std::uint64_t idle_ms = parameters.sq_thread_idle_ms ? parameters.sq_thread_idle_ms : 1000;
  auto thread = TRY(base::try_make_ref<UringSqThread>(*ring, workers, idle_ms * 1'000'000));
  thread->become(context.task);
  ring->sq_thread = thread;
  Ring* kept = RefPtr<Ring>(ring).leak();  // the thread's
  auto started = workers.start_sq_thread(context.task, *thread);
  if (!started) kept->release_reference();
  return started;
}

}  // namespace

Result<long> sys_io_uring_setup(Context& context, unsigned entries, UserInOut<UringParameters> out) {
  UringParameters parameters = TRY(out.read());
  auto ring = TRY(Ring::create(entries, parameters));
  if (parameters.flags & setup_attach_wq) {
    // All rings of a process share its workers anyway; with SQPOLL too, each has a thread of its own.
    RefPtr<vfs::File> other = TRY(context.task.files->get(static_cast<int>(parameters.wq_fd)));
    if (!other->as<UringFile>()) return error(Errno::einval);
  }
  auto workers = TRY(TRY(ProcessAsyncIo::of(context.process))->ensure_workers(context.task));
  if (ring->has(setup_single_issuer) && !ring->has(setup_disabled)) ring->submitter.store(&context.task);
  auto file = TRY(base::try_make_ref<UringFile>(ring));
  file->attach(TRY(vfs::anonymous_path("[io_uring]")), vfs::open_read_write,
               context.task.credentials_reference());
  ReservedDescriptor descriptor =
      TRY(context.task.files->reserve(CloseOnExec::yes, descriptor_limit(context)));
  TRY(out.write(parameters));
  if (ring->has(setup_sqpoll)) TRY(start_sq_thread(context, ring, parameters, *workers));
  int number = descriptor.number();
  descriptor.publish(std::move(file));
  return number;
}

Result<long> sys_io_uring_enter(Context& context, int fd, std::uint32_t count, std::uint32_t wanted,
                                std::uint32_t flags, UserAddress argument, std::size_t size) {
  constexpr std::uint32_t known = enter_get_events | enter_sq_wakeup | enter_sq_wait | enter_extended |
                                  enter_registered_ring | enter_absolute;
  if (flags & ~known) return error(Errno::einval);
  RefPtr<vfs::File> file = TRY(ring_file(context, fd, flags & enter_registered_ring));
  Ring& ring = file->as<UringFile>()->ring();
  if (ring.disabled.load()) return error(Errno::ebadfd);
  unsigned submitted = TRY(submit(context, ring, count, flags));
  if (!(flags & enter_get_events) || (submitted != count && count)) return submitted;
  auto waited = get_events(context, ring, wanted, flags, argument, size);
  if (!waited && !submitted) return error(waited.error());
  return submitted;
}

Result<long> sys_io_uring_register(Context& context, int fd, std::uint32_t operation, UserAddress argument,
                                   std::uint32_t count) {
  bool registered = operation & register_use_registered_ring;
  operation &= ~register_use_registered_ring;
  RefPtr<vfs::File> file = TRY(ring_file(context, fd, registered));
  Ring& ring = file->as<UringFile>()->ring();
  if (ring.has(setup_single_issuer) && ring.submitter.load() && ring.submitter.load() != &context.task)
    return error(Errno::eexist);
  if (operation == register_ring_fds || operation == unregister_ring_fds) {
    auto* own = TRY(ProcessAsyncIo::of(context.process));
    return operation == register_ring_fds ? own->register_rings(context.task, argument, count)
                                          : own->unregister_rings(context.task, argument, count);
  }
  return uring_register(context, ring, operation, argument, count);
}

}  // namespace linux_abi
