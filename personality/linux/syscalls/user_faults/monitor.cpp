// The side of the threads that fault, and of whoever reads of them.
#include "core/memory/io_buffer.h"
#include "syscalls/user_faults/user_faults.h"

namespace linux_abi::user_faults {

using core::FaultOutcome;
using core::MonitoredFault;
using core::MutexGuard;

FaultOutcome Monitor::wait(core::AddressSpace& space, UserAddress address, core::FaultAccess access,
                           MonitoredFault kind, Origin origin) {
  if (scope_ == Scope::user_mode_only && origin == Origin::kernel) return FaultOutcome::bus_error;
  std::uint64_t chosen = features_chosen();
  if (chosen & feature_sigbus) return FaultOutcome::bus_error;
  if (closed_.load()) return FaultOutcome::resolved;

  WaitingFault fault;
  fault.page = address.value() & ~(core::page_size - 1);
  fault.message.event = event_page_fault;
  fault.message.address = chosen & feature_exact_address ? address.value() : fault.page;
  fault.message.flags = (access == core::FaultAccess::write ? fault_write : 0) |
                        (kind == MonitoredFault::write_protected ? fault_protected : 0) |
                        (kind == MonitoredFault::minor ? fault_minor : 0);
  if (chosen & feature_thread_id) fault.message.thread = static_cast<std::uint32_t>(current_task().id());
  {
    MutexGuard guard{lock_};
    waiting_.push_back(fault);
  }
  readers_.wake_one(vfs::poll_readable);
  // The answer may have come before we were in the list.
  bool asks = !closed_.load() && space.fault_is_monitored(address, access) != MonitoredFault::none;
  auto mode = origin == Origin::user ? core::WaitMode::interruptible : core::WaitMode::killable;
  MutexGuard guard{lock_};
  if (asks) {
    auto is_let_go = [&]() NO_THREAD_SAFETY_ANALYSIS { return fault.let_go; };
    // A signal is no answer, but the program must get to see it before the access is tried again.
    (void)faulting_.wait(guard, mode, is_let_go).has_value();
  }
  waiting_.remove(fault);
  if (!fault.let_go && core::interruption_pending(core::WaitMode::killable)) return FaultOutcome::interrupted;
  return FaultOutcome::resolved;
}

void Monitor::let_go(std::uintptr_t start, std::size_t length) {
  bool any = false;
  {
    MutexGuard guard{lock_};
    for (WaitingFault& fault : waiting_)
      if (fault.page - start < length) fault.let_go = any = true;
  }
  if (any) faulting_.wake_all();
}

void Monitor::close() {
  closed_.store(true);
  RefPtr<core::AddressSpace> space = std::move(space_);
  space->end_monitoring_by(*this);
  let_go(0, ~std::size_t{0});
}

bool Monitor::has_unread() {
  MutexGuard guard{lock_};
  for (WaitingFault& fault : waiting_)
    if (!fault.was_read && !fault.let_go) return true;
  return false;
}

Result<std::size_t> Monitor::read(core::IoBuffer& buffer, bool non_blocking) {
  if (!is_ready()) return error(Errno::einval);
  std::size_t total = 0;
  while (buffer.remaining() >= sizeof(Message)) {
    Message message;
    {
      MutexGuard guard{lock_};
      auto take = [&]() NO_THREAD_SAFETY_ANALYSIS {
        for (WaitingFault& fault : waiting_) {
          if (fault.was_read || fault.let_go) continue;
          fault.was_read = true;
          message = fault.message;
          return true;
        }
        return false;
      };
      if (!take()) {
        if (total) return total;
        if (non_blocking) return error(Errno::eagain);
        TRY(readers_.wait(guard, core::WaitMode::interruptible, take));
      }
    }
    if (!buffer.put(message)) return total ? Result<std::size_t>(total) : error(Errno::efault);
    total += sizeof(message);
  }
  return total ? Result<std::size_t>(total) : error(Errno::einval);
}

void Monitor::put_description(base::TextSink& out) {
  std::size_t unread = 0, total = 0;
  {
    MutexGuard guard{lock_};
    for (WaitingFault& fault : waiting_) {
      ++total;
      if (!fault.was_read) ++unread;
    }
  }
  base::format(out, "pending:\t{}\ntotal:\t{}\nAPI:\t{:x}:{:x}:{:x}\n", unread, total, version,
               features_chosen(), features);
}

}  // namespace linux_abi::user_faults
