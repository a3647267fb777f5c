// ptrace(2): the requests. What tracing is and where threads stop: linux_abi/tracing.h.
#include "arch/linux_trace.h"

#include "linux_abi/tracing.h"
#include "syscalls/tracing/rows.h"

namespace core {
// The union's words are zeroed.
template <>
inline constexpr bool has_zeroed_padding<linux_abi::trace::CallInformation> = true;
}  // namespace core

namespace linux_abi {

namespace {

struct Request {
  Context& context;
  Task& tracee;
  Tracing& tracing;
  long number;
  std::uintptr_t address, data;

  arch::TracedThread thread() const { return {tracee.registers, tracee.thread().arch_state}; }
};

using Memory = core::AddressSpace::RemoteAccess;

Result<long> peek_memory(const Request& request) {
  auto space = request.tracee.process().address_space();
  std::uint64_t word = 0;
  if (!space || space->read_remote(UserAddress(request.address), std::as_writable_bytes(std::span(&word, 1)),
                                   Memory::force) != sizeof(word))
    return error(Errno::eio);
  TRY(UserOut<std::uint64_t>(request.data).write(word));
  return 0;
}

Result<long> poke_memory(const Request& request) {
  auto space = request.tracee.process().address_space();
  std::uint64_t word = request.data;
  if (!space || space->write_remote(UserAddress(request.address), std::as_bytes(std::span(&word, 1)),
                                    Memory::force) != sizeof(word))
    return error(Errno::eio);
  return 0;
}

// Large enough for a block of registers, of any architecture.
class RegisterMemory {
 public:
  static Result<RegisterMemory> create(std::size_t size) {
    RegisterMemory made;
    for (std::size_t i = 0; i < size; ++i) TRY(made.bytes_.try_push_back(std::byte{0}));
    return made;
  }
  std::span<std::byte> bytes() { return {bytes_.data(), bytes_.size()}; }

 private:
  base::Vector<std::byte> bytes_;
};

Result<void> transfer_registers(const Request& request, unsigned note, UserAddress user, std::size_t size,
                                bool writes) {
  auto memory = TRY(RegisterMemory::create(size));
  if (writes) {
    TRY(core::copy_from_user(memory.bytes(), user));
    return arch::write_linux_registers(request.thread(), note, memory.bytes());
  }
  TRY(arch::read_linux_registers(request.thread(), note, memory.bytes()));
  return core::copy_to_user(user, memory.bytes());
}

Result<long> register_set(const Request& request, bool writes) {
  Iovec vector = TRY(UserIn<Iovec>(request.data).read());
  auto note = static_cast<unsigned>(request.address);
  arch::LinuxRegisterSet set = arch::linux_register_set(note);
  if (!set.size || vector.length % set.unit) return error(Errno::einval);
  if (!writes) set.size = arch::linux_register_set_size(request.thread(), note);
  if (!set.size) return error(Errno::einval);  // the thread has not used them
  if (vector.length > set.size) vector.length = set.size;
  TRY(transfer_registers(request, note, UserAddress(vector.base), vector.length, writes));
  TRY(UserOut<Iovec>(request.data).write(vector));
  return 0;
}

Result<long> get_signal_information(const Request& request) {
  if (!request.tracing.has_information) return error(Errno::einval);
  TRY(UserOut<SigInfo>(request.data).write(request.tracing.information));
  return 0;
}

Result<long> set_signal_information(const Request& request) {
  SigInfo info = TRY(UserIn<SigInfo>(request.data).read());
  if (!request.tracing.has_information) return error(Errno::einval);
  request.tracing.information = info;
  return 0;
}

Result<long> peek_signals(const Request& request) {
  auto arguments = TRY(UserIn<trace::PeekArguments>(request.address).read());
  if (arguments.flags & ~trace::peek_shared || arguments.count < 0) return error(Errno::einval);
  Process& process = request.tracee.process();
  UserOut<SigInfo> out(request.data);
  std::int32_t done = 0;
  for (; done < arguments.count; ++done) {
    SigInfo info;
    {
      core::MutexGuard guard{process.signal_lock};
      PendingSignals& pending =
          arguments.flags & trace::peek_shared ? process.shared_pending : request.tracee.pending;
      const QueuedSignal* entry = pending.at(arguments.offset + static_cast<std::uint64_t>(done));
      if (!entry) break;
      info = entry->info;
    }
    auto written = out.write_at(static_cast<std::size_t>(done), info);
    if (!written && !done) return error(written.error());
    if (!written || request.context.task.thread().interrupted(core::WaitMode::interruptible)) break;
  }
  return done;
}

Result<long> signal_mask(const Request& request, bool writes) {
  if (request.address != sizeof(SignalSet)) return error(Errno::einval);
  Task& tracee = request.tracee;
  bool temporary = tracee.work.load(std::memory_order_acquire) & task_work::restore_mask;
  if (!writes) {
    SignalSet mask = temporary ? tracee.saved_blocked : tracee.blocked;
    TRY(UserOut<std::uint64_t>(request.data).write(mask.bits));
    return 0;
  }
  SignalSet mask{TRY(UserIn<std::uint64_t>(request.data).read())};
  core::MutexGuard guard{tracee.process().signal_lock};
  tracee.blocked = mask & ~unblockable_signals;
  tracee.work.fetch_and(~task_work::restore_mask);
  update_interruption(tracee);
  return 0;
}

Result<long> call_information(const Request& request) {
  trace::CallInformation out;
  const arch::UserRegisters& registers = request.tracee.registers;
  out.architecture = arch::linux_audit_architecture();
  out.instruction_pointer = registers.program_counter();
  out.stack_pointer = registers.stack_pointer();
  out.operation = request.tracing.call_stop;
  std::size_t size = offsetof(trace::CallInformation, words);
  if (out.operation == trace::CallInformation::entry || out.operation == trace::CallInformation::seccomp) {
    out.call.number = static_cast<std::uint64_t>(registers.system_call_number());
    for (unsigned i = 0; i < 6; ++i) out.call.arguments[i] = registers.argument(i);
    size += sizeof(out.call) - 8;
    if (out.operation == trace::CallInformation::seccomp) {
      out.call.filter_data = static_cast<std::uint32_t>(request.tracing.message);
      size += 8;
    }
  } else if (out.operation == trace::CallInformation::exit) {
    auto value = static_cast<std::int64_t>(registers.result());
    constexpr std::int64_t last_error = -4095;
    out.result.is_error = value < 0 && value >= last_error;
    out.result.value = value;
    size += 9;  // without what pads it
  }
  std::size_t wanted = request.address < size ? request.address : size;
  TRY(core::copy_to_user(UserAddress(request.data), std::as_bytes(std::span(&out, 1)).first(wanted)));
  return static_cast<long>(size);
}

Result<long> rseq_configuration(const Request& request) {
  if (request.address != sizeof(trace::RseqConfiguration)) return error(Errno::einval);
  trace::RseqConfiguration out{.address = request.tracee.rseq_area,
                               .size = request.tracee.rseq_length,
                               .signature = request.tracee.rseq_signature};
  TRY(UserOut<trace::RseqConfiguration>(request.data).write(out));
  return sizeof(out);
}

Result<long> set_options(const Request& request) {
  if (request.data & ~std::uintptr_t{trace::all_options}) return error(Errno::einval);
  core::MutexGuard guard{request.tracee.process().signal_lock};
  request.tracing.options = static_cast<std::uint32_t>(request.data);
  return 0;
}

Result<long> other_request(const Request& request) {
  if (auto legacy = arch::linux_register_request(request.number)) {
    TRY(transfer_registers(request, legacy->note, UserAddress(request.data),
                           arch::linux_register_set(legacy->note).size, legacy->writes));
    return 0;
  }
  return arch::linux_own_trace_request(request.thread(), request.number, request.address, request.data);
}

// The tracee is stopped and held.
Result<long> examine(const Request& request) {
  switch (request.number) {
    case trace::peek_text:
    case trace::peek_data:
      return peek_memory(request);
    case trace::poke_text:
    case trace::poke_data:
      return poke_memory(request);
    case trace::peek_user: {
      std::uint64_t word = TRY(arch::peek_linux_user(request.thread(), request.address));
      TRY(UserOut<std::uint64_t>(request.data).write(word));
      return 0;
    }
    case trace::poke_user:
      TRY(arch::poke_linux_user(request.thread(), request.address, request.data));
      return 0;
    case trace::get_register_set:
    case trace::set_register_set:
      return register_set(request, request.number == trace::set_register_set);
    case trace::get_signal_information:
      return get_signal_information(request);
    case trace::set_signal_information:
      return set_signal_information(request);
    case trace::peek_signal_information:
      return peek_signals(request);
    case trace::get_signal_mask:
    case trace::set_signal_mask:
      return signal_mask(request, request.number == trace::set_signal_mask);
    case trace::get_event_message:
      TRY(UserOut<std::uint64_t>(request.data).write(request.tracing.message));
      return 0;
    case trace::set_options:
    case trace::old_set_options:
      return set_options(request);
    case trace::get_call_information:
      return call_information(request);
    case trace::get_rseq_configuration:
      return rseq_configuration(request);
    default:
      return other_request(request);
  }
}

// PTRACE_INTERRUPT: comes to a stop wherever it is.
Result<long> interrupt_tracee(Task& tracer, Task& tracee) {
  core::MutexGuard tree{process_tree_lock()};
  Tracing* tracing = Tracing::find(tracee);
  if (!tracing || tracing->tracer.load() != &tracer || tracing->ended) return error(Errno::esrch);
  if (!tracing->seized) return error(Errno::eio);
  core::MutexGuard guard{tracee.process().signal_lock};
  tracing->stop_wanted = true;
  if (tracing->listening) notify_tracee_locked(tracee);
  update_interruption(tracee);
  tracee.process().stop_queue.wake_all();
  return 0;
}

// PTRACE_LISTEN: stays in a group stop, and says when that ends.
Result<long> listen_to_tracee(Tracing& tracing) {
  core::MutexGuard guard{tracing.task.process().signal_lock};
  if (!tracing.seized || !tracing.stopped || tracing.code >> 8 != static_cast<int>(trace::event_stop))
    return error(Errno::eio);
  tracing.listening = true;
  if (tracing.notice_wanted) notify_tracee_locked(tracing.task);
  return 0;
}

Result<long> kill_tracee(Task& tracer, Task& tracee) {
  if (tracer_id(tracee) != tracer.id()) return error(Errno::esrch);
  (void)send_signal(tracee, SigInfo(signal::kill, si::user));
  return 0;
}

Result<long> resume(TraceHold hold, long request, std::uintptr_t data) {
  using How = Tracing::Resume;
  if (data > static_cast<std::uintptr_t>(signal_count)) return error(Errno::eio);
  bool step = request == trace::single_step || request == trace::emulate_single_step;
  How how = request == trace::call                                               ? How::to_call
            : request == trace::emulate || request == trace::emulate_single_step ? How::emulate
                                                                                 : How::run;
  TRY(resume_tracee(std::move(hold), how, step, static_cast<int>(data)));
  return 0;
}

Result<long> seize(Task& tracer, Task& tracee, std::uintptr_t address, std::uintptr_t options) {
  if (address || options & ~std::uintptr_t{trace::all_options}) return error(Errno::eio);
  TRY(attach_tracer(tracer, tracee, true, static_cast<std::uint32_t>(options)));
  return 0;
}

}  // namespace

Result<long> sys_ptrace(Context& context, long request, int id, std::uintptr_t address, std::uintptr_t data) {
  if (request == trace::traceme) {
    TRY(trace_me(context.task));
    return 0;
  }
  if (id <= 0) return error(Errno::esrch);
  RefPtr<Task> tracee = TRY(task_by_id(context, id));
  switch (request) {
    case trace::attach:
      TRY(attach_tracer(context.task, *tracee, false, 0));
      return 0;
    case trace::seize:
      return seize(context.task, *tracee, address, data);
    case trace::kill:
      return kill_tracee(context.task, *tracee);
    case trace::interrupt:
      return interrupt_tracee(context.task, *tracee);
    default:
      break;
  }
  TraceHold hold = TRY(TraceHold::take(context.task, *tracee));
  switch (request) {
    case trace::cont:
    case trace::call:
    case trace::single_step:
    case trace::emulate:
    case trace::emulate_single_step:
      return resume(std::move(hold), request, data);
    case trace::detach:
      if (data > static_cast<std::uintptr_t>(signal_count)) return error(Errno::eio);
      detach_tracee(hold.tracing(), static_cast<int>(data));
      return 0;
    case trace::listen:
      return listen_to_tracee(hold.tracing());
    default:
      return examine({context, *tracee, hold.tracing(), request, address, data});
  }
}

}  // namespace linux_abi
