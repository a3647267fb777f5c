// signalfd(2): pending signals read as a file. Whoever reads takes signals of its own, not those of the
// creator.
#include <atomic>

#include "core/memory/io_buffer.h"
#include "linux_abi/abi/file.h"
#include "syscalls/events/rows.h"

namespace linux_abi {

namespace {

// struct signalfd_siginfo
struct SignalRecord {
  std::uint32_t number = 0;
  std::int32_t error = 0, code = 0;
  std::uint32_t pid = 0, uid = 0;
  std::int32_t fd = 0;
  std::uint32_t timer_id = 0, band = 0, overrun = 0, trap_number = 0;
  std::int32_t status = 0, integer = 0;
  std::uint64_t pointer = 0, user_time = 0, system_time = 0, address = 0;
  std::uint16_t address_lsb = 0, pad2 = 0;
  std::int32_t system_call = 0;
  std::uint64_t call_address = 0;
  std::uint32_t architecture = 0;
  std::uint8_t pad[28] = {};
};
static_assert(sizeof(SignalRecord) == 128);

SignalRecord record_of(const SigInfo& info) {
  SignalRecord out;
  out.number = static_cast<std::uint32_t>(info.number);
  out.error = info.error;
  out.code = info.code;
  if (info.code == si::timer) {
    out.timer_id = static_cast<std::uint32_t>(info.timer.id);
    out.overrun = static_cast<std::uint32_t>(info.timer.overrun);
    out.pointer = info.timer.value;
    out.integer = static_cast<std::int32_t>(info.timer.value);
  } else if (synchronous_signals.contains(info.number) && info.code > 0 && info.code != si::kernel) {
    out.address = info.fault.address;
    out.address_lsb = static_cast<std::uint16_t>(info.fault.address_lsb);
  } else if (info.number == signal::io && info.code > 0) {
    out.band = static_cast<std::uint32_t>(info.poll.band);
    out.fd = info.poll.fd;
  } else {
    out.pid = static_cast<std::uint32_t>(info.sender.pid);
    out.uid = info.sender.uid;
    if (info.number == signal::chld && info.code > 0) {
      out.status = info.sender.child.status;
      out.user_time = static_cast<std::uint64_t>(info.sender.child.user_ticks);
      out.system_time = static_cast<std::uint64_t>(info.sender.child.system_ticks);
    } else {
      out.pointer = info.sender.value;
      out.integer = static_cast<std::int32_t>(info.sender.value);
    }
  }
  return out;
}

class SignalFile final : public vfs::File {
 public:
  explicit SignalFile(SignalSet signals) : File(no_wait_capable), signals_(signals.bits) {}

  static constexpr int kind_tag = 0;
  const void* kind() const override { return &kind_tag; }

  SignalSet signals() const { return {signals_.load(std::memory_order_relaxed)}; }
  void set_signals(SignalSet signals) { signals_.store(signals.bits, std::memory_order_relaxed); }

  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags io_flags) override {
    if (buffer.remaining() < sizeof(SignalRecord)) return error(Errno::einval);
    bool non_blocking = is_non_blocking() || (io_flags & vfs::io_no_wait);
    Task& task = current_task();
    std::size_t total = 0;
    SigInfo info;
    while (buffer.remaining() >= sizeof(SignalRecord)) {
      auto take = [&] { return dequeue_signal(task, ~signals(), info) != 0; };
      if (!take()) {
        if (total) break;
        if (non_blocking) return error(Errno::eagain);
        TRY(task.process().signal_queue.wait(core::WaitMode::interruptible, take));
      }
      if (!buffer.put(record_of(info))) return total ? Result<std::size_t>(total) : error(Errno::efault);
      total += sizeof(SignalRecord);
    }
    return total;
  }

  vfs::PollEvents poll(vfs::PollWaiter* waiter) override {
    Task& task = current_task();
    Process& process = task.process();
    if (waiter) waiter->watch(process.signal_queue);
    core::MutexGuard guard{process.signal_lock};
    SignalSet waiting = (task.pending.set() | process.shared_pending.set()) & signals();
    return waiting.empty() ? 0 : vfs::poll_readable;
  }

  void put_fdinfo(base::TextSink& out) override { base::format(out, "sigmask:\t{:016x}\n", signals().bits); }

 private:
  std::atomic<std::uint64_t> signals_;
};

}  // namespace

Result<long> sys_signalfd4(Context& context, FileDescriptor fd, UserIn<SignalSet> mask, std::size_t mask_size,
                           unsigned flags) {
  if ((flags & ~(o_cloexec | o_nonblock)) || mask_size != sizeof(SignalSet)) return error(Errno::einval);
  SignalSet signals = TRY(mask.read()) & ~unblockable_signals;
  if (fd.number != -1) {
    FileUse file = TRY(context.task.files->use(fd.number));
    auto* existing = file->as<SignalFile>();
    if (!existing) return error(Errno::einval);
    existing->set_signals(signals);
    context.process.signal_queue.wake_all();
    return fd.number;
  }
  auto file = TRY(base::try_make_ref<SignalFile>(signals));
  file->attach(TRY(vfs::anonymous_path("[signalfd]")), vfs::open_read_write | (flags & o_nonblock),
               context.task.credentials_reference());
  return TRY(context.task.files->add(std::move(file), flags & o_cloexec ? CloseOnExec::yes : CloseOnExec::no,
                                     descriptor_limit(context)));
}

Result<long> sys_signalfd(Context& context, FileDescriptor fd, UserIn<SignalSet> mask,
                          std::size_t mask_size) {
  return sys_signalfd4(context, fd, mask, mask_size, 0);
}

}  // namespace linux_abi
