#include "linux_abi/fault.h"

#include "core/log/log.h"
#include "linux_abi/tracing.h"

namespace linux_abi {

namespace {

void send_fault(Task& task, int number, int code, std::uintptr_t address) {
  SigInfo info(number, code);
  info.fault.address = address;
  force_signal(task, info);
}

core::FaultAccess to_access(arch::Access access) {
  switch (access) {
    case arch::Access::read:
      return core::FaultAccess::read;
    case arch::Access::write:
      return core::FaultAccess::write;
    case arch::Access::execute:
      return core::FaultAccess::execute;
  }
  return core::FaultAccess::read;
}

void page_fault(Task& task, const arch::UserFault& fault) {
  core::AddressSpace* space = task.thread().address_space;
  // One refusal says little: reclaim and victims were asked already, and what others free comes at any time.
  constexpr unsigned most_attempts = 16;
  auto outcome = core::FaultOutcome::out_of_memory;
  for (unsigned attempt = 0; attempt < most_attempts && outcome == core::FaultOutcome::out_of_memory;
       ++attempt) {
    outcome = space->handle_fault(UserAddress(fault.address), to_access(fault.access),
                                  core::AddressSpace::FaultOrigin::user);
    if (core::interruption_pending(core::WaitMode::killable)) break;
  }
  switch (outcome) {
    case core::FaultOutcome::resolved:
    case core::FaultOutcome::monitored:
      // relaxed: statistics.
      task.minor_faults.fetch_add(1, std::memory_order_relaxed);
      return;
    case core::FaultOutcome::no_mapping:
      return send_fault(task, signal::segv, si::segv_map_error, fault.address);
    case core::FaultOutcome::no_access:
      return send_fault(task, signal::segv, si::segv_access_error, fault.address);
    case core::FaultOutcome::bus_error:
      return send_fault(task, signal::bus, si::bus_address, fault.address);
    case core::FaultOutcome::out_of_memory:
      core::log(core::LogLevel::error, "Out of memory: killed process {} ({})", task.process().id(),
                task.thread().name().data());
      return force_fatal_signal(task, signal::kill);
    case core::FaultOutcome::interrupted:
      return;
  }
}

}  // namespace

void handle_user_fault(Task& task) {
  using Kind = arch::UserFault::Kind;
  const arch::UserFault& fault = arch::last_user_fault();
  std::uintptr_t at = task.registers.program_counter();
  auto code = [&](int otherwise) { return fault.signal_code ? fault.signal_code : otherwise; };
  switch (fault.kind) {
    case Kind::page_fault:
      return page_fault(task, fault);
    case Kind::protection_key:
      return send_fault(task, signal::segv, si::segv_protection_key, fault.address);
    case Kind::illegal_instruction:
      return send_fault(task, signal::ill, code(2), at);
    case Kind::breakpoint:
      return send_fault(task, signal::trap, si::kernel, 0);
    case Kind::debug_step:
      if (take_stale_step(task)) return;
      return send_fault(task, signal::trap, code(si::trap_trace), at);
    case Kind::divide_error:
      return send_fault(task, signal::fpe, si::fpe_integer_divide, at);
    case Kind::debug_event:
      return send_fault(task, signal::trap, code(si::trap_trace), fault.address);
    case Kind::overflow:
    case Kind::bounds:
    case Kind::general_protection:
      return send_fault(task, signal::segv, si::kernel, 0);
    case Kind::floating_point:
    case Kind::simd_floating_point:
      return send_fault(task, signal::fpe, code(si::fpe_invalid), at);
    case Kind::segment_not_present:
    case Kind::stack:
      return send_fault(task, signal::bus, si::kernel, 0);
    case Kind::alignment:
      return send_fault(task, signal::bus, si::bus_alignment, fault.address);
    case Kind::machine_check:
      return send_fault(task, signal::bus, si::bus_object, fault.address);
  }
}

// What the program did wrong, not what somebody sent it: the keys of a terminal come with SI_KERNEL too.
void log_fatal_signal(Task& task, const SigInfo& info) {
  if (info.code <= 0) return;
  std::string_view what;
  switch (info.number) {
    case signal::segv:
      what = "segfault";
      break;
    case signal::bus:
      what = "bus error";
      break;
    case signal::ill:
      what = "invalid opcode";
      break;
    case signal::fpe:
      what = "arithmetic error";
      break;
    default:
      return;
  }
  core::log(core::LogLevel::info, "{}[{}]: {} at {:x} ip {:016x} sp {:016x}", task.thread().name().data(),
            task.id(), what, info.fault.address, task.registers.program_counter(),
            task.registers.stack_pointer());
}

}  // namespace linux_abi
