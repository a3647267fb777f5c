// What seccomp does with a thread's system calls, and how a thread gets filters.
#include "linux_abi/seccomp.h"

#include "arch/linux_trace.h"
#include "core/log/log.h"
#include "core/memory/user_pointer.h"
#include "linux_abi/lifecycle.h"
#include "linux_abi/seccomp_notify.h"
#include "linux_abi/tracing.h"

namespace linux_abi {

using namespace seccomp;

namespace {

constexpr std::uint32_t error_max = 4095;

std::uint32_t action_of(std::uint32_t answer) { return answer & action_mask; }

// The strictest answer of all filters, the newest's if several give it.
std::uint32_t run_all(const SeccompFilter* newest, const Data& data, const SeccompFilter*& decided) {
  std::uint32_t answer = allow;
  for (const SeccompFilter* filter = newest; filter; filter = filter->previous()) {
    std::uint32_t one = filter->run(data);
    if (static_cast<std::int32_t>(action_of(one)) >= static_cast<std::int32_t>(action_of(answer))) continue;
    answer = one;
    decided = filter;
  }
  return answer;
}

Data describe(const arch::UserRegisters& registers) {
  Data data;
  data.number = static_cast<std::int32_t>(registers.system_call_number());
  data.architecture = arch::linux_audit_architecture();
  data.instruction_pointer = registers.program_counter();
  for (unsigned i = 0; i < 6; ++i) data.arguments[i] = registers.argument(i);
  return data;
}

void set_error(Context& context, std::uint32_t number) {
  context.registers.set_result(static_cast<std::uint64_t>(-static_cast<std::int64_t>(number)));
}

void log_call(const Task& task, const Data& data, std::uint32_t answer) {
  core::log(core::LogLevel::info, "seccomp: {}[{}] call {} at {:#x}: action {:#x}",
            task.thread().name().data(), task.id(), data.number, data.instruction_pointer, answer);
}

void send_trap(Context& context, const Data& data, std::uint32_t reason) {
  arch::roll_back_system_call(context.registers);
  SigInfo info(signal::sys, si::sys_seccomp);
  info.error = static_cast<std::int32_t>(reason);
  info.system_call.call_address = data.instruction_pointer;
  info.system_call.call = data.number;
  info.system_call.architecture = data.architecture;
  force_signal(context.task, info);
}

// False: the call is not to be made. True: look at it again, the tracer may have made another one of it.
bool ask_the_tracer(Context& context, std::uint32_t reason) {
  Task& task = context.task;
  if (!is_traced(task) || !trace_wants(task, trace::event_seccomp)) {
    set_error(context, static_cast<std::uint32_t>(Errno::enosys));
    return false;
  }
  trace_event(task, trace::event_seccomp, reason);
  return !task.thread().interrupted(core::WaitMode::killable) &&
         static_cast<std::int32_t>(context.registers.system_call_number()) >= 0;
}

// As ask_the_tracer(), but the call stays what it is.
bool ask_the_listener(Context& context, const SeccompFilter& filter, const Data& data) {
  if (!filter.listener()) {
    set_error(context, static_cast<std::uint32_t>(Errno::enosys));
    return false;
  }
  SeccompVerdict verdict = filter.listener()->ask(context.task, data);
  if (verdict.continues) return true;
  std::int64_t result = verdict.error ? verdict.error : verdict.value;
  if (verdict.interrupted) {
    // As a call that a signal interrupts before it has done anything.
    result = -static_cast<std::int64_t>(Errno::restart_always);
    context.task.add_work(task_work::signal);
  }
  context.registers.set_result(static_cast<std::uint64_t>(result));
  return false;
}

bool apply_filters(Context& context, bool traced_already) {
  Task& task = context.task;
  Data data = describe(context.registers);
  const SeccompFilter* decided = nullptr;
  std::uint32_t answer =
      run_all(Tracing::find(task)->seccomp_filter.load(std::memory_order_acquire), data, decided);
  std::uint32_t reason = answer & data_mask;
  switch (action_of(answer)) {
    case allow:
      return true;
    case seccomp::log:
      log_call(task, data, answer);
      return true;
    case fail_with_error:
      set_error(context, reason < error_max ? reason : error_max);
      return false;
    case trap:
      send_trap(context, data, reason);
      return false;
    case ask_listener:
      return ask_the_listener(context, *decided, data);
    case ask_tracer:
      if (traced_already) return true;
      return ask_the_tracer(context, reason) && apply_filters(context, true);
    case kill_thread:
      if (task.process().live_threads.load() > 1) {
        log_call(task, data, answer);
        exit_task(task, signal::sys);
      }
      [[fallthrough]];
    default:
      log_call(task, data, answer);
      begin_group_exit(task.process(), signal::sys);
      return false;
  }
}

Result<base::Vector<Instruction>> read_program(UserAddress address) {
  Program program = TRY(core::UserIn<Program>(address).read());
  if (!program.length || program.length > program_length_max) return error(Errno::einval);
  base::Vector<Instruction> instructions;
  core::UserArray<Instruction> source(UserAddress(program.instructions));
  for (std::size_t i = 0; i < program.length; ++i) {
    Instruction one;
    TRY(source.read(std::span(&one, 1), i));
    TRY(instructions.try_push_back(one));
  }
  return instructions;
}

// With signal_lock; the caller's reference on `filter` goes to the task.
void set_filter_locked(Tracing& tracing, SeccompFilter* filter) {
  SeccompFilter* old = tracing.seccomp_filter.exchange(filter, std::memory_order_acq_rel);
  // Still part of the new chain.
  if (old) old->release_reference();
  tracing.seccomp_mode.store(Mode::filter, std::memory_order_release);
  update_call_path(tracing.task);
}

// The id of a thread that cannot be given the caller's filters; 0: all can.
int thread_out_of_step_locked(Task& task, const SeccompFilter* own) {
  int found = 0;
  task.process().for_each_thread([&](Task& other) {
    Tracing* tracing = Tracing::find(other);
    if (&other == &task || found || !tracing) return;
    Mode mode = tracing->seccomp_mode.load();
    SeccompFilter* filter = tracing->seccomp_filter.load();
    if (mode == Mode::off || (mode == Mode::filter && (own ? own->comes_from(filter) : !filter))) return;
    found = other.id();
  });
  return found;
}

}  // namespace

Result<void> enter_strict_seccomp(Task& task) {
  Tracing& tracing = *TRY(Tracing::of(task));
  core::MutexGuard guard{task.process().signal_lock};
  if (tracing.seccomp_mode.load() == Mode::filter) return error(Errno::einval);
  tracing.seccomp_mode.store(Mode::strict);
  update_call_path(task);
  return {};
}

Result<long> add_seccomp_filter(Task& task, UserAddress program, unsigned flags) {
  bool everybody = flags & flag_sync_threads;
  Tracing& tracing = *TRY(Tracing::of(task));
  auto instructions = TRY(read_program(program));
  bool harmless = task.credentials().no_new_privileges || tracing.no_new_privileges.load();
  if (!harmless && !task.can(vfs::Capability::sys_admin)) return error(Errno::eacces);
  auto filter = TRY(SeccompFilter::create(std::move(instructions), flags & flag_log));
  std::optional<ReservedDescriptor> descriptor;
  RefPtr<vfs::File> listener_file;
  Process& process = task.process();
  if (flags & flag_new_listener) {
    auto listener = TRY(base::try_make_ref<SeccompListener>((flags & flag_wait_killable) != 0));
    filter->set_listener(listener);
    listener_file = TRY(open_seccomp_listener(std::move(listener), task));
    descriptor.emplace(TRY(task.files->reserve(CloseOnExec::yes, process.limit_current(Resource::nofile))));
  }
  core::MutexGuard guard{process.signal_lock};
  if (tracing.seccomp_mode.load() == Mode::strict) return error(Errno::einval);
  if (everybody)
    for (TaskLinks& links : process.threads) TRY(Tracing::of(static_cast<Task&>(links)));
  SeccompFilter* own = tracing.seccomp_filter.load();
  if (int thread = everybody ? thread_out_of_step_locked(task, own) : 0) {
    if (flags & flag_sync_threads_esrch) return error(Errno::esrch);
    return thread;
  }
  if (filter->listener() && own && own->chain_has_listener()) return error(Errno::ebusy);
  if (own) own->acquire_reference();
  filter->append_to(own);
  if (filter->path_length() > path_length_max) return error(Errno::enomem);
  SeccompFilter* raw = filter.leak();
  set_filter_locked(tracing, raw);
  long result = 0;
  if (descriptor) {
    result = descriptor->number();
    descriptor->publish(std::move(listener_file));
  }
  if (!everybody) return result;
  process.for_each_thread([&](Task& other) {
    if (&other == &task) return;
    raw->acquire_reference();
    if (harmless) Tracing::find(other)->no_new_privileges.store(true);
    set_filter_locked(*Tracing::find(other), raw);
  });
  return result;
}

Result<void> prepare_seccomp_of_child(Task& child, const Task& parent) {
  if (seccomp_mode(parent) != Mode::off) TRY(Tracing::of(child));
  return {};
}

bool inherit_seccomp_locked(Task& child, const Task& parent) {
  if (seccomp_mode(parent) == Mode::off) return true;
  Tracing *from = Tracing::find(parent), *to = Tracing::find(child);
  if (!to) return false;
  SeccompFilter* filter = from->seccomp_filter.load();
  if (filter) filter->acquire_reference();
  to->seccomp_filter.store(filter);
  to->seccomp_mode.store(from->seccomp_mode.load());
  to->no_new_privileges.store(from->no_new_privileges.load());
  update_call_path(child);
  return true;
}

void release_seccomp(Task& task) {
  Tracing* tracing = Tracing::find(task);
  if (!tracing || !tracing->seccomp_filter.load()) return;
  SeccompFilter* filter;
  {
    core::MutexGuard guard{task.process().signal_lock};
    filter = tracing->seccomp_filter.exchange(nullptr);
  }
  if (filter) filter->release_reference();
}

bool shares_no_new_privileges(const Task& task) {
  Tracing* tracing = Tracing::find(task);
  return tracing && tracing->no_new_privileges.load();
}

Mode seccomp_mode(const Task& task) {
  Tracing* tracing = Tracing::find(task);
  return tracing ? tracing->seccomp_mode.load() : Mode::off;
}

unsigned seccomp_filter_count(const Task& task) {
  core::MutexGuard guard{task.process().signal_lock};
  Tracing* tracing = Tracing::find(task);
  SeccompFilter* filter = tracing ? tracing->seccomp_filter.load() : nullptr;
  return filter ? filter->count() : 0;
}

bool seccomp_allows(Context& context) {
  Task& task = context.task;
  switch (seccomp_mode(task)) {
    case Mode::off:
      return true;
    case Mode::filter:
      return apply_filters(context, false);
    case Mode::strict:
      break;
  }
  long call = context.registers.system_call_number();
  if (call == number::read || call == number::write || call == number::exit || call == number::rt_sigreturn)
    return true;
  exit_task(task, signal::kill);
}

}  // namespace linux_abi
